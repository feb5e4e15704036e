"""The dashboard's pages, one module each, with a ``page`` function.

Not called ``pages``: Streamlit serves the files of a folder of that name by itself.
"""

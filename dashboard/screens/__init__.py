"""The dashboard's pages, one module each, with a ``page`` function.

Not called ``pages``: Streamlit serves a folder of that name by itself.
"""

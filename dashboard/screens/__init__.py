"""The dashboard's pages, one module each, with a ``page`` function.

The folder is not called ``pages`` because Streamlit would serve a folder of that name by itself.
"""

"""The live dashboard: Streamlit pages over the views."""

"""CEL conditions: evaluated by the library, or as translated Python. See README.md in this folder."""

"""Numbers, words and markup: values as text."""

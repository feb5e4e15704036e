"""The figures of pages and reports, computed from the store's queries: no key, chart, Markdown or HTML."""

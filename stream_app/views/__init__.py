"""What a page or a report shows of a range: figures computed from the store's queries."""

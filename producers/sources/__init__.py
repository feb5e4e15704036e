"""Sources of raw records: files and HTTP APIs, mapped to the fields of a contract."""

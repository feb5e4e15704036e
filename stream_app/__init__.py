"""The stream: contracts, the judge, the store and the worker."""

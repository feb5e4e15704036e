"""The fast consumer: batches instead of records, and header names of any bytes, by patching aiokafka and Faust (README.md)."""

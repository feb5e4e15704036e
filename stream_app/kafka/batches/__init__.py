"""The fast consumer: one message per (partition, fetch). See README.md in this folder."""

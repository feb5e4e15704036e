"""Everything that talks to Kafka: connection options, headers, admin, producers, transactions, search."""

"""The floor that knows all others: gRPC and HTTP front, configuration, identity, database, wiring."""

"""The documents contract."""

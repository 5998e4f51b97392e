"""The validation contract."""

"""The archive contract."""

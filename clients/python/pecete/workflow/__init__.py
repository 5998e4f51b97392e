"""The workflow contract."""

"""The signing contract."""

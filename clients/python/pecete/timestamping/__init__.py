"""The timestamping contract."""

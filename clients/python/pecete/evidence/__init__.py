"""Checking, offline and without the service, what the service made."""

"""Pecete for departments: client, errors, command line, and offline checking of what the service made."""

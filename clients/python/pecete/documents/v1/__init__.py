"""Generated messages and stubs of pecete.documents.v1."""

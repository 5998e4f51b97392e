"""Generated messages and stubs of pecete.archive.v1."""

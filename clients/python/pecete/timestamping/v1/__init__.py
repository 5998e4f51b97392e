"""Generated messages and stubs of pecete.timestamping.v1."""

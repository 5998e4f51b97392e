"""Generated messages and stubs of pecete.signing.v1."""

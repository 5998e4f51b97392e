"""Generated messages and stubs of pecete.validation.v1."""

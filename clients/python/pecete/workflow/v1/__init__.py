"""Generated messages and stubs of pecete.workflow.v1."""

"""Reading signed PDFs strictly: values, revisions, signatures, and what changed after each signature.

Nothing here repairs. A file that two readers could understand differently is not evidence of anything, so
what cannot be explained is refused (`PdfSyntaxError`) or counted as a change that nothing permits.
"""

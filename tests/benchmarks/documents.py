"""The documents that are signed in the benchmarks."""

import io
import os
from pathlib import Path

import pikepdf

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "adeverinta.pdf"


def certificate_pdf(size: int) -> bytes:
    """Give the certificate of the samples, brought to about `size` octets by a stream that no page shows."""
    with pikepdf.open(SAMPLE) as pdf:
        for name in (pikepdf.Name.StructTreeRoot, pikepdf.Name.MarkInfo, pikepdf.Name.Metadata):
            if name in pdf.Root:
                del pdf.Root[name]
        bare = _saved(pdf)
        if len(bare) >= size:
            return bare
        pdf.Root.Padding = pdf.make_stream(os.urandom(size - len(bare)))
        return _saved(pdf)


def _saved(pdf: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()

"""Documents of many structures, and outside programs that look at them."""

import io
import shutil
import subprocess
from pathlib import Path

import pikepdf
import pytest

SAMPLES = Path(__file__).parent.parent / "samples"
CORPUS = Path(__file__).parent.parent.parent.parent / "shared" / "corpus"


def sample(name: str = "adeverinta.pdf") -> bytes:
    return (SAMPLES / name).read_bytes()


def saved(content: bytes, *, linearize: bool = False, streams: bool = False) -> bytes:
    mode = pikepdf.ObjectStreamMode.generate if streams else pikepdf.ObjectStreamMode.disable
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(out, linearize=linearize, object_stream_mode=mode)
    return out.getvalue()


def hybrid(content: bytes) -> bytes:
    """The document with a cross-reference table whose trailer names a cross-reference stream too."""
    content = saved(content)
    body, _, rest = content.rpartition(b"startxref\n")
    position = int(rest.split()[0])
    size = int(body.rpartition(b"/Size ")[2].split()[0])
    row = b"\x01" + position.to_bytes(4, "big") + b"\x00\x00"
    stream = b"%d 0 obj\n<< /Type /XRef /W [1 4 2] /Index [%d 1] /Size %d /Length 7 >>\nstream\n" % (
        size,
        size,
        size + 1,
    )
    stream += row + b"\nendstream\nendobj\n"
    table = body[position:].replace(b"trailer <<", b"trailer << /XRefStm %d" % position)
    table = table.replace(b"/Size %d" % size, b"/Size %d" % (size + 1))
    return body[:position] + stream + table + b"startxref\n%d\n%%%%EOF\n" % (position + len(stream))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"no {command[0]} on this machine")
    return subprocess.run(command, capture_output=True, text=True, check=False)

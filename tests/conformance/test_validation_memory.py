"""A hundred megabytes are judged by a worker that hardly grows: the file is mapped, and its pages let go."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter

from signer.validation import ValidationPolicy
from signer.validation.facts import Integrity
from signer.validation.pdf.aftermath import Modification
from signer.validation.sandbox import ValidationWorker
from tests.unit.validation_documents import SIGNER, plain, signer_of

pytestmark = pytest.mark.conformance

MIB = 1 << 20
SIZES = [50 * MIB] + [100 * 1024] * 512
"""Bytes of the pictures: one that is as large as all others, each of which takes its share of memory."""
MOST_GROWTH = 64 * MIB
PICTURE = (
    b"<< /Type /XObject /Subtype /Image /Width 1024 /Height %d /ColorSpace /DeviceGray"
    b" /BitsPerComponent 8 /Length %d >>"
)
POLICY = ValidationPolicy((), datetime(2026, 1, 1, tzinfo=UTC), "off")


def write_large(path: Path) -> None:
    """A PDF of one page with many pictures, as large as a scanned dossier, written without holding it."""
    block = os.urandom(MIB)
    names = b" ".join(b"/X%d %d 0 R" % (number, number) for number in range(4, 4 + len(SIZES)))
    resources = b"/Resources << /XObject << %s >> >>" % names
    objects = [
        (b"<< /Type /Catalog /Pages 2 0 R >>", 0),
        (b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", 0),
        (b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] %s >>" % resources, 0),
        *((PICTURE % (size // 1024, size), size) for size in SIZES),
    ]
    offsets = []
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        for number, (dictionary, size) in enumerate(objects, 1):
            offsets.append(file.tell())
            file.write(b"%d 0 obj\n%s\n" % (number, dictionary))
            if size:
                file.write(b"stream\n")
                for at in range(0, size, MIB):
                    file.write(block[: size - at])
                file.write(b"\nendstream\n")
            file.write(b"endobj\n")
        start = file.tell()
        rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + rows)
        trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
        file.write(trailer + b"startxref\n%d\n%%%%EOF\n" % start)


def sign_file(path: Path, field: str, digest: str) -> None:
    metadata = signers.PdfSignatureMetadata(
        field_name=field, subfilter=SigSeedSubFilter.PADES, md_algorithm=digest
    )
    with path.open("r+b") as file:
        signers.sign_pdf(IncrementalPdfFileWriter(file), metadata, signer_of(SIGNER), in_place=True)


def memory(process: psutil.Process, what: str) -> int:
    """A line of /proc/PID/status in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_a_hundred_megabytes_in_little_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.pdf"
    write_large(large)
    sign_file(large, "Sig1", "sha256")
    sign_file(large, "Sig2", "sha512")
    with ValidationWorker() as worker:
        others = set(psutil.Process().children(recursive=True))
        worker.validate(plain(), POLICY)  # what every worker needs for its first document
        started = set(psutil.Process().children(recursive=True)) - others
        process = max(started, key=lambda each: memory(each, "VmRSS"))
        before = memory(process, "VmRSS")
        found = worker.validate(large, POLICY).signatures
        growth = memory(process, "VmHWM") - before
    assert large.stat().st_size > 100 * MIB
    assert [signature.integrity for signature in found] == [Integrity.INTACT, Integrity.INTACT]
    assert [signature.modification for signature in found] == [Modification.ALLOWED, Modification.NONE]
    assert growth < MOST_GROWTH, f"{growth / MIB:.0f} MiB"

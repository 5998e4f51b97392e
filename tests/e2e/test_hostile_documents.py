"""Documents made to hurt whoever judges them: each is refused with its reason, and the server goes on."""

from pathlib import Path

import pytest

from pecete.client import Client
from pecete.errors import PeceteError
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from server.trial import SEAL, TrialServer
from tests.unit.hostile_files import bomb, zip_bomb

pytestmark = pytest.mark.e2e


def pdf(*objects: bytes) -> bytes:
    """Write a PDF whose first object is the catalog."""
    out, offsets = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, entries)
    return out + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))


def pdf_with_signature(contents: bytes, byte_range: bytes) -> bytes:
    """Write a PDF with one signature field, its dictionary as given."""
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 /Fields [3 0 R] >> >>",
        b"<< /Type /Pages /Kids [] /Count 0 >>",
        b"<< /FT /Sig /T (S) /V 4 0 R >>",
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached"
        b" /Contents <%s> /ByteRange [%s] >>" % (contents, byte_range),
    )


ORDINARY = pdf_with_signature(b"00" * 64, b"0 10 20 30")
HOSTILE = {
    "a signature over bytes that are not there": (
        pdf_with_signature(b"00" * 64, b"0 9999999999999 -5 99999999999999999999"),
        "SIGNATURE_UNDECODABLE",
    ),
    "a signature nested without end": (
        pdf_with_signature(b"30" * 200_000, b"0 10 20 30"),
        "SIGNATURE_UNDECODABLE",
    ),
    "a chain of sections that is a ring": (
        ORDINARY.replace(b"/Root 1 0 R >>", b"/Root 1 0 R /Prev %d >>" % ORDINARY.rindex(b"xref\n0 5")),
        "DOCUMENT_DAMAGED",
    ),
    "four gibibytes in four mebibytes": (bomb(), "DOCUMENT_DAMAGED"),
    "a container that unpacks to a thousand times its size": (zip_bomb(), "CONTAINER_TOO_LARGE"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_document_is_refused_and_the_next_one_is_judged(
    server: TrialServer, department: Client, disposition: Path, what: str
) -> None:
    content, reason = HOSTILE[what]
    document = department.upload(content).name
    with pytest.raises(PeceteError) as refused:
        department.validate(document)
    assert (refused.value.reason, refused.value.field) == (reason, "document")
    with pytest.raises(PeceteError) as unreported:
        department.validate(document, report_formats=["pdf", "xml"])
    assert unreported.value.reason == reason
    with pytest.raises(PeceteError) as unraised:
        department.augment(document, level="B-LT")
    assert unraised.value.reason in (reason, "SIGNATURE_NOT_VALID")
    signed = department.sign(disposition, server.trial.signing_key(SEAL))
    (verdict,) = department.validate(signed.document.name).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED

"""Reports that nothing was judged for: what the tests of their forms write."""

import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from signer.validation.facts import Integrity, TimestampKind, VisualChange
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.pdf.aftermath import Modification
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
EARLIER = TIME - timedelta(days=40)


def png(width: int, height: int, shade: int, *, colours: int = 3) -> bytes:
    """A picture of one colour."""
    row = b"\0" + bytes([shade]) * width * colours
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if colours == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


STAMP = TimestampVerdict(
    TimestampKind.SIGNATURE, "", Integrity.INTACT, EARLIER, "Autoritatea", PASSED, Modification.NONE, ()
)
VERDICT = SignatureVerdict(
    field="Semnătura1",
    format="PAdES",
    level="PAdES-BASELINE-T",
    integrity=Integrity.INTACT,
    modification=Modification.NONE,
    conclusion=PASSED,
    signing_time=EARLIER,
    best_signature_time=EARLIER,
    signer="Ștefan Țurcanu",
    signer_certificate=None,
    path=("Ștefan Țurcanu", "Autoritatea"),
    timestamps=(STAMP,),
    changes=(),
    faults=(),
)
GOOD_NEWS = ValidationReport("hotărâre.pdf", b"\x07" * 32, TIME, (VERDICT,))
CHANGED = replace(
    GOOD_NEWS,
    signatures=(
        replace(
            VERDICT,
            modification=Modification.FORBIDDEN,
            conclusion=Conclusion(SubIndication.FORMAT_FAILURE, "page (object 3) /Rotate changed"),
            changes=("page (object 3) /Rotate changed",),
            findings=("validation data removed",),
            visual_changes=(
                VisualChange(1, (0, 0, 9, 9), "page 1 looks different", png(120, 90, 250)),
                VisualChange(2, (0, 0, 9, 9), "page 2 looks different", png(120, 90, 200, colours=1)),
                VisualChange(3, (0, 0, 9, 9), "page 3 looks different", b""),
            ),
        ),
        VERDICT,
    ),
)
OTHER_LETTERS = replace(
    GOOD_NEWS, signatures=(replace(VERDICT, signer="Ελένη 漢字 \u202egnp.tca", qualification="QESig"),)
)

"""Random changes appended to signed PDFs: this analysis is never laxer than pyHanko's without a reason.

Every change is drawn from a fixed seed. Where pyHanko (`pyhanko.sign.diff_analysis`) forbids and this one
does not, each sentence that it says of the change must have its reason in `LAXER`.
"""

import copy
import io
import logging
import random
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from signer.pades.options import Certification
from signer.validation import pdf_facts
from signer.validation.pdf.values import PdfSyntaxError, Reference, Stream, Value
from tests.attacks.documents import VICTIM, countersigned, sign, signed, unsigned
from tests.attacks.updates import Signed, stream

pytestmark = pytest.mark.conformance

ROUNDS = 50
"""Changes that are tried on each document for each seed."""
SEEDS = (1, 2)
LAXER = {
    r"annotation list .*|annotation (part )?\(object .*": "an annotation change, which DocMDP decides"
    " (ISO 32000-2 §12.8.2.2); pyHanko's policy knows none",
    r"names .*/AP changed": "the icons of annotations are annotation changes too",
    r"validation data (changed|removed)": "validation data may be replaced; what went is a finding",
    r"metadata changed": "XMP is asked to be an XMP packet that is well-formed, and no more",
}
"""What the analysis says of a change that it allows and pyHanko forbids: why it is right to."""


def _described() -> bytes:
    """The unsigned decision with metadata, information, an extension and validation data."""
    d = Signed(unsigned())
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf/></x:xmpmeta>'
    objects: dict[int, Value] = {
        d.free: stream(packet, Type="/Metadata", Subtype="/XML"),
        d.free + 1: {"/Title": b"Dispozitie", "/Author": b"Primaria"},
        d.free + 2: {"/Certs": [Reference(d.free + 3, 0)]},
        d.free + 3: stream(b"\x30\x00"),
    }
    extension: Value = {"/ESIC": {"/BaseVersion": "/1.7", "/ExtensionLevel": 2}}
    root = d.changed(
        ("/Root",), Metadata=Reference(d.free, 0), DSS=Reference(d.free + 2, 0), Extensions=extension
    )
    return d.update(root | objects, trailer={"/Info": Reference(d.free + 1, 0)})


DOCUMENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "approved": (signed, VICTIM),
    "certified": (lambda: signed(certification=Certification.ANNOTATIONS), VICTIM),
    "countersigned": (lambda: countersigned(signed()), "Secretar"),
    "described": (lambda: sign(_described(), field_name=VICTIM), VICTIM),
}
"""How each document is made, and the field of the signature that is asked about."""
_KEYS = (
    *(
        "/A",
        "/AA",
        "/AP",
        "/V",
        "/N",
        "/Kids",
        "/Annots",
        "/Fields",
        "/Foo",
        "/Contents",
        "/Resources",
        "/MK",
    ),
    *("/Rect", "/F", "/DA", "/T", "/Lock", "/DSS", "/Names", "/Metadata", "/Perms", "/AcroForm", "/P"),
    *("/Extensions", "/Parent", "/FT", "/Ff", "/SigFlags", "/DR", "/Rotate", "/StructTreeRoot", "/Info"),
)
_SCALARS: tuple[Value, ...] = (0, 1, -5, "/N", b"text", None, "true", Reference(3, 0), Reference(999, 0))


@cache
def opened(name: str) -> Signed:
    return Signed(DOCUMENTS[name][0]())


def places(value: Value) -> Iterator[tuple[dict[str, Value] | list[Value], str | int]]:
    """Every entry within a value: what holds it, and its key or place."""
    holder = value.dictionary if isinstance(value, Stream) else value
    if isinstance(holder, dict):
        for key, item in holder.items():
            yield holder, key
            yield from places(item)
    elif isinstance(holder, list):
        for place, item in enumerate(holder):
            yield holder, place
            yield from places(item)


class Mutator:
    """Changes values at random; `pool`: references to draw from."""

    def __init__(self, seed: str, pool: list[Value]) -> None:
        self.random, self.pool = random.Random(seed), pool  # noqa: S311 - tests repeat themselves

    def drawn(self) -> Value:
        """A value that is put in the place of another."""
        if self.random.random() < 0.5:
            return self.random.choice(self.pool)
        return copy.deepcopy(self.random.choice([*_SCALARS, [], {}]))

    def mutated(self, value: Value) -> Value:
        """The value with one change in it."""
        value = (
            Stream(copy.deepcopy(value.dictionary), value.raw)
            if isinstance(value, Stream)
            else copy.deepcopy(value)
        )
        if isinstance(value, Stream) and self.random.random() < 0.3:
            return Stream(value.dictionary, value.raw[:-3] + b"xyz")
        found = list(places(value))
        if not found or self.random.random() < 0.05:
            return self.drawn()
        holder, key = self.random.choice(found)
        self._change(holder, key)
        return value

    def _change(self, holder: dict[str, Value] | list[Value], key: str | int) -> None:
        kind = self.random.random()
        if kind < 0.25:
            del holder[key]  # type: ignore[arg-type]
        elif kind < 0.75:
            holder[key] = self.drawn()  # type: ignore[index]
        elif isinstance(holder, dict):
            holder[self.random.choice(_KEYS)] = self.drawn()
        else:
            holder.append(self.drawn())


def changed(name: str, seed: int, turn: int) -> bytes:
    """The document with an object changed at random, and one more that it may refer to."""
    d = opened(name)
    numbers = [n for n, entry in sorted(d.document.entries.items()) if entry.kind == "used"]
    mutator = Mutator(f"{name} {seed} {turn}", [Reference(n, 0) for n in (*numbers, d.free)])
    number = mutator.random.choice(numbers)
    further = mutator.mutated(d.document.get(Reference(mutator.random.choice(numbers), 0)))
    return d.update({number: mutator.mutated(d.document.get(Reference(number, 0))), d.free: further})


def ours(data: bytes, field: str) -> tuple[str, tuple[str, ...]]:
    """The modification of the signature in the field, or `absent`, and what is said of it."""
    try:
        found = [s for s in pdf_facts.collect(data).signatures if s.field == field]
    except PdfSyntaxError:
        return "forbidden", ()
    return (str(found[0].modification), found[0].changes) if found else ("absent", ())


def theirs(data: bytes, field: str) -> str:
    """What pyHanko says: `allowed`, `forbidden`, or `unread` where it cannot read what was drawn."""
    try:
        reader = PdfFileReader(io.BytesIO(data))
        signature = next(s for s in reader.embedded_signatures if s.field_name == field)
        return "allowed" if _permits(signature) else "forbidden"
    except Exception:  # fence: random values provoke anything in a foreign reader, which is no verdict
        return "unread"


def _permits(signature: EmbeddedPdfSignature) -> bool:
    signature.compute_integrity_info()
    result, limit = signature.diff_result, signature.docmdp_level
    if not isinstance(result, DiffResult):
        return False
    return limit is None or result.modification_level.value <= limit.value


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_never_laxer_than_pyhanko(name: str, seed: int) -> None:
    logging.disable(logging.CRITICAL)
    field = DOCUMENTS[name][1]
    verdicts = set()
    try:
        for turn in range(ROUNDS):
            data = changed(name, seed, turn)
            verdict, said = ours(data, field)
            verdicts.add(verdict)
            if verdict == "allowed" and theirs(data, field) == "forbidden":
                unexplained = [each for each in said if not any(re.fullmatch(r, each) for r in LAXER)]
                assert not unexplained, (turn, unexplained)
    finally:
        logging.disable(logging.NOTSET)
    assert {"allowed", "forbidden"} <= verdicts

"""Every octet of small signed files changed: never intact where it is covered, never an untyped error."""

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import cache

from pecete.errors import InternalError, PeceteError
from signer.cades.structure import take_apart
from signer.validation import ValidationReport, read_facts, validate
from signer.validation.facts import Integrity
from tests.attacks.documents import sign
from tests.unit.cades_signatures import P256, signed
from tests.unit.validation_documents import OFF, SUB, blank

BY = replace(OFF, certificates=(SUB.der,))


@cache
def _pdf() -> bytes:
    alone = copy(P256)
    alone.chain = ()  # so that the file is small
    return sign(blank(), alone)


@cache
def _cms() -> bytes:
    return signed(stamped=False, enveloping=True)


def _mutants(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each octet with one bit turned, another bit from octet to octet."""
    for position in range(len(data)):
        mutant = bytearray(data)
        mutant[position] ^= 1 << (position * 3 + position // 8) % 8
        yield position, bytes(mutant)


def _judged(mutant: bytes) -> ValidationReport | None:
    """The verdict, or None where the file is refused with a typed error."""
    try:
        return validate(mutant, BY)
    except InternalError:
        raise  # the fence caught what no reader should let through
    except PeceteError:
        return None


def _covered(cms: bytes) -> set[int]:
    """Positions of the content, the signed attributes, the value and the signer's certificate."""
    parts = take_apart(cms)
    signer = parts.signers[0]
    spans = [parts.content or b"", b"".join(signer.signed), signer.signature_value, P256.certificate]
    covered: set[int] = set()
    for span in filter(None, spans):
        assert cms.count(span) == 1
        start = cms.index(span)
        covered |= set(range(start, start + len(span)))
    return covered


def test_every_octet_of_a_signed_pdf() -> None:
    """Outside the gap all is covered; within it, what the signature itself covers of its SignedData."""
    data = _pdf()
    assert len(data) < 4_000
    gap = re.search(rb"/Contents ?<([0-9a-f]+)>", data)
    assert gap is not None
    padded = bytes.fromhex(gap[1].decode())
    held = padded[: 4 + int.from_bytes(padded[2:4], "big")]
    covered = {gap.start(1) + 2 * at + digit for at in _covered(held) for digit in (0, 1)}
    covered |= {*range(gap.start(1)), *range(gap.end(1), len(data))}
    assert len(covered) > len(data) * 9 // 10
    for position, mutant in _mutants(data):
        report = _judged(mutant)
        is_capital = gap.start(1) <= position < gap.end(1) and mutant.lower() == data.lower()
        for verdict in report.signatures if report and position in covered and not is_capital else ():
            assert not verdict.conclusion.passed, position
            if not gap.start() <= position < gap.end():
                assert verdict.integrity is not Integrity.INTACT, position


def test_every_octet_of_a_cades_signature() -> None:
    data = _cms()
    covered = _covered(data)
    assert len(covered) > len(data) // 2
    for position, mutant in _mutants(data):
        report = _judged(mutant)
        for verdict in report.signatures if report else ():
            assert position not in covered or not verdict.conclusion.passed, position


def test_the_files_are_intact_as_they_are() -> None:
    (one,) = read_facts(_pdf()).signatures
    (other,) = read_facts(_cms()).signatures
    assert one.cms.integrity is other.cms.integrity is Integrity.INTACT
    for file in (_pdf(), _cms()):
        assert validate(file, BY).signatures[0].conclusion.passed

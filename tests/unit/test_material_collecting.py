"""Sources are asked in order for what is missing, and what cannot be had is named."""

from collections.abc import Mapping

import pytest

from pecete.errors import FailedPreconditionError
from server.material_collecting import ConfiguredLists, Finding, collect
from signer.material import ValidationMaterial
from signer.validation.survey import Gap, Survey
from tests.unit.validation_documents import ROOT, SIGNER, SUB, crl

MAYOR = Gap(SIGNER.der, "Ana Popescu", SUB.der)
AUTHORITY = Gap(SUB.der, "Issuing", ROOT.der)
ORPHAN = Gap(SIGNER.der, "Ana Popescu", None)


class Document:
    """A document with gaps, each of which a certain CRL or certificate closes.

    behind: gaps that show only when another one is closed.
    """

    def __init__(self, needs: Mapping[Gap, bytes], behind: Mapping[Gap, Gap] | None = None) -> None:
        self._needs = needs
        self._behind = behind or {}
        self.looks = 0

    async def survey(self, material: ValidationMaterial) -> Survey:
        self.looks += 1
        given = {*material.crls, *material.certificates}
        left = [gap for gap, need in self._needs.items() if need not in given]
        return Survey((), material, tuple(gap for gap in left if self._behind.get(gap) not in left))


class Source:
    """A source that gives what it was made with, and keeps what it was asked."""

    def __init__(self, name: str, gives: Mapping[Gap, ValidationMaterial]) -> None:
        self._name = name
        self._gives = gives
        self.asked: list[Gap] = []

    async def find(self, gap: Gap) -> Finding:
        self.asked.append(gap)
        return Finding(self._gives.get(gap, ValidationMaterial()), (f"{self._name}: asked",))


def crls(*ders: bytes) -> ValidationMaterial:
    return ValidationMaterial(crls=ders)


async def test_nothing_is_asked_where_nothing_is_missing() -> None:
    document, source = Document({}), Source("one", {})
    found, given = await collect(document.survey, [source])
    assert (found.gaps, given, source.asked, document.looks) == ((), ValidationMaterial(), [], 1)


async def test_a_second_source_is_asked_only_for_what_the_first_had_not() -> None:
    document = Document({MAYOR: b"mayor", AUTHORITY: b"authority"})
    first, second = Source("one", {MAYOR: crls(b"mayor")}), Source("two", {AUTHORITY: crls(b"authority")})
    found, given = await collect(document.survey, [first, second])
    assert found.gaps == ()
    assert given == crls(b"mayor", b"authority")
    assert first.asked == [MAYOR, AUTHORITY]
    assert second.asked == [AUTHORITY]


async def test_what_shows_later_is_asked_of_all_sources_too() -> None:
    document = Document({ORPHAN: b"issuer", AUTHORITY: b"authority"}, {AUTHORITY: ORPHAN})
    first = Source("one", {AUTHORITY: crls(b"authority")})
    second = Source("two", {ORPHAN: ValidationMaterial((b"issuer",))})
    found, _ = await collect(document.survey, [first, second])
    assert found.gaps == ()
    assert first.asked == [ORPHAN, AUTHORITY]


@pytest.mark.parametrize(("gap", "missing"), [(MAYOR, "revocation"), (ORPHAN, "issuer")])
async def test_what_cannot_be_had_is_named_with_what_was_tried(gap: Gap, missing: str) -> None:
    useless = Source("two", {gap: crls(b"something else")})
    with pytest.raises(FailedPreconditionError) as refused:
        await collect(Document({gap: b"never"}).survey, [Source("one", {}), useless])
    assert (refused.value.reason, refused.value.field) == ("VALIDATION_MATERIAL_MISSING", "level")
    assert refused.value.metadata == {
        "certificate": "Ana Popescu",
        "missing": missing,
        "tried": "one: asked; two: asked",
    }
    assert useless.asked == [gap]


async def test_configured_lists_are_those_of_the_issuer() -> None:
    ours, other = crl(SUB), crl(ROOT)

    async def read() -> list[bytes]:
        return [other, ours, b"no list"]

    lists = ConfiguredLists(read)
    assert (await lists.find(MAYOR)).material == crls(ours)
    assert (await lists.find(AUTHORITY)).material == crls(other)
    assert not (await lists.find(ORPHAN)).material

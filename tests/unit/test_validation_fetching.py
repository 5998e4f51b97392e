"""Fetching for one verdict: what it names as missing is asked for, so often and for so long only."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from pecete.errors import InvalidArgumentError
from server import validation_fetching
from server.material_collecting import Finding
from server.validation_fetching import fetch_missing
from signer.material import ValidationMaterial
from signer.validation.survey import Gap, Missing, missing
from tests.unit.validation_documents import NOW, ROOT, SUB, blank, crl, kept, plain, policy, stamped

NOTHING = ValidationMaterial()


class Source:
    """A source that gives one list for each gap, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Gap] = []

    async def find(self, gap: Gap) -> Finding:
        self.asked.append(gap)
        return Finding(ValidationMaterial(crls=(gap.certificate,)), (f"{gap.common_name}: answered",))


class Silent:
    """A source that never answers."""

    async def find(self, gap: Gap) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError


async def endless(material: ValidationMaterial) -> Missing:
    """A document that always names one certificate more."""
    number = len(material.crls)
    return Missing((Gap(b"%d" % number, f"number {number}", b"issuer"),))


async def test_a_document_makes_the_service_ask_for_so_many_certificates_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation_fetching, "_MOST_GAPS", 3)
    source = Source()
    fetched = await fetch_missing(endless, source)
    assert fetched.material == ValidationMaterial(crls=(b"0", b"1", b"2"))
    assert len(source.asked) == 3
    assert fetched.told[-1] == "no more was asked than for 3 certificates"


async def test_who_never_answers_costs_a_verdict_its_patience_once() -> None:
    async def two(material: ValidationMaterial) -> Missing:
        return Missing((Gap(b"1", "Ana", b"issuer"), Gap(b"2", "Ion", b"issuer")))

    fetched = await fetch_missing(two, Silent(), patience=timedelta(seconds=0.05))
    assert fetched.material == NOTHING
    assert fetched.told == tuple(
        f"{who}: no answer within the time for one verdict" for who in ("Ana", "Ion")
    )


async def test_what_cannot_be_judged_is_the_callers_error() -> None:
    async def damaged(material: ValidationMaterial) -> Missing:
        raise InvalidArgumentError("DOCUMENT_DAMAGED", "It is damaged.", field="document")

    with pytest.raises(InvalidArgumentError):
        await fetch_missing(damaged, Source())


def names(path: Path, document: bytes, *crls: bytes, revocation: str = "required") -> list[tuple[str, bool]]:
    """Whose certificate, and whether it is the issuer that is missing."""
    path.write_bytes(document)
    found = missing(path, policy(*crls, time=NOW, revocation=revocation))
    return [(gap.common_name, gap.issuer is None) for gap in found.gaps]


def test_what_a_verdict_lacks_is_what_neither_document_nor_policy_holds(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    assert names(path, blank()) == []
    assert names(path, plain()) == [("Ana Popescu", False), ("Issuing", False)]
    assert names(path, plain(), crl(SUB)) == [("Issuing", False)]
    assert names(path, plain(), crl(SUB), crl(ROOT)) == []
    with_lists = kept(stamped(), ValidationMaterial(crls=(crl(SUB), crl(ROOT))))
    assert names(path, stamped()) == [
        ("Ana Popescu", False),
        ("Issuing", False),
        ("Time-stamping unit", False),
    ]
    assert names(path, with_lists) == []


def test_where_revocation_is_off_only_issuers_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    assert names(path, plain(), revocation="off") == []
    path.write_bytes(plain())
    nobody = policy(anchors=[], revocation="off")
    assert [(gap.common_name, gap.issuer) for gap in missing(path, nobody).gaps] == [("Issuing", None)]


def test_what_is_not_intact_lacks_nothing_that_could_mend_it(tmp_path: Path) -> None:
    broken = plain().replace(b"signed words", b"forged words", 1)
    assert broken != plain()
    assert names(tmp_path / "d.pdf", broken) == []

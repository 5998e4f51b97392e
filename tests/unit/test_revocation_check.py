"""Certificates that are known to be revoked, from configured lists and from what is fetched."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.errors import FailedPreconditionError
from server import revocation_check
from server.material_collecting import Finding, RevocationSource
from server.revocation_check import KnownRevocations
from signer.material import ValidationMaterial
from signer.validation.survey import Gap
from softhsm.pki import Holder, TestPki
from tests.unit.signing_keys import KEY

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PKI, STRANGER = TestPki(), TestPki()
CERTIFICATE = PKI.issue_signer(Holder("Ana"), KEY.public_key())
DER = CERTIFICATE.public_bytes(Encoding.DER)
ROOT = PKI.root.public_bytes(Encoding.DER)
CHAIN = PKI.chain[:1]
CLEAN = PKI.revocation_lists(NOON)
REVOKING = PKI.revocation_lists(NOON + timedelta(days=1), revoked=[(CERTIFICATE, NOON)])
FORGED = STRANGER.revocation_lists(NOON, revoked=[(CERTIFICATE, NOON)])


class Lists:
    """Configured lists that can change."""

    def __init__(self, now: tuple[bytes, ...]) -> None:
        self.now = now

    async def read(self) -> tuple[bytes, ...]:
        return self.now


class Network(RevocationSource):
    """Where a status is fetched: answers with lists, or never."""

    def __init__(self, answer: tuple[bytes, ...] | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def find(self, gap: Gap) -> Finding:
        self.asked.append(gap.common_name)
        if self.answer is None:
            await asyncio.Event().wait()
        return Finding(ValidationMaterial(crls=self.answer or ()))


def known(
    lists: Lists | tuple[bytes, ...] = (),
    fetcher: RevocationSource | None = None,
    anchors: tuple[bytes, ...] = (ROOT,),
) -> KnownRevocations:
    source = lists if isinstance(lists, Lists) else Lists(lists)
    return KnownRevocations(source.read, anchors, fetcher)


async def is_refused(revocations: KnownRevocations, certificate: x509.Certificate = CERTIFICATE) -> bool:
    try:
        await revocations.require_unrevoked(
            certificate.public_bytes(Encoding.DER), CHAIN, field="certificate"
        )
    except FailedPreconditionError as error:
        assert (error.reason, error.field) == ("CERTIFICATE_REVOKED", "certificate")
        return True
    return False


async def test_what_a_list_says_decides() -> None:
    assert await is_refused(known(REVOKING))
    assert not await is_refused(known(CLEAN))
    assert await is_refused(known(CLEAN + REVOKING)), "the newest list speaks"
    other = PKI.issue_signer(Holder("Ion"), KEY.public_key())
    assert not await is_refused(known(REVOKING), other)


async def test_who_is_not_the_issuer_revokes_nothing() -> None:
    assert not await is_refused(known(FORGED))


async def test_nothing_known_is_no_refusal() -> None:
    assert not await is_refused(known())
    assert not await is_refused(known(REVOKING[:1], anchors=()))


async def test_a_revoked_issuer_revokes_those_below() -> None:
    root, _ = PKI.revocation_lists(NOON, revoked=[(PKI.intermediate, NOON)])
    assert await is_refused(known((root,)))
    assert not await is_refused(known((root,), anchors=())), "nobody vouches for the list"


async def test_a_list_that_changes_is_heeded_at_once() -> None:
    lists = Lists(CLEAN)
    revocations = known(lists)
    assert not await is_refused(revocations)
    lists.now = REVOKING
    assert await is_refused(revocations)
    lists.now = CLEAN
    assert not await is_refused(revocations)


async def test_a_status_is_fetched_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(CLEAN)
    revocations = known(fetcher=network)
    answers = await asyncio.gather(*(is_refused(revocations) for _ in range(9)))
    assert answers == [False] * 9
    assert network.asked == ["Ana", "TEST Autoritate Pecete"]
    network.answer = REVOKING
    assert not await is_refused(revocations)
    monkeypatch.setattr(revocation_check, "FETCHED_SECONDS", 0.0)
    assert await is_refused(revocations)


async def test_a_network_that_does_not_answer_holds_up_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocation_check, "PATIENCE_SECONDS", 0.01)
    network = Network(None)
    revocations = known(CLEAN, network)
    assert not await is_refused(revocations)
    assert not await is_refused(revocations)
    assert network.asked == ["Ana"]
    assert await is_refused(known(REVOKING, network))

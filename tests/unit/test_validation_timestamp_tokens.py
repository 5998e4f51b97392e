"""What a TSTInfo must not have: another version, and extensions that its reader has to know."""

import hashlib

import pytest
from asn1crypto import cms, tsp

from signer.validation.facts import TimestampKind
from signer.validation.timestamps import timestamp_facts
from tests.unit.cades_signatures import stamp
from tests.unit.validation_documents import SIGNED

DIGEST = hashlib.sha256(b"dispozitie").digest()


def faults(**changed: object) -> tuple[str, ...]:
    """Faults of a token whose TSTInfo was changed; its signature holds no longer, which is another matter."""
    token = cms.ContentInfo.load(stamp(DIGEST, SIGNED))
    enclosed = token["content"]["encap_content_info"]
    info = tsp.TSTInfo.load(enclosed["content"].parsed.dump())
    for name, value in changed.items():
        info[name] = value
    enclosed["content"] = cms.ParsableOctetString(info.dump(force=True))
    facts = timestamp_facts(token.dump(force=True), TimestampKind.SIGNATURE, lambda _: DIGEST)
    assert facts.gen_time == SIGNED
    return facts.faults


def extension(critical: bool) -> list[dict[str, object]]:
    return [{"extn_id": "1.3.6.1.4.1.99999.9", "critical": critical, "extn_value": b"\x05\x00"}]


def test_a_token_as_authorities_make_it_has_none() -> None:
    assert faults() == ()


def test_another_version() -> None:
    assert faults(version=2) == ("a time-stamp token of version 2",)


@pytest.mark.parametrize(
    ("critical", "expected"),
    [(False, ()), (True, ("a time-stamp token with the critical extension 1.3.6.1.4.1.99999.9",))],
)
def test_extensions(critical: bool, expected: tuple[str, ...]) -> None:
    assert faults(extensions=extension(critical)) == expected

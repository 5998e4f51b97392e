"""Checking a time-stamp offline: each thing that is wrong with one is refused, with its own reason."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from pecete.evidence import timestamp_path
from pecete.evidence.timestamp import (
    TimestampError,
    TimestampVerdict,
    check_timestamp_integrity,
    read_timestamp_token,
    token_of_response,
    verify_timestamp_token,
)
from timestamping.der import object_identifier
from timestamping.issuing import TokenWriter, granted, rejected
from timestamping.refusals import UnacceptedPolicyError
from timestamping.request import parse_time_stamp_req, write_time_stamp_req
from timestamping.software_key import SoftwareKey

GEN_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATA = b"Dispozitia primarului nr. 7"
Extension = tuple[x509.ExtensionType, bool]
TIME_STAMPING: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
AUTHORITY: Extension = (x509.BasicConstraints(ca=True, path_length=None), True)


@dataclass
class Holder:
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate, DER."""
        return self.certificate.public_bytes(Encoding.DER)


def hold(
    name: str,
    issuer: Holder | None,
    *extensions: Extension,
    days: tuple[int, int] = (-1, 365),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
    )
    first, last = (GEN_TIME + timedelta(days=day) for day in days)
    builder = builder.not_valid_before(first).not_valid_after(last)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return Holder(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


ROOT = hold("Root", None, AUTHORITY)
MIDDLE = hold("Middle", ROOT, AUTHORITY)
UNIT = hold("Unit", MIDDLE, TIME_STAMPING)


def stamp(unit: Holder, *chain: Holder, certificates: bool = True, named: Holder | None = None) -> bytes:
    """Have `unit` stamp DATA; `named` is whose certificate the token refers to instead."""
    key = SoftwareKey(unit.key, unit.certificate, tuple(holder.certificate for holder in chain))
    if named is not None:
        key.certificate = named.der
    request = parse_time_stamp_req(write_time_stamp_req("sha256", hashlib.sha256(DATA).digest(), 99))
    writer = TokenWriter(key, timedelta(seconds=1))
    prepared = writer.prepare(request, policy=object_identifier("1.2.3"), serial=b"\x01", gen_time=GEN_TIME)
    token = writer.assemble(prepared, asyncio.run(key.sign(prepared.signed_attributes)))
    if certificates:
        return token
    parsed = cms.ContentInfo.load(token).copy()
    del parsed["content"]["certificates"]
    stripped: bytes = parsed.dump(force=True)
    return stripped


TOKEN = stamp(UNIT, MIDDLE)


def verify(token: bytes, *trust: Holder, at: datetime | None = None) -> TimestampVerdict:
    return verify_timestamp_token(token, data=DATA, trust=[holder.der for holder in trust or (ROOT,)], at=at)


def reason(check: Callable[[], object]) -> str:
    with pytest.raises(TimestampError) as refused:
        check()
    return refused.value.reason


def test_a_good_token_gives_its_facts_and_path() -> None:
    verdict = verify(TOKEN)
    assert verdict.path == (UNIT.der, MIDDLE.der, ROOT.der)
    assert verdict.gen_time == GEN_TIME
    assert verdict.not_after == min(h.certificate.not_valid_after_utc for h in (UNIT, MIDDLE, ROOT))
    facts = verdict.facts
    assert (facts.policy, facts.serial_number, facts.nonce, facts.digest_algorithm) == (
        "1.2.3",
        1,
        99,
        "sha256",
    )
    assert facts == read_timestamp_token(TOKEN)


def test_integrity_alone_needs_no_trust() -> None:
    facts, certificate = check_timestamp_integrity(TOKEN, digest=hashlib.sha256(DATA).digest())
    assert (facts.gen_time, certificate) == (GEN_TIME, UNIT.der)


def test_a_response_gives_its_token_byte_for_byte() -> None:
    assert token_of_response(granted(TOKEN)) == TOKEN


def test_a_refusal_tells_why() -> None:
    response = rejected(UnacceptedPolicyError("X", "Not this policy."))
    with pytest.raises(TimestampError) as refused:
        token_of_response(response)
    assert refused.value.reason == "TIMESTAMP_REFUSED"
    assert refused.value.metadata == {
        "status": "rejection",
        "failure_info": "unaccepted_policy",
        "status_string": "Not this policy.",
    }


@pytest.mark.parametrize("response", [b"", b"\x30\x05\x30\x03\x02\x01\x00", TOKEN, granted(TOKEN)[:-1]])
def test_what_is_no_response_is_malformed(response: bytes) -> None:
    assert reason(lambda: token_of_response(response)) == "TIMESTAMP_MALFORMED"


@pytest.mark.parametrize("token", [b"", b"\x30\x00", granted(TOKEN), TOKEN + b"\x00", bytes(2 << 20)])
def test_what_is_no_token_is_malformed(token: bytes) -> None:
    assert reason(lambda: read_timestamp_token(token)) == "TIMESTAMP_MALFORMED"


def test_other_data_are_not_stamped() -> None:
    assert reason(lambda: check_timestamp_integrity(TOKEN, data=DATA + b" ")) == "TIMESTAMP_IMPRINT_MISMATCH"
    assert reason(lambda: check_timestamp_integrity(TOKEN, digest=b"")) == "TIMESTAMP_IMPRINT_MISMATCH"


@pytest.mark.parametrize("subject", [{}, {"data": DATA, "digest": hashlib.sha256(DATA).digest()}])
def test_exactly_one_subject_is_needed(subject: dict[str, bytes]) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        check_timestamp_integrity(TOKEN, **subject)  # type: ignore[arg-type]
    assert refused.value.reason == "TIMESTAMP_SUBJECT_MISSING"


def test_a_changed_time_does_not_verify() -> None:
    forged = TOKEN.replace(b"20260301120000Z", b"20250301120000Z")
    assert forged != TOKEN
    assert reason(lambda: verify(forged)) == "TIMESTAMP_SIGNATURE_INVALID"


def test_a_changed_signed_attribute_does_not_verify() -> None:
    forged_info = TOKEN.replace(b"20260301120000Z", b"20260301130000Z")
    facts, forged = read_timestamp_token(TOKEN), read_timestamp_token(forged_info)
    signed, forged_digest = (hashlib.sha256(info).digest() for info in (facts.tst_info, forged.tst_info))
    assert signed in forged_info
    consistent = forged_info.replace(signed, forged_digest)
    assert reason(lambda: verify(consistent)) == "TIMESTAMP_SIGNATURE_INVALID"


def test_another_key_under_the_same_certificate_does_not_verify() -> None:
    impostor = Holder(
        ec.generate_private_key(ec.SECP256R1()), hold("Impostor", ROOT, TIME_STAMPING).certificate
    )
    impostor = hold("Impostor", ROOT, TIME_STAMPING)
    assert reason(lambda: verify(stamp(impostor, UNIT, MIDDLE, named=UNIT))) == "TIMESTAMP_SIGNATURE_INVALID"


def test_the_certificate_may_be_given_beside_the_token() -> None:
    bare = stamp(UNIT, certificates=False)
    assert reason(lambda: verify(bare)) == "TIMESTAMP_CERTIFICATE_MISSING"
    verdict = verify_timestamp_token(bare, data=DATA, trust=[ROOT.der], certificates=[UNIT.der, MIDDLE.der])
    assert verdict.path == (UNIT.der, MIDDLE.der, ROOT.der)


def test_another_certificate_of_the_same_name_and_number_is_not_the_signers() -> None:
    token = cms.ContentInfo.load(TOKEN).copy()
    twin = (
        x509.CertificateBuilder(
            MIDDLE.certificate.subject,
            UNIT.certificate.subject,
            UNIT.key.public_key(),
            UNIT.certificate.serial_number,
        )
        .not_valid_before(GEN_TIME - timedelta(days=2))
        .not_valid_after(GEN_TIME + timedelta(days=900))
        .add_extension(*TIME_STAMPING)
        .sign(MIDDLE.key, hashes.SHA256())
    )
    twins = [
        cms.CertificateChoices.load(twin.public_bytes(Encoding.DER)),
        cms.CertificateChoices.load(MIDDLE.der),
    ]
    token["content"]["certificates"] = cms.CertificateSet(twins)
    assert reason(lambda: verify(token.dump(force=True))) == "TIMESTAMP_CERTIFICATE_MISMATCH"


@pytest.mark.parametrize(
    "extensions",
    [
        pytest.param((), id="no usage"),
        pytest.param(((TIME_STAMPING[0], False),), id="not critical"),
        pytest.param(
            (
                (
                    x509.ExtendedKeyUsage(
                        [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH]
                    ),
                    True,
                ),
            ),
            id="another usage beside",
        ),
        pytest.param(
            (TIME_STAMPING, (x509.KeyUsage(False, False, True, *[False] * 6), True)), id="may not sign"
        ),
    ],
)
def test_only_a_time_stamping_certificate_stamps(extensions: tuple[Extension, ...]) -> None:
    unit = hold("Unit", ROOT, *extensions)
    assert reason(lambda: verify(stamp(unit))) == "TIMESTAMP_KEY_USAGE_WRONG"


def test_a_weak_key_is_not_believed() -> None:
    unit = hold("Unit", ROOT, TIME_STAMPING)
    weak = hold("Weak", ROOT, TIME_STAMPING, key=ec.generate_private_key(ec.SECP224R1()))
    assert reason(lambda: verify(stamp(unit, weak, named=weak))) == "TIMESTAMP_ALGORITHM_NOT_ALLOWED"


def test_a_weak_imprint_is_not_believed() -> None:
    forged = TOKEN.replace(
        bytes.fromhex("0609608648016503040201"), bytes.fromhex("0609608648016503040204"), 2
    )
    assert reason(lambda: verify(forged)) == "TIMESTAMP_ALGORITHM_NOT_ALLOWED"


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_the_certificate_must_be_valid_at_gen_time(days: tuple[int, int]) -> None:
    unit = hold("Unit", ROOT, TIME_STAMPING, days=days)
    assert reason(lambda: verify(stamp(unit))) == "TIMESTAMP_OUTSIDE_KEY_USAGE_PERIOD"


def test_the_key_usage_period_is_kept() -> None:
    period = x509.PrivateKeyUsagePeriod(None, GEN_TIME - timedelta(hours=1))
    unit = hold("Unit", ROOT, TIME_STAMPING, (period, False))
    assert reason(lambda: verify(stamp(unit))) == "TIMESTAMP_OUTSIDE_KEY_USAGE_PERIOD"


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param((), id="issuer is no authority"),
        pytest.param(((x509.BasicConstraints(ca=False, path_length=None), True),), id="issuer says so"),
        pytest.param((AUTHORITY, (x509.KeyUsage(True, *[False] * 8), True)), id="issuer may not certify"),
        pytest.param(
            (AUTHORITY, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)),
            id="issuer is for servers",
        ),
        pytest.param(
            (AUTHORITY, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), True)),
            id="unknown critical extension",
        ),
        pytest.param(
            (AUTHORITY, (x509.NameConstraints([x509.DNSName("x.ro")], None), False)),
            id="name constraints",
        ),
    ],
)
def test_a_path_that_breaks_a_rule_is_none(middle: tuple[Extension, ...]) -> None:
    issuer = hold("Middle", ROOT, *middle)
    token = stamp(hold("Unit", issuer, TIME_STAMPING), issuer)
    assert reason(lambda: verify(token)) == "TIMESTAMP_PATH_NOT_FOUND"


def test_a_path_longer_than_the_anchor_allows_is_none() -> None:
    root = hold("Root", None, (x509.BasicConstraints(ca=True, path_length=0), True))
    direct = hold("Unit", root, TIME_STAMPING)
    assert verify(stamp(direct), root).path == (direct.der, root.der)
    middle = hold("Middle", root, AUTHORITY)
    token = stamp(hold("Unit", middle, TIME_STAMPING), middle)
    assert reason(lambda: verify(token, root)) == "TIMESTAMP_PATH_NOT_FOUND"


def test_nobody_is_trusted_unasked() -> None:
    assert reason(lambda: verify_timestamp_token(TOKEN, data=DATA, trust=[])) == "TIMESTAMP_PATH_NOT_FOUND"
    stranger = hold("Root", None, AUTHORITY)
    assert reason(lambda: verify(TOKEN, stranger)) == "TIMESTAMP_PATH_NOT_FOUND"


def test_a_unit_may_be_trusted_itself() -> None:
    assert verify(TOKEN, UNIT).path == (UNIT.der,)


def test_the_path_must_be_valid_at_the_time_asked_for() -> None:
    assert verify(TOKEN, at=GEN_TIME + timedelta(days=300))
    late = GEN_TIME + timedelta(days=366)
    assert reason(lambda: verify(TOKEN, at=late)) == "TIMESTAMP_PATH_NOT_FOUND"


def test_an_anchor_must_be_readable() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        verify_timestamp_token(TOKEN, data=DATA, trust=[b"not a certificate"])
    assert refused.value.reason == "TRUST_ANCHOR_UNREADABLE"


def test_hostile_certificates_do_not_keep_the_checker_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    first = hold("Same", None, AUTHORITY)
    ring = [hold("Same", first, AUTHORITY, key=first.key) for _ in range(20)]
    token = stamp(hold("Unit", first, TIME_STAMPING), *ring)
    checked = []
    check = timestamp_path._is_signed_by

    def count(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        checked.append(certificate)
        return check(certificate, issuer)

    monkeypatch.setattr(timestamp_path, "_is_signed_by", count)
    assert reason(lambda: verify(token)) == "TIMESTAMP_PATH_NOT_FOUND"
    assert 20 < len(checked) <= 64


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(TOKEN) - 1), octet=st.integers(0, 255))
def test_a_changed_octet_never_changes_what_is_believed(position: int, octet: int) -> None:
    changed = bytearray(TOKEN)
    changed[position] = octet
    try:
        verdict = verify(bytes(changed))
    except TimestampError:
        return
    assert verdict.facts.tst_info == read_timestamp_token(TOKEN).tst_info
    assert verdict.path == (UNIT.der, MIDDLE.der, ROOT.der)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_raises_nothing_untyped(garbage: bytes) -> None:
    for check in (token_of_response, read_timestamp_token):
        with pytest.raises(TimestampError):
            check(garbage)


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(UNIT.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1), id="version 5"),
        pytest.param(UNIT.der.replace(b"\x0c\x04Unit", b"\x1f\x04Unit", 1), id="subject of no string type"),
    ],
)
def test_an_unreadable_certificate_is_no_candidate(der: bytes) -> None:
    assert der != UNIT.der
    assert timestamp_path.load_certificate(der) is None

"""The authority: tokens written right, recorded before they leave, and refusals that are answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import Connection, create_engine

from pecete.errors import AlreadyExistsError, FailedPreconditionError, UnavailableError
from pecete.evidence.timestamp import token_of_response, verify_timestamp_token
from timestamping import journal
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.issuing import encode_gen_time
from timestamping.refusals import FailureInfo, RefusalError, TimeNotAvailableError
from timestamping.request import write_time_stamp_req
from timestamping.software_key import SoftwareKey, load_software_key
from timestamping.tables import METADATA

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_900, tzinfo=UTC)
POLICY, OTHER_POLICY = "1.3.6.1.4.1.99999.1", "0.4.0.2023.1.1"
DIGEST = hashlib.sha256(b"hello").digest()
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def issue(
    name: str,
    key: Key,
    issuer: str,
    issuer_key: Key,
    *,
    ca: bool = False,
    critical: bool = True,
    days: float = 365,
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


class TimeStampResp(core.Sequence):  # type: ignore[misc]
    """TimeStampResp as RFC 3161 has it: a refusal is without a token."""

    _fields = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]  # noqa: RUF012


@dataclass
class FixedClock:
    """A clock that the test sets; None: it is not to be trusted."""

    time: datetime | None = NOW
    description: str = "fixed"

    def now(self) -> datetime:
        if self.time is None:
            raise TimeNotAvailableError("CLOCK_STEPPED_BACK", "The clock went backwards and is not trusted.")
        return self.time


@dataclass
class Unit:
    """A unit with everything around it that a test looks at."""

    key: SoftwareKey
    anchor: bytes
    clock: FixedClock = field(default_factory=FixedClock)
    recorded: list[IssuedTimestamp] = field(default_factory=list)
    failure: Exception | None = None

    async def record(self, issued: IssuedTimestamp) -> None:
        if self.failure is not None:
            raise self.failure
        self.recorded.append(issued)

    def authority(self, accuracy: timedelta = timedelta(seconds=1)) -> Authority:
        return Authority(
            self.key,
            clock=self.clock,
            record=self.record,
            policies=(POLICY, OTHER_POLICY),
            accuracy=accuracy,
            time=NOW,
        )


def make_unit(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, **options: float) -> Unit:
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = issue("Root", root_key, "Root", root_key, ca=True)
    leaf = issue("Unit", key, "Root", root_key, **options)  # type: ignore[arg-type]
    return Unit(SoftwareKey(key, leaf, (root,)), root.public_bytes(Encoding.DER))


@pytest.fixture
def unit() -> Unit:
    return make_unit(ec.generate_private_key(ec.SECP256R1()))


async def ask(unit: Unit, request: bytes) -> TimeStampResp:
    response = await unit.authority().respond(request, client="test", request_id="r1")
    parsed: TimeStampResp = TimeStampResp.load(response, strict=True)
    return parsed


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), None])
async def test_a_token_verifies_for_every_kind_of_key(curve: ec.EllipticCurve | None) -> None:
    unit = make_unit(
        rsa.generate_private_key(65537, 2048) if curve is None else ec.generate_private_key(curve)
    )
    await unit.authority().prove_key()
    token = await unit.authority().stamp(
        "sha512", hashlib.sha512(b"x").digest(), client="test", request_id="r"
    )
    verdict = verify_timestamp_token(token, data=b"x", trust=[unit.anchor])
    assert verdict.path == (unit.key.certificate, unit.anchor)
    assert verdict.gen_time == datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert verdict.facts.accuracy == timedelta(seconds=1)
    assert (verdict.facts.policy, verdict.facts.ordering, verdict.facts.claims_qualified) == (
        POLICY,
        False,
        False,
    )


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
async def test_the_answer_is_that_of_the_request(unit: Unit, name: str) -> None:
    digest = hashlib.new(name, b"hello").digest()
    request = write_time_stamp_req(name, digest, 0x1234567890, OTHER_POLICY)
    response = await ask(unit, request)
    assert response["status"]["status"].native == "granted"
    signed_data = response["time_stamp_token"]["content"]
    tst_info = signed_data["encap_content_info"]["content"].parsed
    assert tst_info["message_imprint"].dump() == tsp.TimeStampReq.load(request)["message_imprint"].dump()
    assert tst_info["nonce"].native == 0x1234567890
    assert tst_info["policy"].native == OTHER_POLICY
    assert tst_info["serial_number"].native == int.from_bytes(unit.recorded[0].serial, "big")
    attributes = {
        attribute["type"].native: attribute["values"]
        for attribute in signed_data["signer_infos"][0]["signed_attrs"]
    }
    assert attributes.keys() == {"content_type", "message_digest", "signing_certificate_v2"}
    referred = attributes["signing_certificate_v2"][0]["certs"]
    assert len(referred) == 1
    assert referred[0]["cert_hash"].native == hashlib.sha256(unit.key.certificate).digest()


async def test_everything_is_der(unit: Unit) -> None:
    response = await unit.authority().respond(
        write_time_stamp_req("sha256", DIGEST, 7), client="t", request_id="r"
    )
    parsed = TimeStampResp.load(response, strict=True)
    certificates = [choice.dump() for choice in parsed["time_stamp_token"]["content"]["certificates"]]
    assert certificates == sorted((unit.key.certificate, unit.anchor))
    attributes = [a.dump() for a in parsed["time_stamp_token"]["content"]["signer_infos"][0]["signed_attrs"]]
    assert attributes == sorted(attributes)
    assert parsed.copy().dump(force=True) == response


async def test_certificates_are_absent_unless_asked_for(unit: Unit) -> None:
    request = write_time_stamp_req("sha256", DIGEST)
    silent = tsp.TimeStampReq.load(request).copy()
    silent["cert_req"] = False
    response = await ask(unit, silent.dump(force=True))
    assert response["time_stamp_token"]["content"]["certificates"].native is None
    token = response["time_stamp_token"].dump()
    assert verify_timestamp_token(
        token, digest=DIGEST, trust=[unit.anchor], certificates=[unit.key.certificate]
    )


@pytest.mark.parametrize(
    ("microsecond", "expected"),
    [
        (0, b"20260301120000Z"),
        (500_000, b"20260301120000.5Z"),
        (90_999, b"20260301120000.09Z"),
        (999, b"20260301120000Z"),
    ],
)
def test_gen_time_has_no_trailing_zeros(microsecond: int, expected: bytes) -> None:
    assert encode_gen_time(datetime(2026, 3, 1, 12, 0, 0, microsecond, UTC)) == expected
    east = timezone(timedelta(hours=2))
    assert encode_gen_time(datetime(2026, 3, 1, 14, 0, 0, microsecond, east)) == expected


@pytest.mark.parametrize(
    "accuracy",
    [
        timedelta(seconds=1),
        timedelta(milliseconds=200),
        timedelta(seconds=2, milliseconds=128, microseconds=7),
    ],
)
async def test_accuracy_is_stated(unit: Unit, accuracy: timedelta) -> None:
    token = await unit.authority(accuracy).stamp("sha256", DIGEST, client="test", request_id="r")
    assert verify_timestamp_token(token, digest=DIGEST, trust=[unit.anchor]).facts.accuracy == accuracy


async def test_what_is_recorded_is_what_left(unit: Unit) -> None:
    request = write_time_stamp_req("sha256", DIGEST, 1)
    response = await unit.authority().respond(request, client="cn=app", request_id="r7")
    (issued,) = unit.recorded
    assert issued.token == token_of_response(response)
    assert issued.request_digest == hashlib.sha256(request).digest()
    assert (issued.client, issued.request_id, issued.policy, issued.clock) == (
        "cn=app",
        "r7",
        POLICY,
        "fixed",
    )
    assert (
        issued.gen_time == verify_timestamp_token(issued.token, digest=DIGEST, trust=[unit.anchor]).gen_time
    )


REQUEST = write_time_stamp_req("sha256", DIGEST)


@pytest.mark.parametrize(
    ("request_der", "bit"),
    [
        (b"garbage", "bad_data_format"),
        (REQUEST.replace(DIGEST, bytes(31)), "bad_data_format"),
        (REQUEST.replace(bytes.fromhex("0402"), bytes.fromhex("0404"), 1), "bad_alg"),
        (REQUEST.replace(b"\x02\x01\x01", b"\x02\x01\x03", 1), "bad_request"),
        (write_time_stamp_req("sha256", DIGEST, None, "1.2.3"), "unaccepted_policy"),
        (bytes((REQUEST[0], REQUEST[1] + 2)) + REQUEST[2:] + b"\xa0\x00", "unaccepted_extensions"),
    ],
)
async def test_a_refusal_is_a_response_with_its_bit(unit: Unit, request_der: bytes, bit: str) -> None:
    response = await ask(unit, request_der)
    assert response["status"]["status"].native == "rejection"
    assert response["status"]["fail_info"].native == {bit}
    assert response["status"]["status_string"].native[0].endswith(".")
    assert response["time_stamp_token"].native is None
    assert unit.recorded == []


async def test_without_a_trusted_time_there_is_no_token(unit: Unit) -> None:
    unit.clock.time = None
    response = await ask(unit, REQUEST)
    assert response["status"]["fail_info"].native == {"time_not_available"}
    with pytest.raises(UnavailableError) as refused:
        await unit.authority().stamp("sha256", DIGEST, client="t", request_id="r")
    assert refused.value.reason == "CLOCK_STEPPED_BACK"


@pytest.mark.parametrize(
    "failure", [OSError("disk full"), UnavailableError("TOKEN_GONE", "The token is gone.")]
)
async def test_what_is_not_recorded_does_not_leave(unit: Unit, failure: Exception) -> None:
    unit.failure = failure
    response = await ask(unit, REQUEST)
    assert response["status"]["fail_info"].native == {"system_failure"}
    assert "disk" not in response["status"]["status_string"].native[0]
    with pytest.raises(RefusalError) as refused:
        await unit.authority().stamp("sha256", DIGEST, client="t", request_id="r")
    assert refused.value.failure_info is FailureInfo.SYSTEM_FAILURE


async def test_a_serial_number_that_is_taken_draws_another_prefix(unit: Unit) -> None:
    authority = unit.authority()
    await authority.stamp("sha256", DIGEST, client="t", request_id="r")
    unit.failure = AlreadyExistsError("SERIAL_NUMBER_TAKEN", "Taken.")
    with pytest.raises(RefusalError):
        await authority.stamp("sha256", DIGEST, client="t", request_id="r")
    unit.failure = None
    await authority.stamp("sha256", DIGEST, client="t", request_id="r")
    before, after = (issued.serial[:8] for issued in unit.recorded)
    assert before != after


async def test_an_expired_certificate_stamps_no_more(unit: Unit) -> None:
    authority = unit.authority()
    unit.clock.time = NOW + timedelta(days=366)
    response = TimeStampResp.load(await authority.respond(REQUEST, client="t", request_id="r"))
    assert response["status"]["fail_info"].native == {"system_failure"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"critical": False}, "TIMESTAMPING_CERTIFICATE_WRONG"),
        ({"ca": True}, "TIMESTAMPING_CERTIFICATE_WRONG"),
        ({"days": -0.5}, "TIMESTAMPING_CERTIFICATE_EXPIRED"),
    ],
)
def test_an_unfit_certificate_stops_the_start(options: dict[str, float], reason: str) -> None:
    unit = make_unit(ec.generate_private_key(ec.SECP256R1()), **options)
    with pytest.raises(FailedPreconditionError) as refused:
        unit.authority()
    assert refused.value.reason == reason


def test_a_key_of_ed25519_stops_the_start(unit: Unit) -> None:
    key, root_key = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    unit.key.certificate = issue("Unit", key, "Root", root_key).public_bytes(Encoding.DER)
    with pytest.raises(FailedPreconditionError) as refused:
        unit.authority()
    assert refused.value.reason == "TIMESTAMPING_KEY_WEAK"


async def test_a_key_that_is_not_the_certificates_stops_the_start(unit: Unit) -> None:
    other = make_unit(ec.generate_private_key(ec.SECP256R1()))
    other.key.certificate = unit.key.certificate
    with pytest.raises(FailedPreconditionError) as refused:
        await other.authority().prove_key()
    assert refused.value.reason == "TIMESTAMPING_KEY_MISMATCH"


def test_a_software_key_is_read_from_files(unit: Unit, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue("Unit", key, "Unit", key)
    key_file, certificate_file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate_file.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + x509.load_der_x509_certificate(unit.anchor).public_bytes(Encoding.PEM)
    )
    read = load_software_key(key_file, certificate_file)
    assert read.certificate == certificate.public_bytes(Encoding.DER)
    assert read.chain == (unit.anchor,)
    certificate_file.write_bytes(b"nothing")
    with pytest.raises(FailedPreconditionError) as refused:
        load_software_key(key_file, certificate_file)
    assert refused.value.reason == "TIMESTAMPING_CERTIFICATE_UNREADABLE"
    key_file.unlink()
    with pytest.raises(FailedPreconditionError) as refused:
        load_software_key(key_file, certificate_file)
    assert refused.value.reason == "TIMESTAMPING_KEY_UNREADABLE"


class ListedJournal:
    """A general journal that only remembers."""

    def __init__(self) -> None:
        self.entries: list[dict[str, object]] = []

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        act: str,
        resource: str,
        request_id: str,
        digest: bytes | None,
        row: Mapping[str, object] | None,
    ) -> int:
        assert connection.in_transaction()
        self.entries.append(
            {
                "actor": actor,
                "act": act,
                "resource": resource,
                "request_id": request_id,
                "digest": digest,
                "row": row,
            }
        )
        return len(self.entries) - 1


async def test_a_token_and_its_act_are_recorded_together(unit: Unit) -> None:
    authority = unit.authority()
    for client in ("one", "two"):
        await authority.stamp("sha256", DIGEST, client=client, request_id="r")
    general = ListedJournal()
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        METADATA.create_all(connection)
        assert journal.latest_gen_time(connection) is None
        assert [journal.record(connection, general, issued) for issued in unit.recorded] == [0, 1]
    with engine.begin() as connection:
        assert journal.latest_gen_time(connection) == unit.recorded[0].gen_time
        rows = dict(journal.journalled_rows(connection))
        assert rows == {entry["resource"]: entry["row"] for entry in general.entries}
    first = general.entries[0]
    assert first["act"] == "timestamp.issue"
    assert (first["actor"], first["resource"]) == ("one", f"timestamps/{unit.recorded[0].serial.hex()}")
    assert first["digest"] == unit.recorded[0].request_digest
    with engine.connect() as connection, connection.begin(), pytest.raises(AlreadyExistsError) as refused:
        journal.record(connection, general, unit.recorded[0])
    assert refused.value.reason == "SERIAL_NUMBER_TAKEN"

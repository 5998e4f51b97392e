"""CAdES signatures, read back with asn1crypto."""

import hashlib
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core

from pecete.commitment import CommitmentType
from pecete.errors import (
    AbortedError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)
from signer.cades.signing import (
    SignatureOptions,
    SignerLocation,
    complete_signature,
    enclose,
    file_content,
    finish,
    octets_content,
    prepare_signature,
    sign_content,
)
from tests.unit.cades_signatures import (
    CONTENT,
    DETACHED,
    KEYS,
    OPTIONS,
    P256,
    P384,
    SoftwareKey,
    signed,
    value_token,
)
from tests.unit.validation_documents import BORN, SIGNED, YEAR

SIGNER_LOCATION = "1.2.840.113549.1.9.16.2.17"


def signer_info(made: bytes) -> asn1_cms.SignerInfo:
    (found,) = asn1_cms.ContentInfo.load(made, strict=True)["content"]["signer_infos"]
    return found


def signed_values(made: bytes) -> dict[str, core.Asn1Value]:
    found = {item["type"].native: item["values"][0] for item in signer_info(made)["signed_attrs"]}
    assert len(found) == len(signer_info(made)["signed_attrs"])
    return found


@pytest.mark.parametrize("name", KEYS)
def test_baseline_b_has_exactly_what_the_standard_asks_for(name: str) -> None:
    key = KEYS[name]
    made = finish(sign_content(DETACHED, key, OPTIONS), None)
    signed_data = asn1_cms.ContentInfo.load(made, strict=True)["content"]
    assert signed_data["version"].native == "v1"
    assert signed_data["encap_content_info"]["content_type"].native == "data"
    assert signed_data["encap_content_info"]["content"].native is None
    assert {each.chosen.dump() for each in signed_data["certificates"]} == {key.certificate, *key.chain}
    values = signed_values(made)
    assert set(values) == {
        "content_type",
        "message_digest",
        "signing_certificate_v2",
        "signing_time",
        "cms_algorithm_protection",
    }
    assert values["message_digest"].native == hashlib.new(key.algorithm.digest, CONTENT).digest()
    assert values["signing_time"].native == SIGNED
    assert values["signing_time"].name == "utc_time"
    assert len(signer_info(made)["unsigned_attrs"]) == 0


def test_what_a_signer_states_is_signed() -> None:
    options = replace(
        OPTIONS,
        mime_type="text/plain",
        commitment=CommitmentType.PROOF_OF_APPROVAL,
        location=SignerLocation("RO", "Lunca Teilor", ("Strada Școlii 1", "Primărie")),
    )
    values = signed_values(finish(sign_content(DETACHED, P256, options), None))
    assert core.UTF8String.load(values["mime_type"].dump()).native == "text/plain"
    (commitment,) = core.SequenceOf.load(values["commitment_type"].dump(), spec=core.ObjectIdentifier)
    assert commitment.native == "1.2.840.113549.1.9.16.6.5"
    location = values[SIGNER_LOCATION].dump()
    assert location.endswith("Primărie".encode())
    # countryName [0], localityName [1], postalAddress [2], all explicit (EN 319 122-1 Annex D).
    assert location[2:6] == b"\xa0\x04\x0c\x02"
    assert b"\xa1\x0e\x0c\x0cLunca Teilor\xa2\x1f\x30\x1d\x0c\x10" in location


@pytest.mark.parametrize("location", [SignerLocation(), SignerLocation(postal_address=("a",) * 7)])
def test_a_location_that_says_nothing_or_too_much_is_refused(location: SignerLocation) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        prepare_signature(DETACHED, P256, replace(OPTIONS, location=location))
    assert refusal.value.reason == "SIGNER_LOCATION_INVALID"


def test_times_from_2050_on_have_four_digits_for_the_year() -> None:
    from signer.cades.attributes import further_attributes

    (attribute,) = further_attributes(SignatureOptions(datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)))
    assert attribute.endswith(b"\x18\x0f20510102030405Z")


def test_an_enveloping_signature_is_its_head_content_and_tail() -> None:
    signature = sign_content(DETACHED, P256, OPTIONS)
    around = enclose(signature, None, len(CONTENT))
    signed_data = asn1_cms.ContentInfo.load(around.head + CONTENT + around.tail, strict=True)["content"]
    assert signed_data["encap_content_info"]["content"].native == CONTENT
    assert signed_data["signer_infos"][0].dump() == signer_info(finish(signature, None)).dump()


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 350 << 20])
def test_every_length_around_the_content_is_right(length: int) -> None:
    around = enclose(sign_content(DETACHED, P256, OPTIONS), None, length)
    total = len(around.head) + length + len(around.tail)
    size = around.head[1] & 0x7F
    assert 2 + size + int.from_bytes(around.head[2 : 2 + size], "big") == total
    if length < 1 << 20:
        made = asn1_cms.ContentInfo.load(around.head + bytes(length) + around.tail, strict=True)
        assert made["content"]["encap_content_info"]["content"].native == bytes(length)


def test_a_time_stamp_makes_it_b_t() -> None:
    signature = sign_content(DETACHED, P256, OPTIONS)
    token = value_token(signature)
    (attribute,) = signer_info(finish(signature, token))["unsigned_attrs"]
    assert attribute["type"].native == "signature_time_stamp_token"
    assert attribute["values"][0].dump() == token


def test_a_time_stamp_of_another_signature_is_refused() -> None:
    token = value_token(sign_content(DETACHED, P256, OPTIONS))
    with pytest.raises(InvalidArgumentError) as refusal:
        finish(sign_content(DETACHED, P256, OPTIONS), token)
    assert refusal.value.reason == "TIMESTAMP_TOKEN_MISMATCH"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (BORN - timedelta(seconds=1), "CERTIFICATE_NOT_YET_VALID"),
        (BORN + 11 * YEAR, "CERTIFICATE_EXPIRED"),
    ],
)
def test_a_certificate_out_of_its_time_is_refused_before_the_key_is_used(time: datetime, reason: str) -> None:
    key = SoftwareKey(P256.identity, P256.algorithm)
    with pytest.raises(FailedPreconditionError) as refusal:
        sign_content(DETACHED, key, SignatureOptions(time))
    assert refusal.value.reason == reason
    assert key.uses == 0


def test_a_file_is_content_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "act.txt"
    path.write_bytes(CONTENT)
    assert prepare_signature(file_content(path), P256, OPTIONS) == prepare_signature(DETACHED, P256, OPTIONS)
    with pytest.raises(NotFoundError) as refusal:
        prepare_signature(file_content(tmp_path / "none"), P256, OPTIONS)
    assert refusal.value.reason == "DOCUMENT_UNREADABLE"


@pytest.mark.parametrize("name", KEYS)
def test_a_signature_value_made_elsewhere_is_taken_in(name: str) -> None:
    key = KEYS[name]
    prepared = pickle.loads(pickle.dumps(prepare_signature(DETACHED, key, OPTIONS)))  # noqa: S301
    completed = complete_signature(DETACHED, prepared, key.sign(prepared.signed_attributes), SIGNED)
    assert signed_values(finish(completed, None))["signing_time"].native == SIGNED


def test_nothing_wrong_is_taken_in() -> None:
    prepared = prepare_signature(DETACHED, P256, OPTIONS)
    value = P256.sign(prepared.signed_attributes)
    with pytest.raises(InvalidArgumentError) as wrong:
        complete_signature(DETACHED, prepared, P256.sign(b"something else"), SIGNED)
    assert wrong.value.reason == "SIGNATURE_VALUE_WRONG"
    with pytest.raises(FailedPreconditionError) as late:
        complete_signature(DETACHED, prepared, value, BORN + 11 * YEAR)
    assert late.value.reason == "CERTIFICATE_EXPIRED"
    with pytest.raises(AbortedError) as changed:
        complete_signature(octets_content(CONTENT + b"!"), prepared, value, SIGNED)
    assert changed.value.reason == "DOCUMENT_CHANGED"


def test_a_key_that_is_not_its_certificates_is_noticed() -> None:
    key = SoftwareKey(P256.identity, P256.algorithm)
    key.certificate = KEYS["p384"].certificate
    with pytest.raises(InternalError) as fault:
        sign_content(DETACHED, key, OPTIONS)
    assert fault.value.reason == "SIGNATURE_VALUE_WRONG"


def test_a_certificate_that_cannot_be_read_is_refused() -> None:
    key = SoftwareKey(P256.identity, P256.algorithm)
    key.certificate = b"\x30\x00"
    with pytest.raises(InvalidArgumentError) as refusal:
        sign_content(DETACHED, key, OPTIONS)
    assert refusal.value.reason == "CERTIFICATE_MALFORMED"


def test_a_countersignature_has_no_content_type_and_no_mime_type() -> None:
    made = finish(sign_content(DETACHED, P384, OPTIONS, counter=True), None)
    assert "content_type" not in signed_values(made)
    with pytest.raises(InvalidArgumentError) as refusal:
        prepare_signature(DETACHED, P256, replace(OPTIONS, mime_type="text/plain"), counter=True)
    assert refusal.value.reason == "COUNTERSIGNATURE_MIME_TYPE"


def test_the_content_is_not_in_a_detached_signature() -> None:
    assert CONTENT not in signed()
    assert CONTENT in signed(enveloping=True)

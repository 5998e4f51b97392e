"""Levels B-T, B-LT and B-LTA of CAdES signatures; imprints computed again here, with asn1crypto."""

import hashlib

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core, tsp

from pecete.errors import AbortedError, FailedPreconditionError, InvalidArgumentError
from signer.cades.archive_timestamp import finish_archive_timestamp, prepare_archive_timestamp
from signer.cades.augmentation import add_material, add_signature_time_stamp, signature_values
from signer.cades.signing import ContentDigest, octets_content
from signer.cades.structure import SignerParts, take_apart
from signer.der import SEQUENCE, SET, tlv
from signer.material import ValidationMaterial
from tests.unit.cades_signatures import (
    CONTENT,
    DETACHED,
    LATER,
    LISTS,
    MATERIAL,
    in_ber,
    long_term,
    signed,
    stamp,
    with_archive_timestamp,
)
from tests.unit.validation_documents import CRL_START, SIGNED, SUB, crl

ARCHIVE_TIME_STAMP = "0.4.0.1733.2.4"
HASH_INDEX = "0.4.0.19122.1.5"
RESPONSE = bytes.fromhex("30030a0106")  # an OCSPResponse that says "unauthorized"
LATEST = CRL_START + (LATER - SIGNED) * 10


def content_info(made: bytes) -> asn1_cms.SignedData:
    return asn1_cms.ContentInfo.load(made, strict=True)["content"]


def archive_tokens(made: bytes, index: int = 0) -> list[asn1_cms.ContentInfo]:
    """Tokens of the archive time-stamps, the earliest first."""
    signer = content_info(made)["signer_infos"][index]
    values = [
        asn1_cms.ContentInfo.load(value.dump())
        for attribute in signer["unsigned_attrs"]
        if attribute["type"].dotted == ARCHIVE_TIME_STAMP
        for value in attribute["values"]
    ]
    return sorted(values, key=lambda token: tst_info(token)["gen_time"].native)


def tst_info(token: asn1_cms.ContentInfo) -> tsp.TSTInfo:
    return token["content"]["encap_content_info"]["content"].parsed


def hash_index(token: asn1_cms.ContentInfo) -> bytes:
    (attribute,) = (
        each
        for each in token["content"]["signer_infos"][0]["unsigned_attrs"]
        if each["type"].dotted == HASH_INDEX
    )
    (value,) = attribute["values"]
    found: bytes = value.dump()
    return found


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def check_archive_time_stamp(token: asn1_cms.ContentInfo, stamped: bytes) -> None:
    """The token is over `stamped`, what there was before it came (EN 319 122-1 §5.5.2 and §5.5.3)."""
    signed_data = content_info(stamped)
    signer = signed_data["signer_infos"][0]
    index = core.SequenceOf.load(hash_index(token), spec=core.Any)
    assert index[0].dump() == bytes.fromhex("300b0609608648016503040201")
    certificates, revocation, attributes = (
        {each.native for each in core.SequenceOf.load(part.dump(), spec=core.OctetString)}
        for part in (index[1], index[2], index[3])
    )
    crls = signed_data["crls"] if signed_data["crls"].native else []
    assert certificates == {sha256(each.dump()) for each in signed_data["certificates"]}
    assert revocation == {sha256(each.dump()) for each in crls}
    assert attributes == {
        sha256(attribute["type"].dump() + value.dump())
        for attribute in signer["unsigned_attrs"]
        for value in attribute["values"]
    }
    fields = ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")
    covered = (
        signed_data["encap_content_info"]["content_type"].dump()
        + sha256(CONTENT)
        + b"".join(signer[name].dump() for name in fields)
        + hash_index(token)
    )
    assert tst_info(token)["message_imprint"]["hashed_message"].native == sha256(covered)


BEFORE: dict[str, tuple[bytes, ContentDigest | None]] = {
    "detached": (signed(), DETACHED),
    "enveloping": (signed(enveloping=True), None),
    "BER outside": (in_ber(signed()), DETACHED),
    "B-B": (signed(stamped=False), DETACHED),
}


def kept(before: SignerParts, after: SignerParts) -> bool:
    return after.fields == before.fields and set(before.unsigned) <= set(after.unsigned)


@pytest.mark.parametrize("case", BEFORE)
def test_long_term_and_two_renewals_leave_all_that_was_there(case: str) -> None:
    made, detached = BEFORE[case]
    states = [take_apart(made).encode()]
    for time in (LATER, LATER + (LATER - SIGNED), LATEST):
        material = MATERIAL if time == LATER else ValidationMaterial(crls=(crl(SUB, this_update=time),))
        made = add_material(made, material)
        states.append(made)
        made = with_archive_timestamp(made, time, detached)
    tokens = archive_tokens(made)
    assert len(tokens) == 3
    for token, stamped in zip(tokens, states[1:], strict=True):
        check_archive_time_stamp(token, stamped)
    assert kept(take_apart(states[0]).signers[0], take_apart(made).signers[0])
    assert take_apart(made).encapsulated == take_apart(BEFORE[case][0]).encapsulated
    assert set(take_apart(made).revocation) > set(LISTS)


def test_the_token_keeps_what_its_authority_signed() -> None:
    cms = add_material(signed(), MATERIAL)
    prepared = prepare_archive_timestamp(cms, 0, DETACHED)
    token = stamp(prepared.imprint, LATER)
    (kept_token,) = archive_tokens(finish_archive_timestamp(cms, prepared, token))
    before, after = take_apart(token), take_apart(kept_token.dump())
    assert after.signers[0].fields == before.signers[0].fields
    assert (after.encapsulated, after.certificates) == (before.encapsulated, before.certificates)
    assert len(after.signers[0].unsigned) == len(before.signers[0].unsigned) + 1


def test_a_signature_of_somebody_gets_a_time_stamp() -> None:
    cms = in_ber(signed(stamped=False))
    (value,) = signature_values(cms)
    assert value.sha256 == hashlib.sha256(value.octets).digest()
    token = stamp(value.sha256, SIGNED)
    made = add_signature_time_stamp(cms, 0, token)
    (attribute,) = content_info(made)["signer_infos"][0]["unsigned_attrs"]
    assert attribute["type"].native == "signature_time_stamp_token"
    assert attribute["values"][0].dump() == token
    with pytest.raises(InvalidArgumentError) as refusal:
        add_signature_time_stamp(cms, 0, stamp(bytes(32), SIGNED))
    assert refusal.value.reason == "TIMESTAMP_TOKEN_MISMATCH"


@pytest.mark.parametrize("index", [-1, 1])
def test_a_signer_who_is_not_there_is_refused(index: int) -> None:
    for attempt in (
        lambda: add_signature_time_stamp(signed(), index, b""),
        lambda: prepare_archive_timestamp(signed(), index, DETACHED),
    ):
        with pytest.raises(FailedPreconditionError) as refusal:
            attempt()
        assert refusal.value.reason == "SIGNATURE_NOT_FOUND"


def test_material_goes_where_the_standard_says_once() -> None:
    material = MATERIAL + ValidationMaterial(ocsp_responses=(RESPONSE,))
    made = add_material(signed(), material)
    signed_data = content_info(made)
    assert signed_data["version"].native == "v5"  # for the other revocation information (RFC 5652 §5.1)
    assert {each.chosen.dump() for each in signed_data["certificates"]} >= set(material.certificates)
    kinds = {each.name: each.chosen for each in signed_data["crls"]}
    assert kinds["other"]["other_rev_info_format"].dotted == "1.3.6.1.5.5.7.16.2"
    assert kinds["other"]["other_rev_info"].dump() == RESPONSE
    lists = {each.chosen.dump() for each in signed_data["crls"] if each.name == "crl"}
    assert lists == set(LISTS)
    assert add_material(made, material) is made
    assert content_info(add_material(signed(), MATERIAL))["version"].native == "v1"


def test_the_wrong_content_is_not_stamped() -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        prepare_archive_timestamp(signed(), 0, octets_content(b"other"))
    assert refusal.value.reason == "CONTENT_MISMATCH"


def test_a_token_over_another_state_is_refused() -> None:
    cms = add_material(signed(), MATERIAL)
    prepared = prepare_archive_timestamp(cms, 0, DETACHED)
    with pytest.raises(AbortedError) as changed:
        finish_archive_timestamp(long_term(signed()), prepared, stamp(prepared.imprint, LATER))
    assert changed.value.reason == "DOCUMENT_CHANGED"
    with pytest.raises(InvalidArgumentError) as refusal:
        finish_archive_timestamp(cms, prepared, stamp(bytes(32), LATER))
    assert refusal.value.reason == "TIMESTAMP_TOKEN_MISMATCH"


def test_ber_that_a_time_stamp_would_be_over_is_refused() -> None:
    cms = signed(stamped=False)
    parts = take_apart(cms)
    attribute = tlv(SEQUENCE, bytes.fromhex("06022a03"), tlv(SET, b"\x30\x80\x05\x00\x00\x00"))
    foreign = parts.with_signer(0, parts.signers[0].with_unsigned(attribute)).encode()
    with pytest.raises(FailedPreconditionError) as refusal:
        prepare_archive_timestamp(foreign, 0, DETACHED)
    assert refusal.value.reason == "SIGNATURE_NOT_DER"
    assert add_material(foreign, MATERIAL) != foreign

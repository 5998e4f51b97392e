"""Our own engine on what older CAdES signatures have, and on attributes that must stand alone."""

import hashlib
from dataclasses import replace

import pytest

from signer.cades.structure import take_apart
from signer.cms import attribute
from signer.der import OCTET_STRING, SEQUENCE, SET, tlv
from signer.validation.engine import read_facts
from signer.validation.facts import DocumentFacts, Integrity, TimestampFacts, TimestampKind
from signer.validation.signed_data import SIGNING_TIME, read_signed_data
from tests.unit.cades_signatures import CONTENT, KEYS, LATER, in_ber, signed, stamp

ARCHIVE_TIME_STAMP_V3 = bytes.fromhex("060604008d450204")
ARCHIVE_TIME_STAMP_V2 = bytes.fromhex("060b2a864886f70d0109100230")
OLD_INDEX = bytes.fromhex("060604008d450205")
SHA256 = tlv(SEQUENCE, bytes.fromhex("0609608648016503040201"))


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def hashes(octets: tuple[bytes, ...]) -> bytes:
    return tlv(SEQUENCE, *(tlv(OCTET_STRING, sha256(each)) for each in octets))


def with_unsigned(cms: bytes, stored: bytes) -> bytes:
    parts = take_apart(cms)
    return parts.with_signer(0, parts.signers[0].with_unsigned(stored)).encode()


def old_index(cms: bytes, *, names_algorithm: bool = True, whole: bool = True) -> bytes:
    """An ats-hash-index (TS 101 733 §6.4.2), which has one hash for each unsigned attribute."""
    signed_data = read_signed_data(cms)
    (signer,) = signed_data.signers
    unsigned = tuple(
        each.stored if whole else each.kind_element + each.values[0] for each in signer.unsigned_attributes
    )
    lists = (signed_data.certificate_choices, signed_data.revocation_choices, unsigned)
    return tlv(SEQUENCE, SHA256 if names_algorithm else b"", *map(hashes, lists))


def archived_of_old(cms: bytes, index: bytes) -> bytes:
    signed_data = read_signed_data(cms)
    (signer,) = signed_data.signers
    over = (signed_data.content_type_element, sha256(CONTENT), *signer.fields, index)
    token = with_unsigned(stamp(sha256(b"".join(over)), LATER), attribute(OLD_INDEX, index))
    return with_unsigned(cms, attribute(ARCHIVE_TIME_STAMP_V3, token))


def only_stamp(cms: bytes) -> TimestampFacts:
    (found,) = read_facts(cms, [CONTENT]).document_timestamps
    assert found.kind is TimestampKind.ARCHIVE
    return found


@pytest.mark.parametrize("names_algorithm", [True, False])
def test_the_index_before_the_standards_lists_whole_attributes(names_algorithm: bool) -> None:
    cms = signed()
    found = only_stamp(archived_of_old(cms, old_index(cms, names_algorithm=names_algorithm)))
    assert (found.integrity, found.covered, found.faults) == (Integrity.INTACT, 1, ())
    values = only_stamp(archived_of_old(cms, old_index(cms, whole=False)))
    assert (values.integrity, values.covered) == (Integrity.BROKEN, 0)


def test_an_archive_time_stamp_without_an_index_is_broken() -> None:
    bare = attribute(ARCHIVE_TIME_STAMP_V3, stamp(sha256(CONTENT), LATER))
    found = only_stamp(with_unsigned(signed(), bare))
    assert (found.integrity, found.covered, len(found.faults)) == (Integrity.BROKEN, 0, 1)


def test_an_archive_time_stamp_of_version_2_is_stated_and_proves_nothing() -> None:
    cms = with_unsigned(signed(), attribute(ARCHIVE_TIME_STAMP_V2, stamp(sha256(CONTENT), LATER)))
    found = only_stamp(cms)
    assert (found.integrity, found.imprint_matches, found.covered) == (Integrity.UNVERIFIABLE, None, 0)
    assert read_facts(cms, [CONTENT]).signatures[0].findings == (
        "an archive-time-stamp-v2, which proves nothing here",
    )


def resigned(cms: bytes, signed_attributes: tuple[bytes, ...], *, in_order: bool = True) -> DocumentFacts:
    """The signature made anew over other signed attributes, as they are sorted in DER."""
    parts = take_apart(cms)
    (signer,) = parts.signers
    ordered = sorted(signed_attributes)
    value = KEYS["p256"].sign(tlv(SET, *ordered))
    version, identifier, digest = signer.fields[:3]
    fields = (version, identifier, digest, tlv(0xA0, *(ordered if in_order else reversed(ordered))))
    stored = tlv(SEQUENCE, *fields, signer.fields[4], tlv(OCTET_STRING, value))
    return read_facts(parts.with_signer(0, replace(signer, stored=stored)).encode(), [CONTENT])


def test_signed_attributes_in_another_order_are_those_that_were_signed() -> None:
    """What is signed is their DER encoding, whatever BER has (RFC 5652 §5.4)."""
    attributes = take_apart(signed()).signers[0].signed
    for in_order in (True, False):
        (found,) = resigned(signed(), attributes, in_order=in_order).signatures
        assert found.cms.integrity is Integrity.INTACT


def test_a_signing_time_of_two_values_is_no_signature() -> None:
    (signer,) = read_signed_data(signed()).signers
    (time,) = signer.signed(SIGNING_TIME)
    others = tuple(each.stored for each in signer.signed_attributes if each.kind != SIGNING_TIME)
    twice = tlv(SEQUENCE, time.kind_element, tlv(SET, *time.values, *time.values))
    (found,) = resigned(signed(), (*others, twice)).signatures
    assert (found.cms.signature_matches, found.cms.integrity) == (False, Integrity.BROKEN)
    (found,) = resigned(signed(), (*others, time.stored)).signatures
    assert found.cms.integrity is Integrity.INTACT


def test_ber_around_everything_is_read_like_der() -> None:
    der = signed(enveloping=True)
    first, second = (read_facts(each).signatures[0] for each in (der, in_ber(der)))
    assert first.cms == second.cms
    assert first.cms.integrity is Integrity.INTACT

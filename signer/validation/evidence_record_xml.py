"""Reading an evidence record in XML (RFC 6283) into the same values as one in ASN.1.

What later time-stamps are over is canonicalised XML: the TimeStamp element before (§4.2.1), or the sequence
of the chains before (§4.2.2), whose hash then stands in the hash tree beside the hash of each object.
"""

import base64
import binascii
from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from pecete.evidence.evidence_record import (
    MAXIMUM_CHAINS,
    MAXIMUM_SIZE,
    ArchiveTimestamp,
    ArchiveTimestampChain,
    EvidenceRecord,
    EvidenceRecordError,
    Renewal,
    hashed,
    malformed,
)
from pecete.evidence.timestamp_token import TimestampError, read_timestamp_token
from signer.asic.manifest import DIGEST_URIS

_NAMESPACE = "urn:ietf:params:xml:ns:ers"
_ERS = f"{{{_NAMESPACE}}}"
_CANONICAL = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": False,
    "http://www.w3.org/2006/12/xml-c14n11": False,
    "http://www.w3.org/2001/10/xml-exc-c14n#": True,
}
"""Whether the namespaces in scope are left out (exclusive canonicalisation), by the algorithm's URI."""

_MARKS = (b"<", b"\xef\xbb\xbf<")


def is_xml_evidence_record(record: bytes) -> bool:
    """Whether octets may be XML with an evidence record in it."""
    return record.lstrip(b"\t\n\r ").startswith(_MARKS) and _NAMESPACE.encode() in record[:4096]


def read_xml_evidence_record(record: bytes) -> EvidenceRecord:
    """Read an evidence record in XML. Raises EvidenceRecordError."""
    root = _parse(record)
    if root.tag != f"{_ERS}EvidenceRecord":
        raise malformed("it is some other XML")
    if root.get("Version") != "1.0":
        raise EvidenceRecordError(
            "EVIDENCE_RECORD_VERSION",
            "The evidence record is of a version that RFC 6283 does not define.",
            field="record",
        )
    sequence = _child(root, "ArchiveTimeStampSequence")
    chains = _in_order(sequence, "ArchiveTimeStampChain")
    if not 0 < len(chains) <= MAXIMUM_CHAINS:
        raise malformed("it has no chain, or too many")
    found = (_chain(sequence, chain, number) for number, chain in enumerate(chains))
    return EvidenceRecord(tuple(found), joined=False)


def _parse(record: bytes) -> etree._Element:
    if len(record) > MAXIMUM_SIZE:
        raise malformed("it is too long")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_pis=False)
    try:
        root = etree.fromstring(record, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise malformed("it is no well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise malformed("it declares a document type")
    return root


def _chain(sequence: etree._Element, chain: etree._Element, number: int) -> ArchiveTimestampChain:
    algorithm = DIGEST_URIS.get(_algorithm(chain, "DigestMethod"), "")
    exclusive = _CANONICAL.get(_algorithm(chain, "CanonicalizationMethod"))
    if exclusive is None:
        raise malformed("a canonicalisation in it is not known")
    stamps: list[ArchiveTimestamp] = []
    before = None
    for element in _in_order(chain, "ArchiveTimeStamp"):
        previous = None if before is None else hashed(algorithm, _canonical(before, exclusive))
        stamps.append(_archive_timestamp(element, algorithm, previous, is_first_chain=number == 0))
        before = _child(element, "TimeStamp")
    if not stamps:
        raise malformed("a chain has no time-stamp")
    if number == 0:
        return ArchiveTimestampChain(tuple(stamps))
    hashes = [hashed(algorithm, each) for each in _earlier_chains(sequence, number, exclusive)]
    listed = (stamps[0].hash_lists or ((),))[0]
    return ArchiveTimestampChain(tuple(stamps), next((each for each in hashes if each in listed), hashes[0]))


def _earlier_chains(sequence: etree._Element, count: int, exclusive: bool) -> list[bytes]:
    """The sequence with its first chains alone, as it was before the next one came.

    The standard does not say what becomes of the white space around what came later: both ways are given.
    """
    forms = []
    for with_space in (True, False):
        copy = deepcopy(sequence)
        copy.tail = None
        kept = _in_order(copy, "ArchiveTimeStampChain")
        for chain in kept[count:]:
            space, before = chain.tail, chain.getprevious()
            copy.remove(chain)
            if with_space and before is not None:
                before.tail = (before.tail or "") + (space or "")
        forms.append(_canonical(copy, exclusive))
    return forms


def _archive_timestamp(
    element: etree._Element, algorithm: str, previous: bytes | None, *, is_first_chain: bool
) -> ArchiveTimestamp:
    tree = element.find(f"{_ERS}HashTree")
    hash_lists = None if tree is None else tuple(map(_hash_list, _in_order(tree, "Sequence")))
    if hash_lists is not None and not all(hash_lists or [()]):
        raise malformed("a hash list is empty")
    token_element = _child(_child(element, "TimeStamp"), "TimeStampToken")
    if token_element.get("Type") != "RFC3161":
        raise malformed("a time-stamp in it is not one of RFC 3161")
    token = _octets(token_element)
    try:
        facts = read_timestamp_token(token)
    except TimestampError as error:
        raise malformed("a time-stamp in it cannot be read") from error
    renewal = Renewal.TIMESTAMP if previous else Renewal.INITIAL if is_first_chain else Renewal.HASH_TREE
    return ArchiveTimestamp(renewal, algorithm, hash_lists, token, facts, previous)


def _hash_list(sequence: etree._Element) -> tuple[bytes, ...]:
    return tuple(_octets(each) for each in sequence.findall(f"{_ERS}DigestValue"))


def _in_order(parent: etree._Element, name: str) -> Sequence[etree._Element]:
    """The children of a name by their Order, which counts from 1 and has no gap."""
    found = {each.get("Order"): each for each in parent.findall(f"{_ERS}{name}")}
    ordered = [found.get(str(number)) for number in range(1, len(found) + 1)]
    if None in ordered or len(found) != len(parent.findall(f"{_ERS}{name}")):
        raise malformed(f"the elements {name} are in no order")
    return [each for each in ordered if each is not None]


def _child(element: etree._Element, name: str) -> etree._Element:
    found = element.findall(f"{_ERS}{name}")
    if len(found) != 1:
        raise malformed(f"there is not one {name} where one is due")
    return found[0]


def _algorithm(chain: etree._Element, name: str) -> str:
    return str(_child(chain, name).get("Algorithm"))


def _octets(element: etree._Element) -> bytes:
    text = "".join(map(str, element.itertext()))
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed("something in it is no base64") from error


def _canonical(element: etree._Element, exclusive: bool) -> bytes:
    octets: bytes = etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False)
    return octets

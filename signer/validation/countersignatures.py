"""Counter-signatures: signatures of a signature value (RFC 5652 §11.4, EN 319 122-1 §5.2.7).

They stand in the unsigned attributes of what they sign, and may have counter-signatures themselves. Who signs
a value signs nothing else: not the content, and not the other attributes.
"""

from collections.abc import Iterator
from dataclasses import replace

from signer.validation.der import DerError, read
from signer.validation.facts import CmsFacts, Malformed, SignatureFacts
from signer.validation.integrity import cms_facts, octets_digest, undecodable
from signer.validation.pdf.aftermath import Modification
from signer.validation.signed_data import (
    CONTENT_TYPE,
    COUNTER_SIGNATURE,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    Attribute,
    SignedData,
    SignerInfo,
    read_signer_info,
)
from signer.validation.timestamps import signature_timestamps

_MAX_DEPTH = 8
"""How deeply counter-signatures of counter-signatures are looked for."""


def countersignatures(
    signed_data: SignedData, signer: SignerInfo, field: str, end: int, depth: int = 0
) -> Iterator[SignatureFacts]:
    """Facts of each counter-signature of a signer, those of itself after it.

    field, end: the countersigned signature's. Raises DerError where they are nested too deeply.
    """
    for _, value, place in countersignature_values(signer, field):
        if depth == _MAX_DEPTH:
            raise DerError("counter-signatures are nested too deeply")
        countersigned = field or "signer 1"
        try:
            own = read_signer_info(read(value))
            cms = cms_facts(replace(signed_data, signers=(own,)), None, octets_digest(signer.signature))
        except DerError as error:
            fault = f"the counter-signature cannot be read: {error}"
            yield _facts(place, countersigned, undecodable(fault), end, malformed=Malformed.UNDECODABLE)
            continue
        facts = _facts(place, countersigned, cms, end)
        yield replace(
            facts,
            baseline=_is_baseline(cms),
            timestamps=signature_timestamps(own),
            findings=_findings(cms),
        )
        yield from countersignatures(signed_data, own, place, end, depth + 1)


def countersignature_values(signer: SignerInfo, field: str) -> Iterator[tuple[Attribute, bytes, str]]:
    """Each counter-signature of a signer: its attribute, its SignerInfo as stored, and its field."""
    values = ((each, value) for each in signer.unsigned(COUNTER_SIGNATURE) for value in each.values)
    for number, (attribute, value) in enumerate(values, 1):
        yield attribute, value, f"{field} counter-signature {number}".strip()


def countersignature_fields(value: bytes, field: str) -> Iterator[str]:
    """The field of a counter-signature, a SignerInfo as stored, and the fields of those within it."""
    yield field
    try:
        own = read_signer_info(read(value))
    except DerError:
        return  # its facts say so
    for _, inner, place in countersignature_values(own, field):
        yield from countersignature_fields(inner, place)


def _facts(
    field: str, countersigned: str, cms: CmsFacts, end: int, malformed: Malformed | None = None
) -> SignatureFacts:
    return SignatureFacts(
        field=field,
        format="CAdES",
        form="CMS counter-signature",
        cms=cms,
        claimed_time=cms.signing_time,
        end=end,
        baseline=False,
        modification=Modification.NONE,
        changes=(),
        timestamps=(),
        faults=cms.faults,
        malformed=malformed,
        countersigns=countersigned,
    )


def _is_baseline(cms: CmsFacts) -> bool:
    """EN 319 122-1 Table 1 for a counter-signature: it has no content-type attribute."""
    references = cms.attributes.count(SIGNING_CERTIFICATE) + cms.attributes.count(SIGNING_CERTIFICATE_V2)
    return (
        CONTENT_TYPE not in cms.attributes
        and cms.signing_time is not None
        and references == 1
        and cms.signer_certificate is not None
        and not cms.faults
    )


def _findings(cms: CmsFacts) -> tuple[str, ...]:
    if CONTENT_TYPE not in cms.attributes:
        return ()
    return ("the counter-signature has a content-type attribute, which RFC 5652 §11.4 forbids",)

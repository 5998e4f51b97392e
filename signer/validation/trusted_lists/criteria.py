"""Whether a certificate is one of those that a trusted list's criteria mean (ETSI TS 119 612 §5.5.9.2.2)."""

from collections.abc import Iterator, Sequence

from cryptography import x509

from signer.validation.certificates import Certificate
from signer.validation.trusted_lists.model import Assertion, Criteria, KeyUsageBit

_BITS = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "crlSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}


def meets(certificate: Certificate, criteria: Criteria) -> bool | None:
    """Whether the certificate is meant; None where that cannot be told, as a criterion is not known here."""
    answers = list(_answers(certificate, criteria))
    if not answers:
        return None  # criteria without any criterion say nothing
    if criteria.assertion is Assertion.ALL:
        return False if False in answers else None if None in answers else True
    met = True if True in answers else None if None in answers else False
    if criteria.assertion is Assertion.AT_LEAST_ONE or met is None:
        return met
    return not met


def _answers(certificate: Certificate, criteria: Criteria) -> Iterator[bool | None]:
    yield from (_has_bits(certificate, bits) for bits in criteria.key_usages)
    for wanted, identifiers in (
        (criteria.policy_sets, policies),
        (criteria.extended_key_usages, _purposes),
        (criteria.subject_attributes, _attributes),
    ):
        for each in wanted:
            yield bool(each) and identifiers(certificate).issuperset(each)
    yield from (meets(certificate, each) for each in criteria.lists)
    yield from (None for _ in criteria.unknown)


def _has_bits(certificate: Certificate, bits: Sequence[KeyUsageBit]) -> bool | None:
    if not bits or any(bit.name not in _BITS for bit in bits):
        return None
    usage = certificate.extension(x509.KeyUsage)
    return all(_bit(usage, _BITS[bit.name]) is bit.value for bit in bits)


def _bit(usage: x509.KeyUsage | None, name: str) -> bool:
    """A bit of the extension; without it none is set."""
    if usage is None or (name in ("encipher_only", "decipher_only") and not usage.key_agreement):
        return False
    return bool(getattr(usage, name))


def policies(certificate: Certificate) -> frozenset[str]:
    """The certificate's policies, dotted."""
    found = certificate.extension(x509.CertificatePolicies)
    return frozenset(each.policy_identifier.dotted_string for each in found or ())


def _purposes(certificate: Certificate) -> frozenset[str]:
    found = certificate.extension(x509.ExtendedKeyUsage)
    return frozenset(purpose.dotted_string for purpose in found or ())


def _attributes(certificate: Certificate) -> frozenset[str]:
    return frozenset(attribute.oid.dotted_string for attribute in certificate.parsed.subject)

"""The signature policy that a signer names (EN 319 122-1 §5.2.9), and whether a document is that policy."""

import hashlib

from signer.validation.der import SEQUENCE, DerError, Element, octets, oid, read
from signer.validation.facts import SignaturePolicy
from signer.validation.signature_value import DIGESTS
from signer.validation.signed_data import SIGNATURE_POLICY, SIGNATURE_POLICY_STORE, SignerInfo

_NULL = 0x05
_OCTET_STRING = 0x04


def signature_policy(signer: SignerInfo) -> SignaturePolicy | None:
    """What the signer says; None where no policy is named or it is said to be implied."""
    values = [value for attribute in signer.signed(SIGNATURE_POLICY) for value in attribute.values]
    if not values:
        return None
    try:
        stated = read(values[0])
        return None if stated.tag == _NULL else _explicit(stated, signer)
    except DerError:
        return SignaturePolicy("")


def _explicit(stated: Element, signer: SignerInfo) -> SignaturePolicy:
    identifier, hashed = stated.parts(SEQUENCE, 2)[:2]
    algorithm, value = hashed.parts(SEQUENCE, 2)[:2]
    digest = DIGESTS.get(oid(algorithm.parts(SEQUENCE, 1)[0]), "")
    return SignaturePolicy(oid(identifier), digest, octets(value), _stored(signer))


def _stored(signer: SignerInfo) -> bytes | None:
    """The document in a signature-policy-store attribute; one that only says where it is holds none."""
    for attribute in signer.unsigned(SIGNATURE_POLICY_STORE):
        for value in attribute.values:
            document = read(value).parts(SEQUENCE, 2)[1]
            if document.tag == _OCTET_STRING:
                return octets(document)
    return None


def is_policy(document: bytes, policy: SignaturePolicy) -> bool:
    """Whether a document has the hash that the signer stated.

    The hash is over the file, or, where the policy is written in ASN.1, over signPolicyHashAlg and
    signPolicyInfo without the SEQUENCE around them (ETSI TR 102 272).
    """
    if not policy.digest:
        return False
    hashed = [document]
    try:
        parts = read(document).parts(SEQUENCE, 2)
        hashed.append(b"".join(part.raw for part in parts[:2]))
    except DerError:
        pass  # a policy that people read
    return any(
        hashlib.new(policy.digest, each, usedforsecurity=False).digest() == policy.hash for each in hashed
    )

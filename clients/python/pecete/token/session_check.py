"""What a signer's own machine checks before the key is used: that what is signed is what is shown.

The service is not believed in this: from the document's bytes and the section that will follow them the
digest over the ByteRange is computed here (ISO 32000-2 §12.8.1), and the signed attributes must hold it and
nothing that says anything else (RFC 5652 §11, RFC 5035 §3, EN 319 142-1 §6.3).
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from asn1crypto import algos, cms, core, tsp

from pecete.commitment import CommitmentType
from pecete.errors import DataLossError
from pecete.signing.v1.signature_sessions_pb2 import SignatureSession
from pecete.signing.v1.signing_pb2 import SIGNATURE_ALGORITHM_ED25519, SignatureAlgorithm

_CHUNK = 256 * 1024
_ATTRIBUTES = frozenset(
    {"content_type", "message_digest", "signing_certificate_v2", "cms_algorithm_protection"}
)


def check_session(session: SignatureSession, document: Path, certificate: bytes) -> None:
    """Check that a session asks for a signature of `certificate`'s key (DER) over `document` and its section.

    document: the bytes that the signer has or has been given. Raises DataLossError DOCUMENT_DIFFERS,
    BYTE_RANGE_WRONG, MESSAGE_DIGEST_WRONG, SIGNING_CERTIFICATE_WRONG or SIGNED_ATTRIBUTES_WRONG; the key
    must not be used then.
    """
    length = _check_document(session, document)
    _check_byte_range(session, length)
    attributes = _attributes(session)
    if attributes["content_type"].native != "data":
        raise _wrong_attributes()
    digest = _digest(session, document, length)
    if attributes["message_digest"].native != digest:
        raise DataLossError(
            "MESSAGE_DIGEST_WRONG", "What the service wants signed is not this document.", field="document"
        )
    _check_certificate(session, attributes["signing_certificate_v2"], certificate)
    _check_algorithm(session, attributes["cms_algorithm_protection"])


def write_signed_bytes(session: SignatureSession, document: Path, target: Path) -> None:
    """Write the document as it will be signed, with its section: what a signer opens in order to read it."""
    with target.open("xb") as file:
        for chunk in _chunks(document):
            file.write(chunk)
        file.write(session.section)


def digest_name(session: SignatureSession) -> str:
    """Give the digest of a session's document as hashlib names it. Raises SIGNED_ATTRIBUTES_WRONG."""
    if session.algorithm == SIGNATURE_ALGORITHM_ED25519:
        return "sha512"  # its name does not say it (RFC 8419 §3.1)
    known = session.algorithm in SignatureAlgorithm.values()
    name = SignatureAlgorithm.Name(session.algorithm).rpartition("_")[2].lower() if known else ""
    if name not in ("sha256", "sha384", "sha512"):
        raise _wrong_attributes()
    return name


def _check_document(session: SignatureSession, document: Path) -> int:
    state, length = hashlib.sha256(), 0
    for chunk in _chunks(document):
        state.update(chunk)
        length += len(chunk)
    if state.digest() != session.preview.document_sha256:
        raise DataLossError(
            "DOCUMENT_DIFFERS", "The document is not the one that the service prepared.", field="document"
        )
    return length


def _check_byte_range(session: SignatureSession, length: int) -> None:
    """Everything but one gap of zeros inside the section is signed, and the section says so itself."""
    section = session.section
    if len(session.byte_range) != 4:
        raise _wrong_byte_range()
    start, end = session.byte_range[1] - length, session.byte_range[2] - length
    expected = [0, length + start, length + end, len(section) - end]
    if not 0 < start < end < len(section) or list(session.byte_range) != expected:
        raise _wrong_byte_range()
    gap = section[start:end]
    if gap[:1] != b"<" or gap[-1:] != b">" or gap[1:-1].strip(b"0"):
        raise _wrong_byte_range()
    if b"/ByteRange [%d %d %d %d]" % tuple(expected) not in section:
        raise _wrong_byte_range()


def _digest(session: SignatureSession, document: Path, length: int) -> bytes:
    state = hashlib.new(digest_name(session))
    for chunk in _chunks(document):
        state.update(chunk)
    state.update(session.section[: session.byte_range[1] - length])
    state.update(session.section[session.byte_range[2] - length :])
    return state.digest()


def _attributes(session: SignatureSession) -> dict[str, cms.CMSAttribute]:
    """The one value of each attribute, by its name; only those that a baseline signature has.

    The commitment that is shown is there too, and no other.
    """
    der, shown = session.signed_attributes, session.preview.commitment
    try:
        commitment = CommitmentType(shown).attribute if shown else b""
        attributes = cms.CMSAttributes.load(der, strict=True)
        usual = [each for each in attributes if each.dump() != commitment]
        found = {each["type"].native: each["values"] for each in usual}
        values = {name: held[0] for name, held in found.items() if len(held) == 1}
        complete = len(usual) == len(values) and len(attributes) == len(usual) + bool(shown)
        if complete and set(values) == _ATTRIBUTES and attributes.dump(True) == der:
            return values
    except (ValueError, TypeError, KeyError, OverflowError):
        pass  # foreign bytes are not what they should be
    raise _wrong_attributes()


def _check_certificate(
    session: SignatureSession, attribute: tsp.SigningCertificateV2, certificate: bytes
) -> None:
    try:
        (stated,) = attribute["certs"]
        algorithm = stated["hash_algorithm"]
        digest = hashlib.new(algorithm["algorithm"].native, certificate).digest()
        is_own = stated["cert_hash"].native == digest and _has_no_parameters(algorithm)
        # Nothing is said of the certificate besides: neither an issuer nor policies.
        is_own = is_own and not stated["issuer_serial"].native and not attribute["policies"].native
    except (ValueError, TypeError, KeyError, IndexError):
        is_own = False
    if not is_own or session.certificate_sha256 != hashlib.sha256(certificate).digest():
        raise DataLossError(
            "SIGNING_CERTIFICATE_WRONG",
            "The signature would name another certificate than the token's.",
            field="certificate",
        )


def _check_algorithm(session: SignatureSession, attribute: cms.CMSAlgorithmProtection) -> None:
    """CMSAlgorithmProtection states the very algorithms with which the key will sign (RFC 6211)."""
    digest = attribute["digest_algorithm"]
    states_digest = digest["algorithm"].native == digest_name(session) and _has_no_parameters(digest)
    states_signature = attribute["signature_algorithm"].untag().dump() == _signature_identifier(session)
    if not states_digest or not states_signature or attribute["mac_algorithm"].native:
        raise _wrong_attributes()


def _has_no_parameters(algorithm: algos.DigestAlgorithm) -> bool:
    return isinstance(algorithm["parameters"], core.Null | core.Void)


def _signature_identifier(session: SignatureSession) -> bytes:
    """The DER AlgorithmIdentifier of the session's algorithm (RFC 5754 §3, RFC 4055 §3.1, RFC 8419 §2.2)."""
    digest, name = digest_name(session), SignatureAlgorithm.Name(session.algorithm)
    fields: dict[str, object] = {"algorithm": f"{digest}_ecdsa"}
    if session.algorithm == SIGNATURE_ALGORITHM_ED25519:
        fields = {"algorithm": "ed25519"}
    elif "_RSA_PKCS1_" in name:
        fields = {"algorithm": f"{digest}_rsa", "parameters": core.Null()}
    elif "_RSA_PSS_" in name:
        hashed = algos.DigestAlgorithm({"algorithm": digest, "parameters": core.Null()})
        parameters = {
            "hash_algorithm": hashed,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashed},
            "salt_length": hashlib.new(digest).digest_size,
        }
        fields = {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)}
    identifier: bytes = algos.SignedDigestAlgorithm(fields).dump()
    return identifier


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _wrong_byte_range() -> DataLossError:
    return DataLossError(
        "BYTE_RANGE_WRONG", "The section does not sign all of the document and itself.", field="document"
    )


def _wrong_attributes() -> DataLossError:
    return DataLossError(
        "SIGNED_ATTRIBUTES_WRONG",
        "The signed attributes are not those of a baseline signature.",
        field="name",
    )

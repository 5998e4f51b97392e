"""CMS signatures of the small authority of `validation_documents`, made with keys in memory."""

import asyncio
import hashlib
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from signer.algorithms import SignatureAlgorithm
from signer.cades.archive_timestamp import finish_archive_timestamp, prepare_archive_timestamp
from signer.cades.augmentation import add_material
from signer.cades.signing import (
    CompletedSignature,
    ContentDigest,
    SignatureOptions,
    enclose,
    finish,
    octets_content,
    sign_content,
)
from signer.cades.structure import take_apart
from signer.der import OCTET_STRING, tlv
from signer.material import ValidationMaterial
from tests.unit.validation_documents import ROOT, SIGNED, SIGNING, STAMPER, SUB, Identity, crl, issue, stamper

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
CONTENT = b"DISPOZI\xc8\x9aIE nr. 5\n" * 100
DETACHED = octets_content(CONTENT)
OPTIONS = SignatureOptions(SIGNED)
LATER = SIGNED + timedelta(days=2)


class SoftwareKey:
    """A `signer.keys.SigningKey` in memory; `uses` counts its signatures."""

    def __init__(self, identity: Identity, algorithm: SignatureAlgorithm) -> None:
        self.identity = identity
        self.algorithm = algorithm
        self.certificate = identity.der
        self.chain: tuple[bytes, ...] = (SUB.der,)
        self.uses = 0

    def sign(self, data: bytes) -> bytes:
        self.uses += 1
        digest, key = HASHES[self.algorithm.digest], self.identity.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(digest))
        if self.algorithm.scheme == "rsa_pss":
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), digest)


def _key(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, algorithm: str) -> SoftwareKey:
    scheme, _, digest = algorithm.rpartition("_")
    identity = issue(name, SUB, SIGNING, key=key)
    return SoftwareKey(identity, SignatureAlgorithm(scheme, digest))  # type: ignore[arg-type]


_RSA = rsa.generate_private_key(65537, 3072)
KEYS = {
    "rsa3072": _key("Ana Popescu", _RSA, "rsa_pkcs1_sha256"),
    "rsa-pss": _key("Ana Popescu", _RSA, "rsa_pss_sha512"),
    "p256": _key("Ion Ionescu", ec.generate_private_key(ec.SECP256R1()), "ecdsa_sha256"),
    "p384": _key("Ștefan Țurcanu", ec.generate_private_key(ec.SECP384R1()), "ecdsa_sha384"),
}
P256, P384 = KEYS["p256"], KEYS["p384"]
LISTS = (crl(ROOT), crl(SUB))
MATERIAL = ValidationMaterial((SUB.der, ROOT.der, STAMPER.der), LISTS)


def stamp(digest: bytes, time: datetime) -> bytes:
    """A TimeStampToken over a SHA-256."""
    token: bytes = asyncio.run(stamper(time).async_timestamp(digest, "sha256")).dump()
    return token


def value_token(signature: CompletedSignature, time: datetime = SIGNED) -> bytes:
    """A token over a signature value."""
    return stamp(hashlib.sha256(signature.signature).digest(), time)


def signed(key: SoftwareKey = P256, *, stamped: bool = True, enveloping: bool = False) -> bytes:
    """CONTENT signed at B-B, or B-T."""
    signature = sign_content(DETACHED, key, OPTIONS)
    token = value_token(signature) if stamped else None
    if not enveloping:
        return finish(signature, token)
    around = enclose(signature, token, len(CONTENT))
    return around.head + CONTENT + around.tail


def with_archive_timestamp(
    cms: bytes, time: datetime, detached: ContentDigest | None = DETACHED, index: int = 0
) -> bytes:
    """The signature with an archive time-stamp more."""
    prepared = prepare_archive_timestamp(cms, index, detached)
    return finish_archive_timestamp(cms, prepared, stamp(prepared.imprint, time))


def long_term(cms: bytes, detached: ContentDigest | None = DETACHED) -> bytes:
    """The signature at B-LTA."""
    return with_archive_timestamp(add_material(cms, MATERIAL), LATER, detached)


def in_ber(cms: bytes) -> bytes:
    """The same signature in BER: lengths left open around everything, content in pieces."""
    parts = take_apart(cms)
    end = b"\0\0"
    encapsulated = parts.encapsulated
    if parts.content is not None:
        pieces = b"".join(
            tlv(OCTET_STRING, parts.content[at : at + 500]) for at in range(0, len(parts.content), 500)
        )
        encapsulated = b"\x30\x80" + parts.content_type + b"\xa0\x80\x24\x80" + pieces + 3 * end
    fields = (
        bytes((2, 1, parts.version)),
        b"\x31\x80" + b"".join(parts.digest_algorithms) + end,
        encapsulated,
        b"\xa0\x80" + b"".join(parts.certificates) + end,
        b"\xa1\x80" + b"".join(parts.revocation) + end if parts.revocation else b"",
        b"\x31\x80" + b"".join(signer.stored for signer in parts.signers) + end,
    )
    signed_data = bytes.fromhex("06092a864886f70d010702")
    return b"\x30\x80" + signed_data + b"\xa0\x80\x30\x80" + b"".join(fields) + 3 * end

"""Documents with many signatures, all of one small authority: what the validation benchmarks judge.

Each signature is P-256, level B-T in a revision of its own; the document security store at the end has the
path and the CRLs of signers and time-stamping unit.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from signer.algorithms import SignatureAlgorithm
from signer.material import ValidationMaterial
from signer.pades.augmentation import append_material
from signer.pades.options import AppearanceText, SignatureOptions
from signer.pades.signing import finish, sign_section, signature_value
from signer.validation import ValidationPolicy
from tests.benchmarks.documents import certificate_pdf
from tests.unit import validation_documents as authority

RESERVE = 8192
MATERIAL = ValidationMaterial(
    (authority.SUB.der, authority.STAMPER.der), (authority.crl(authority.ROOT), authority.crl(authority.SUB))
)
POLICY = ValidationPolicy((authority.ROOT.der,), authority.NOW, rendering=False)
_ALGORITHM = SignatureAlgorithm("ecdsa", "sha256")


@dataclass(frozen=True)
class SoftwareKey:
    """The signer's key, in this process."""

    certificate: bytes = authority.SIGNER.der
    chain: tuple[bytes, ...] = (authority.SUB.der,)
    algorithm: SignatureAlgorithm = _ALGORITHM

    def sign(self, data: bytes) -> bytes:
        """ECDSA over SHA-256, DER."""
        key = authority.SIGNER.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.sign(data, ec.ECDSA(hashes.SHA256()))


def write_chain(path: Path, signatures: int, size: int = 50_000, *, visible: bool = False) -> None:
    """Write a PDF of about `size` octets and sign it that many times, a minute apart."""
    appearance = AppearanceText("Primar") if visible else None
    path.write_bytes(certificate_pdf(size))
    for number in range(signatures):
        time = authority.SIGNED + timedelta(minutes=number)
        section = sign_section(
            path, SoftwareKey(), SignatureOptions(time, timestamp_reserve=RESERVE, appearance=appearance)
        )
        digest = sha256(signature_value(section)).digest()
        token = asyncio.run(authority.stamper(time).async_timestamp(digest, "sha256")).dump()
        _append(path, finish(section, token))
    _append(path, append_material(path, MATERIAL))


def _append(path: Path, tail: bytes) -> None:
    with path.open("ab") as file:
        file.write(tail)

"""pyHanko as the peer: its own signing of the same document with the same key of the same token."""

import asyncio
import io

from asn1crypto import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.keys import SigningKey


class PyHankoPeer(signers.Signer):
    """Signs one document again and again with pyHanko; nothing is kept."""

    def __init__(self, key: SigningKey, pdf: bytes) -> None:
        store = SimpleCertificateStore()
        for der in key.chain:
            store.register(x509.Certificate.load(der))
        certificate = x509.Certificate.load(key.certificate)
        super().__init__(
            signing_cert=certificate, cert_registry=store, prefer_pss="pss" in key.algorithm.name
        )
        self._key = key
        self._pdf = pdf
        self._loop = asyncio.new_event_loop()
        self._metadata = signers.PdfSignatureMetadata(
            field_name="Signature1", md_algorithm=key.algorithm.digest, subfilter=SigSeedSubFilter.PADES
        )

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """Sign with the token."""
        return bytes(512) if dry_run else self._key.sign(data)

    def sign(self) -> None:
        """Sign the document once."""
        writer = IncrementalPdfFileWriter(io.BytesIO(self._pdf))
        self._loop.run_until_complete(signers.PdfSigner(self._metadata, self).async_sign_pdf(writer))

"""The algorithms that certificates, CRLs and OCSP responses are signed with, as policies speak of them."""

from functools import lru_cache

from signer.validation.certificates import Certificate
from signer.validation.der import SEQUENCE, DerError, read
from signer.validation.facts import AlgorithmUse
from signer.validation.signature_value import Scheme, key_size, read_scheme


def algorithm_use(what: str, scheme: Scheme | None, signer: Certificate) -> AlgorithmUse:
    """What is signed with a scheme and the signer's key leans on."""
    if scheme is None:
        return AlgorithmUse(what, "", "unknown", key_size(signer.key))
    return AlgorithmUse(what, scheme.digest, scheme.name, key_size(signer.key))


@lru_cache(maxsize=2048)
def certificate_algorithm(certificate: Certificate, issuer: Certificate) -> AlgorithmUse:
    """What a certificate is signed with."""
    try:
        scheme = read_scheme(read(certificate.der).parts(SEQUENCE, 3)[1], "")
    except DerError:
        scheme = None
    return algorithm_use("certificate", scheme, issuer)

"""Name and policy constraints in a path (RFC 5280 §6.1.3, §6.1.4), through pyhanko-certvalidator.

Few paths have them and they are intricate, so their processing is left to a library that does it whole.
"""

import asyncio

from asn1crypto import x509 as asn1_x509


def constraints_hold(ders: tuple[bytes, ...]) -> bool:
    """Whether a path, from the end certificate to the trust anchor, keeps the constraints in it.

    Signatures, validity and revocation have their own rooms; what cannot be decided does not hold.
    """
    # Imported here: the library is heavy, and most documents never need it.
    from pyhanko_certvalidator import ValidationContext
    from pyhanko_certvalidator.authority import CertTrustAnchor
    from pyhanko_certvalidator.path import ValidationPath
    from pyhanko_certvalidator.validate import async_validate_path

    try:
        certificates = [asn1_x509.Certificate.load(der) for der in ders]
        moment = max(certificate.not_valid_before for certificate in certificates[:-1] or certificates)
        anchor, leaf = CertTrustAnchor(certificates[-1], derive_default_quals_from_cert=True), certificates[0]
        path = ValidationPath(anchor, list(reversed(certificates[1:-1])), leaf)
        context = ValidationContext(
            trust_roots=[anchor],
            moment=moment,
            best_signature_time=moment,
            allow_fetching=False,
            revocation_mode="soft-fail",
            weak_hash_algos=set(),
        )
        asyncio.run(async_validate_path(context, path))
    except Exception:  # fence: whatever the library makes of a hostile certificate, the path does not hold
        return False
    return True

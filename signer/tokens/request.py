"""Certification requests (PKCS #10, RFC 2986) for keys that live in tokens."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from asn1crypto import csr
from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.core import ParsableOctetString
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.x509 import Extensions, Name
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pkcs11 import Mechanism

from pecete.errors import InvalidArgumentError
from signer.algorithms import SignatureAlgorithm, default_algorithm, signature_identifier
from signer.tokens.certificates import SigningKeyPurpose
from signer.tokens.configuration import RsaScheme
from signer.tokens.mechanisms import is_offered
from signer.tokens.objects import SigningPublicKey

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LONGEST = 64
_LONGEST_PLACE = 128
_PKCS1 = SignatureAlgorithm("rsa_pkcs1", "sha256")


@dataclass(frozen=True)
class Subject:
    """Whom a certificate is asked for, in the order of its distinguished name; "" is left out.

    A person has `given_name` and `surname`, a seal has neither (ETSI EN 319 412-2 §4.2.4, 412-3 §4.2.1).
    """

    common_name: str
    country: str = "RO"
    county: str = ""
    locality: str = ""
    organisation: str = ""
    organisation_identifier: str = ""
    organisational_unit: str = ""
    title: str = ""
    surname: str = ""
    given_name: str = ""
    serial_number: str = ""

    def name(self) -> x509.Name:
        """Give the distinguished name.

        Raises InvalidArgumentError SUBJECT_MALFORMED with the attribute as the field: it is longer than
        RFC 5280 appendix A allows, has characters that its type does not, or is missing.
        """
        attributes = (
            (NameOID.COUNTRY_NAME, "country"),
            (NameOID.STATE_OR_PROVINCE_NAME, "county"),
            (NameOID.LOCALITY_NAME, "locality"),
            (NameOID.ORGANIZATION_NAME, "organisation"),
            (NameOID.ORGANIZATION_IDENTIFIER, "organisation_identifier"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "organisational_unit"),
            (NameOID.TITLE, "title"),
            (NameOID.SURNAME, "surname"),
            (NameOID.GIVEN_NAME, "given_name"),
            (NameOID.SERIAL_NUMBER, "serial_number"),
            (NameOID.COMMON_NAME, "common_name"),
        )
        values = [(oid, field, getattr(self, field)) for oid, field in attributes]
        for _, field, value in values:
            _check(field, value)
        return x509.Name([x509.NameAttribute(oid, value) for oid, _, value in values if value])


def request_algorithm(
    public_key: SigningPublicKey, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
) -> SignatureAlgorithm:
    """Say what a request is signed with: RSA PKCS #1 v1.5 where it may be, as many authorities read no PSS.

    The request proves possession of the key on one day, so the algorithm's end does not matter.
    """
    prefer_pss = rsa_scheme == "pss" or not is_offered(_PKCS1, offered)
    return default_algorithm(public_key, prefer_pss=prefer_pss)


def certification_request(
    subject: x509.Name,
    public_key: SigningPublicKey,
    purpose: SigningKeyPurpose,
    algorithm: SignatureAlgorithm,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Make a CertificationRequest (DER, RFC 2986 §4) that asks for the key usage of its purpose.

    sign: signs the CertificationRequestInfo with `algorithm` and the key. Raises what `sign` raises.
    """
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": Name.load(subject.public_bytes()),
            "subject_pk_info": PublicKeyInfo.load(
                public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ),
            "attributes": [{"type": "extension_request", "values": [_extensions(purpose)]}],
        }
    )
    request = csr.CertificationRequest(
        {
            "certification_request_info": info,
            "signature_algorithm": SignedDigestAlgorithm.load(signature_identifier(algorithm)),
            "signature": sign(info.dump()),
        }
    )
    der: bytes = request.dump()
    return der


def _extensions(purpose: SigningKeyPurpose) -> Extensions:
    """Give what `certificates.signing_purpose` will look for."""
    is_signature = purpose == "signature"
    usage = x509.KeyUsage(
        digital_signature=not is_signature,
        content_commitment=is_signature,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    asked: list[x509.ExtensionType] = [usage]
    if not is_signature:
        asked.append(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]))
    return Extensions(
        [
            {
                "extn_id": each.oid.dotted_string,
                "critical": True,
                "extn_value": ParsableOctetString(each.public_bytes()),
            }
            for each in asked
        ]
    )


def _check(field: str, value: str) -> None:
    longest = _LONGEST_PLACE if field in ("county", "locality") else _LONGEST
    right = len(value) <= longest and value.isprintable() and value == value.strip()
    if field == "country":
        right = right and _COUNTRY.fullmatch(value) is not None
    elif field == "serial_number":
        right = right and (not value or _PRINTABLE.fullmatch(value) is not None)
    elif field == "common_name":
        right = right and bool(value)
    if not right:
        raise InvalidArgumentError(
            "SUBJECT_MALFORMED",
            "This is missing, too long, or has characters that it may not have.",
            field=field,
        )

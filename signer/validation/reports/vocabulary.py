"""Names that ETSI TS 119 102-2 and the specifications beside it give to what a report states."""

from collections.abc import Mapping

from signer.validation.facts import AlgorithmUse, TimestampKind
from signer.validation.indication import Conclusion, Indication

REPORT = "http://uri.etsi.org/19102/v1.4.1#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
PREFIXES: dict[str | None, str] = {None: REPORT, "XAdES": XADES, "ds": DSIG}

MAIN = "urn:etsi:019102:mainindication:"
SUB = "urn:etsi:019102:subindication:"
OBJECT = "urn:etsi:019102:validationObject:"
PROVEN = "urn:etsi:019102:poetype:validation"
APPLIED = "urn:etsi:019102:constraintStatus:applied"
DISABLED = "urn:etsi:019102:constraintStatus:disabled"
PROCESS = "urn:etsi:019102:validationprocess:"
NO_SIGNATURE = "urn:cef:dss:mainindication:noSignatureFound"
"""TS 119 102-2 has no word for a document without signatures; the European Commission's library has."""

OWN = "urn:pecete:validation:"
"""Begins the names that no specification gives."""

_QUALITY = "urn:cef:dss:signatureQualification:"
_WHICH_OF_TWO = {"QES?": "UnknownQCwithQSCD", "AdES?": "Unknown"}
"""A signature or a seal: DSS has a word for each of our words where that cannot be told."""

_XML_ENC, _DSIG_MORE = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2001/04/xmldsig-more#"
_DSIG_2007, _DSIG_2021 = (
    "http://www.w3.org/2007/05/xmldsig-more#",
    "http://www.w3.org/2021/04/xmldsig-more#",
)
DIGESTS: Mapping[str, str] = {
    "md5": _DSIG_MORE + "md5",
    "sha1": DSIG + "sha1",
    "ripemd160": _XML_ENC + "ripemd160",
    "whirlpool": _DSIG_2007 + "whirlpool",
    "sha224": _DSIG_MORE + "sha224",
    "sha256": _XML_ENC + "sha256",
    "sha384": _DSIG_MORE + "sha384",
    "sha512": _XML_ENC + "sha512",
    "sha3_224": _DSIG_2007 + "sha3-224",
    "sha3_256": _DSIG_2007 + "sha3-256",
    "sha3_384": _DSIG_2007 + "sha3-384",
    "sha3_512": _DSIG_2007 + "sha3-512",
}
"""URI of a digest by hashlib's name (RFC 9231 §2.1)."""

TIMESTAMP_ATTRIBUTES: Mapping[TimestampKind, str] = {
    TimestampKind.CONTENT: "AllDataObjectsTimeStamp",
    TimestampKind.SIGNATURE: "SignatureTimeStamp",
    TimestampKind.DOCUMENT: "DocTimeStamp",
    TimestampKind.ARCHIVE: "ArchiveTimeStamp",
    TimestampKind.EVIDENCE_RECORD: "ArchiveTimeStamp",
}
"""Element of SignatureAttributes by the kind of time-stamp (TS 119 102-2 Annex A)."""

_BLOCK_INDICATIONS = {
    Indication.TOTAL_PASSED: "passed",
    Indication.INDETERMINATE: "indeterminate",
    Indication.TOTAL_FAILED: "failed",
}


def main_indication(conclusion: Conclusion) -> str:
    """URI of the main indication of a signature."""
    return MAIN + conclusion.indication.lower().replace("_", "-")


def block_indication(conclusion: Conclusion) -> str:
    """URI of what a building block, or the validation of a time-stamp, concluded."""
    return MAIN + _BLOCK_INDICATIONS[conclusion.indication]


def sub_indication(conclusion: Conclusion) -> str | None:
    """URI of the sub-indication; None where there is none."""
    return f"{SUB}{conclusion.sub_indication}" if conclusion.sub_indication else None


def algorithm(use: AlgorithmUse) -> str:
    """URI of an algorithm (RFC 9231 §2.1 and §2.3); of one that has none, a name of our own."""
    digest = use.digest.replace("_", "-")
    if not use.scheme:
        return DIGESTS.get(use.digest, f"{OWN}algorithm:{digest or 'unknown'}")
    newer = digest.startswith("sha3")
    known = {
        "rsa_pkcs1": (DSIG if digest == "sha1" else _DSIG_MORE) + f"rsa-{digest}" if not newer else "",
        "rsa_pss": f"{_DSIG_2007}{digest}-rsa-MGF1",
        "ecdsa": f"{_DSIG_2021 if newer else _DSIG_MORE}ecdsa-{digest}",
        "ed25519": _DSIG_2021 + "eddsa-ed25519",
    }.get(use.scheme, "")
    return known if known and use.digest in DIGESTS else f"{OWN}algorithm:{use.scheme}-{digest or 'unknown'}"


def quality(qualification: str) -> str:
    """URI of a result of TS 119 615, such as `AdESig-QC` or `Indeterminate QESig`."""
    if qualification == "N/A":
        return _QUALITY + "notApplicable"
    for word, unknown in _WHICH_OF_TWO.items():
        qualification = qualification.replace(word, unknown)
    name = "".join(character for character in qualification if character.isalnum())
    for word in ("Indeterminate", "Not"):
        if name.startswith(word):
            name = word.lower() + name[len(word) :]
    return _QUALITY + name

"""The signature policy that a XAdES signer names: at hand and the same, or no signature passes."""

import hashlib
from dataclasses import replace

import pytest

from signer.validation import ValidationPolicy, judge_facts, read_facts
from signer.validation.indication import Indication, SubIndication
from tests.unit.validation_documents import OFF, SIGNER
from tests.unit.xades_signatures import DOCUMENT, DS, SHA256, Part, base64_text, finish, sign

NAME = "1.3.6.1.4.1.99999.7"
WORDS = b"A signature under this policy approves the act."
END = b"</xades:SignedSignatureProperties>"


def hashed(words: bytes = WORDS, algorithm: str = SHA256) -> str:
    value = base64_text(hashlib.sha256(words).digest())
    method = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{algorithm}"/>'
    return (
        f'<xades:SigPolicyHash>{method}<ds:DigestValue xmlns:ds="{DS}">{value}</ds:DigestValue>'
        "</xades:SigPolicyHash>"
    )


def explicit(name: str = f"urn:oid:{NAME}", between: str = "", hash_of_it: str = "") -> str:
    identifier = f"<xades:SigPolicyId><xades:Identifier>{name}</xades:Identifier></xades:SigPolicyId>"
    return f"<xades:SignaturePolicyId>{identifier}{between}{hash_of_it or hashed()}</xades:SignaturePolicyId>"


def under(stated: str) -> bytes:
    """A signature whose signer signed this in a SignaturePolicyIdentifier."""
    added = f"<xades:SignaturePolicyIdentifier>{stated}</xades:SignaturePolicyIdentifier>".encode()
    return finish(sign(DOCUMENT).replace(END, added + END), "sig-1", (Part(),), SIGNER, True)


def conclude(document: bytes, *policies: tuple[str, bytes]) -> tuple[Indication, SubIndication | None]:
    by: ValidationPolicy = replace(OFF, signature_policies=policies)
    (signature,) = judge_facts(read_facts(document), by).signatures
    return signature.conclusion.indication, signature.conclusion.sub_indication


@pytest.mark.parametrize("stated", [explicit(), explicit(NAME), explicit(f"URN:OID:{NAME}")])
def test_a_policy_that_is_at_hand_is_found_by_its_hash(stated: str) -> None:
    assert conclude(under(stated), (NAME, WORDS)) == (Indication.TOTAL_PASSED, None)


def test_an_identifier_that_is_no_object_identifier() -> None:
    name = "https://primaria.example/politica"
    assert conclude(under(explicit(name)), (name, WORDS))[0] is Indication.TOTAL_PASSED


def test_an_implied_policy_is_none() -> None:
    assert conclude(under("<xades:SignaturePolicyImplied/>"))[0] is Indication.TOTAL_PASSED


def test_a_policy_that_is_not_at_hand() -> None:
    missing = (Indication.INDETERMINATE, SubIndication.SIGNATURE_POLICY_NOT_AVAILABLE)
    assert conclude(under(explicit())) == missing
    assert conclude(under(explicit()), ("1.2.3", WORDS)) == missing


TRANSFORMED = f'<ds:Transforms xmlns:ds="{DS}"><ds:Transform Algorithm="{DS}base64"/></ds:Transforms>'


@pytest.mark.parametrize(
    "stated",
    [
        explicit(hash_of_it=hashed(b"other words")),
        explicit(hash_of_it=hashed(algorithm="urn:unknown")),
        explicit(hash_of_it="<xades:SigPolicyHash/>"),
        explicit(
            hash_of_it=hashed().replace("<ds:DigestValue", "<ds:DigestValue a='?'").replace("=</ds", "!</ds")
        ),
        explicit(between=TRANSFORMED),
        "<xades:SignaturePolicyId/>",
        "",
        "<xades:SignaturePolicyImplied/>" + explicit(),
    ],
)
def test_a_policy_that_cannot_be_told_passes_no_signature(stated: str) -> None:
    expected = (Indication.INDETERMINATE, SubIndication.POLICY_PROCESSING_ERROR)
    assert conclude(under(stated), (NAME, WORDS)) == expected

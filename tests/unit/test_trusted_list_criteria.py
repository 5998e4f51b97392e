"""Which certificates the criteria of a trusted list mean (ETSI TS 119 612 §5.5.9.2.2)."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.validation.certificates import Certificate, load_certificate
from signer.validation.trusted_lists.criteria import meets
from signer.validation.trusted_lists.model import Assertion, Criteria, KeyUsageBit
from tests.unit.validation_documents import CA, SIGNING, Identity, issue, key_usage

AUTHORITY = issue("Issuing authority", None, *CA)


def certificate(identity: Identity) -> Certificate:
    found = load_certificate(identity.der)
    assert found is not None
    return found


CLIENT = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
POLICY = (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), False)
MEANT = certificate(issue("Ana Popescu", AUTHORITY, SIGNING, CLIENT, POLICY))
YES = Criteria(Assertion.ALL, policy_sets=(("1.2.3",),))
NO = Criteria(Assertion.ALL, policy_sets=(("1.2.4",),))
DOUBT = Criteria(Assertion.ALL, unknown=("{urn:x}New",))


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (YES, True),
        (NO, False),
        (Criteria(Assertion.ALL, policy_sets=(("1.2.3", "1.2.4"),)), False),
        (Criteria(Assertion.ALL, policy_sets=((),)), False),
        (Criteria(Assertion.ALL, extended_key_usages=(("1.3.6.1.5.5.7.3.4",),)), True),
        (Criteria(Assertion.ALL, extended_key_usages=(("1.3.6.1.5.5.7.3.1",),)), False),
        (Criteria(Assertion.ALL, subject_attributes=(("2.5.4.3",),)), True),
        (Criteria(Assertion.ALL, subject_attributes=(("2.5.4.5",),)), False),
        (Criteria(Assertion.ALL, key_usages=((KeyUsageBit("nonRepudiation", True),),)), True),
        (Criteria(Assertion.ALL, key_usages=((KeyUsageBit("nonRepudiation", False),),)), False),
        (Criteria(Assertion.ALL, key_usages=((KeyUsageBit("encipherOnly", False),),)), True),
        (Criteria(Assertion.ALL, key_usages=((KeyUsageBit("someOtherBit", True),),)), None),
        (Criteria(Assertion.ALL, key_usages=((),)), None),
        (Criteria(Assertion.ALL), None),
        (Criteria(Assertion.ALL, lists=(YES, NO)), False),
        (Criteria(Assertion.ALL, lists=(YES, DOUBT)), None),
        (Criteria(Assertion.ALL, lists=(NO, DOUBT)), False),
        (Criteria(Assertion.AT_LEAST_ONE, lists=(YES, NO)), True),
        (Criteria(Assertion.AT_LEAST_ONE, lists=(YES, DOUBT)), True),
        (Criteria(Assertion.AT_LEAST_ONE, lists=(NO, DOUBT)), None),
        (Criteria(Assertion.AT_LEAST_ONE, lists=(NO, NO)), False),
        (Criteria(Assertion.NONE, lists=(NO, NO)), True),
        (Criteria(Assertion.NONE, lists=(YES, NO)), False),
        (Criteria(Assertion.NONE, lists=(NO, DOUBT)), None),
        (Criteria(Assertion.NONE, lists=(YES, DOUBT)), False),
    ],
)
def test_which_certificates_criteria_mean(criteria: Criteria, expected: bool | None) -> None:
    assert meets(MEANT, criteria) is expected


def test_a_certificate_without_key_usage_has_no_bit_set() -> None:
    bare = certificate(issue("Bare", AUTHORITY))
    assert meets(bare, Criteria(Assertion.ALL, key_usages=((KeyUsageBit("keyCertSign", False),),))) is True
    assert meets(bare, Criteria(Assertion.ALL, key_usages=((KeyUsageBit("keyCertSign", True),),))) is False
    agreeing = issue("Agreeing", AUTHORITY, (key_usage("key_agreement", "encipher_only"), False))
    bits = Criteria(Assertion.ALL, key_usages=((KeyUsageBit("encipherOnly", True),),))
    assert meets(certificate(agreeing), bits) is True

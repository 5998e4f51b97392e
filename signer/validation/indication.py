"""Indications and sub-indications of EN 319 102-1 §5.1.3, Table 5 and 6, and conclusions made of them."""

from dataclasses import dataclass
from enum import StrEnum


class Indication(StrEnum):
    """Main status of a signature."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


class SubIndication(StrEnum):
    """Why a signature, or a block of its validation, has not passed."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    POLICY_PROCESSING_ERROR = "POLICY_PROCESSING_ERROR"
    SIGNATURE_POLICY_NOT_AVAILABLE = "SIGNATURE_POLICY_NOT_AVAILABLE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND_NO_POE = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NOT_REVOKED = "OUT_OF_BOUNDS_NOT_REVOKED"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    CUSTOM = "CUSTOM"
    """The document cannot be compared with what was signed, so that nobody can say what the signer saw."""


FAILED = frozenset(
    {
        SubIndication.FORMAT_FAILURE,
        SubIndication.HASH_FAILURE,
        SubIndication.SIG_CRYPTO_FAILURE,
        SubIndication.REVOKED,
        SubIndication.EXPIRED,
        SubIndication.NOT_YET_VALID,
    }
)
"""Sub-indications of TOTAL_FAILED; all others leave a signature INDETERMINATE."""


@dataclass(frozen=True)
class Conclusion:
    """A verdict with its reason; sub_indication None is a pass. explanation: one sentence for people."""

    sub_indication: SubIndication | None = None
    explanation: str = ""

    @property
    def indication(self) -> Indication:
        """The main indication that follows."""
        if self.sub_indication is None:
            return Indication.TOTAL_PASSED
        return Indication.TOTAL_FAILED if self.sub_indication in FAILED else Indication.INDETERMINATE

    def __str__(self) -> str:
        """As reports write it, such as `INDETERMINATE/NO_POE`; `PASSED` where nothing stands against it."""
        if self.sub_indication is None:
            return "PASSED"
        kind = "FAILED" if self.sub_indication in FAILED else "INDETERMINATE"
        return f"{kind}/{self.sub_indication}"

    @property
    def passed(self) -> bool:
        """Whether nothing stands against the signature."""
        return self.sub_indication is None


PASSED = Conclusion()


def first_failure(*conclusions: Conclusion) -> Conclusion:
    """The first that is no pass; a pass where all are."""
    return next((conclusion for conclusion in conclusions if not conclusion.passed), PASSED)

"""Which process and building block of EN 319 102-1 concluded what, in the order in which they ran."""

from enum import StrEnum

from signer.validation.indication import Conclusion


class Block(StrEnum):
    """Processes and building blocks, by the standard's abbreviations where it has them."""

    FORMAT_CHECKING = "FC"
    SIGNING_CERTIFICATE = "ISC"
    CONTEXT = "VCI"
    CERTIFICATE = "XCV"
    CRYPTOGRAPHIC = "CV"
    ACCEPTANCE = "SAV"
    PAST_CERTIFICATE = "PCV"
    PAST_SIGNATURE = "PSV"
    TIMESTAMP = "time-stamp"
    EVIDENCE_RECORD = "evidence record"
    BASIC = "Basic Signatures"
    WITH_TIME = "Signatures with Time"
    ARCHIVAL = "Signatures with Archival Data"


Steps = tuple[tuple[str, str], ...]
"""(block, conclusion), such as `("XCV", "INDETERMINATE/REVOKED_NO_POE")`."""


class Trace:
    """What is concluded about one signature or time-stamp, noted as it goes."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, str]] = []

    def note(self, block: Block, conclusion: Conclusion, of: str = "") -> Conclusion:
        """Keep what a block concluded and give it back. of: which one, where a block runs more than once."""
        self._steps.append((f"{block} {of}".rstrip(), str(conclusion)))
        return conclusion

    @property
    def steps(self) -> Steps:
        """All that was noted."""
        return tuple(self._steps)

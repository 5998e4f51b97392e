"""What a judgement goes by, as data: trust anchors, revocation, the time of judging, algorithm dates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from signer.algorithms import DIGEST_ENDS, KEY_ENDS, NEVER_BELIEVED
from signer.validation.facts import AlgorithmUse
from signer.validation.trusted_lists.snapshot import TrustedServices

RevocationMode = Literal["required", "off"]


def _key_ends() -> dict[str, tuple[tuple[int, datetime], ...]]:
    return {str(scheme): ends for scheme, ends in KEY_ENDS.items()}


@dataclass(frozen=True)
class AlgorithmPolicy:
    """First moments at which algorithms are no longer believed (ETSI TS 119 312).

    digests: by hashlib's name. keys: by scheme, (least size in bits, moment), ascending. Not listed: never.
    """

    digests: Mapping[str, datetime] = field(default_factory=lambda: dict(DIGEST_ENDS))
    keys: Mapping[str, tuple[tuple[int, datetime], ...]] = field(default_factory=_key_ends)

    def end(self, use: AlgorithmUse) -> datetime:
        """First moment at which what was made with the algorithm is no longer believed."""
        digest = self.digests.get(use.digest, NEVER_BELIEVED)
        if not use.scheme:
            return digest
        fitting = [end for least, end in self.keys.get(use.scheme, ()) if least <= use.key_bits]
        return min(digest, fitting[-1] if fitting else NEVER_BELIEVED)


@dataclass(frozen=True)
class ValidationPolicy:
    """A validation policy (EN 319 102-1 §5.1.4.2).

    anchors: trusted certificates, DER, of signers and time-stamping authorities alike.
    time: as of when is judged, aware. revocation: `required` asks for fresh proof that no certificate was
    revoked; `off` does without, but never overlooks a revocation that is known.
    certificates, crls, ocsp_responses: further validation data beside those in the document, DER.
    freshness: greatest age of revocation data; None: until its nextUpdate.
    delay: longest time from claimed to proven signing time; None: any.
    rendering: whether pages of a PDF that were changed after a signature are drawn and compared.
    sunsets: (anchor, DER; from when on it is trusted only for what is proven to be older); others: no end.
    signature_policies: (identifier, document) of the signature policies that signers may name; an object
    identifier is dotted.
    attributes: types, dotted, of attributes that a signer must have signed.
    timestamp: whether a signature must be proven by a valid time-stamp or evidence record.
    trusted_services: what trusted lists say; their authorities are trusted beside the anchors.
    """

    anchors: tuple[bytes, ...]
    time: datetime
    revocation: RevocationMode = "required"
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    algorithms: AlgorithmPolicy = field(default_factory=AlgorithmPolicy)
    freshness: timedelta | None = None
    delay: timedelta | None = None
    rendering: bool = True
    sunsets: tuple[tuple[bytes, datetime], ...] = ()
    signature_policies: tuple[tuple[str, bytes], ...] = ()
    attributes: tuple[str, ...] = ()
    timestamp: bool = False
    trusted_services: TrustedServices | None = None

    def sunset(self, anchor: bytes) -> datetime | None:
        """From when on an anchor (DER) is trusted only for what is older; None where it has no end."""
        return min((date for der, date in self.sunsets if der == anchor), default=None)

    def signature_policy(self, identifier: str) -> bytes | None:
        """The document of a signature policy; None where it is not at hand."""
        return next((document for named, document in self.signature_policies if named == identifier), None)

"""What revocation data says of one certificate, whichever kind of data it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signer.validation.certificates import Certificate
from signer.validation.facts import AlgorithmUse


@dataclass(frozen=True)
class RevocationStatement:
    """What one CRL or OCSP response says of one certificate; its signature holds.

    revoked_at: None while not revoked. on_hold: revoked for the time being. issuer: whose key signed it.
    algorithm: what it was signed with. source: `CRL` or `OCSP`. der: the CRL or OCSPResponse itself.
    expired_since: from when on certificates stay on record after their end, None where the issuer drops them.
    """

    source: str
    der: bytes
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    on_hold: bool
    issuer: Certificate
    algorithm: AlgorithmUse
    expired_since: datetime | None = None

    def speaks_for(self, certificate: Certificate) -> bool:
        """Whether the certificate had to be on record when this was issued: issuers drop what has expired."""
        if self.this_update < certificate.not_before:
            return False
        end = certificate.not_after
        if self.this_update <= end or self.revoked_at is not None:
            return True
        return self.expired_since is not None and self.expired_since <= end

    def fresh_until(self, greatest_age: timedelta | None) -> datetime:
        """Last moment at which it is fresh: its issuance plus the greatest age, by default nextUpdate's."""
        if greatest_age is None:
            return self.next_update or self.this_update
        return self.this_update + greatest_age

    def is_fresh(self, time: datetime, greatest_age: timedelta | None) -> bool:
        """EN 319 102-1 §5.2.5: issued later than `time` less the greatest age; never without any age."""
        if greatest_age is None and self.next_update is None:
            return False
        return time <= self.fresh_until(greatest_age)

"""The RFC 3161 time-stamping authority: DER in, DER out, and every token recorded before it leaves.

It does no I/O of its own: the key signs, the clock tells the time, and `record` makes a token durable.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asn1crypto import cms
from cryptography import x509

from pecete.errors import AlreadyExistsError, FailedPreconditionError, PeceteError
from pecete.evidence.timestamp import TimestampError
from pecete.evidence.timestamp_path import (
    key_is_strong,
    load_certificate,
    require_timestamping_usage,
    usage_period,
)
from pecete.evidence.timestamp_signature import verify_signature
from timestamping.clock import Clock
from timestamping.der import object_identifier
from timestamping.issuing import TokenWriter, granted, rejected
from timestamping.keys import TimestampingKey
from timestamping.refusals import RefusalError, SystemFailureError, UnacceptedPolicyError
from timestamping.request import TimeStampReq, parse_time_stamp_req, write_time_stamp_req
from timestamping.serial import Serials

_LOG = logging.getLogger(__name__)
_MILLISECOND = timedelta(milliseconds=1)
_PROBE = b"probe of the time-stamping key at start"


@dataclass(frozen=True)
class IssuedTimestamp:
    """A token as it is recorded. serial: big-endian octets. request_digest: SHA-256 of the TimeStampReq."""

    serial: bytes
    request_digest: bytes
    gen_time: datetime
    policy: str
    client: str
    clock: str
    request_id: str
    token: bytes = field(repr=False)


Record = Callable[[IssuedTimestamp], Awaitable[None]]
"""Makes a token durable before it returns. Raises AlreadyExistsError when its serial number is taken."""


class Authority:
    """One time-stamping unit with its key, clock, policies (the first is the default) and stated accuracy.

    Raises FailedPreconditionError TIMESTAMPING_CERTIFICATE_UNREADABLE, TIMESTAMPING_CERTIFICATE_WRONG,
    TIMESTAMPING_CERTIFICATE_EXPIRED, TIMESTAMPING_KEY_WEAK, TIMESTAMPING_POLICY_WRONG or
    TIMESTAMPING_ACCURACY_WRONG. `time` is when it starts, aware.
    """

    def __init__(
        self,
        key: TimestampingKey,
        *,
        clock: Clock,
        record: Record,
        policies: Sequence[str],
        accuracy: timedelta,
        time: datetime,
    ) -> None:
        self._certificate = _checked_certificate(key.certificate, time)
        self._not_before, self._not_after = usage_period(self._certificate)
        self._policies = _encoded_policies(policies)
        self._default_policy = next(iter(self._policies))
        if not _MILLISECOND <= accuracy <= timedelta(minutes=1):
            raise FailedPreconditionError(
                "TIMESTAMPING_ACCURACY_WRONG",
                "The accuracy is from a millisecond to a minute.",
                field="accuracy",
            )
        self._key = key
        self._writer = TokenWriter(key, accuracy)
        self._clock = clock
        self._record = record
        self._serials = Serials()

    @property
    def clock(self) -> str:
        """What stands behind the time of its tokens, for start line and health."""
        return self._clock.description

    @property
    def not_after(self) -> datetime:
        """When its key may no longer be used."""
        return self._not_after

    async def prove_key(self) -> None:
        """Have the key sign and verify that with the certificate: to be done once, at start.

        Raises FailedPreconditionError TIMESTAMPING_KEY_MISMATCH, and what the key raises.
        """
        signature = await self._key.sign(_PROBE)
        algorithm = cms.SignedDigestAlgorithm.load(self._key.signature_algorithm_identifier)
        try:
            verify_signature(self._certificate, algorithm, self._key.digest, _PROBE, signature)
        except TimestampError as error:
            raise FailedPreconditionError(
                "TIMESTAMPING_KEY_MISMATCH",
                "What the time-stamping key signs does not verify with its certificate.",
                field="timestamping",
            ) from error

    async def respond(self, request_der: bytes, *, client: str, request_id: str) -> bytes:
        """Answer a TimeStampReq with a TimeStampResp, DER; refusals are answers too, nothing is raised."""
        try:
            return granted(await self._issue(request_der, client, request_id))
        except RefusalError as refusal:
            name = refusal.failure_info.name
            _LOG.info("time-stamp refused: %s %s (request %s)", name, refusal.reason, request_id)
            return rejected(refusal)

    async def stamp(self, digest_algorithm: str, digest: bytes, *, client: str, request_id: str) -> bytes:
        """Give a TimeStampToken, DER, with its certificates, over a digest. Raises RefusalError only."""
        return await self._issue(write_time_stamp_req(digest_algorithm, digest), client, request_id)

    async def _issue(self, request_der: bytes, client: str, request_id: str) -> bytes:
        """Give a recorded TimeStampToken. Raises RefusalError subclasses only."""
        try:
            issued = await self._make(request_der, client, request_id)
            await self._record(issued)
        except RefusalError:
            raise
        except AlreadyExistsError as error:
            self._serials.renew()
            raise _failure(request_id, error) from error
        # Key, clock and database may fail in any way: no token leaves then, and the client gets its DER.
        except Exception as error:
            raise _failure(request_id, error) from error
        return issued.token

    async def _make(self, request_der: bytes, client: str, request_id: str) -> IssuedTimestamp:
        request = parse_time_stamp_req(request_der)
        policy = self._policy_of(request)
        gen_time = self._time()
        serial = self._serials.next()
        prepared = self._writer.prepare(request, policy=policy, serial=serial, gen_time=gen_time)
        signature = await self._key.sign(prepared.signed_attributes)
        return IssuedTimestamp(
            serial=serial,
            request_digest=hashlib.sha256(request_der).digest(),
            gen_time=gen_time,
            policy=self._policies[policy],
            client=client,
            clock=self._clock.description,
            request_id=request_id,
            token=self._writer.assemble(prepared, signature),
        )

    def _policy_of(self, request: TimeStampReq) -> bytes:
        policy = request.policy or self._default_policy
        if policy not in self._policies:
            raise UnacceptedPolicyError(
                "TIMESTAMP_POLICY_NOT_ACCEPTED",
                f"The policy is not one of this authority: {', '.join(self._policies.values())}.",
                field="policy",
            )
        return policy

    def _time(self) -> datetime:
        """The time to state, in the milliseconds that a token states."""
        now = self._clock.now()
        if not self._not_before <= now <= self._not_after:
            raise SystemFailureError(
                "TIMESTAMPING_CERTIFICATE_EXPIRED", "The certificate of this authority is not valid now."
            )
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _failure(request_id: str, error: Exception) -> SystemFailureError:
    _LOG.error("time-stamping failed (request %s)", request_id, exc_info=error)
    return SystemFailureError("TIMESTAMPING_FAILED", "The authority failed; try again later.")


def _checked_certificate(der: bytes, time: datetime) -> x509.Certificate:
    certificate = load_certificate(der)
    if certificate is None:
        raise _unfit("TIMESTAMPING_CERTIFICATE_UNREADABLE", "The time-stamping certificate cannot be read.")
    try:
        require_timestamping_usage(certificate)
    except TimestampError as error:
        raise _unfit("TIMESTAMPING_CERTIFICATE_WRONG", error.message) from error
    if not key_is_strong(certificate):
        raise _unfit(
            "TIMESTAMPING_KEY_WEAK",
            "The time-stamping key is neither RSA with 2048 bits or more nor ECDSA with 256 or more.",
        )
    first, last = usage_period(certificate)
    if not first <= time <= last:
        raise _unfit(
            "TIMESTAMPING_CERTIFICATE_EXPIRED",
            f"The time-stamping certificate is good from {first} to {last} only.",
        )
    return certificate


def _encoded_policies(policies: Sequence[str]) -> dict[bytes, str]:
    try:
        encoded = {object_identifier(policy): policy for policy in policies}
    except ValueError as error:
        raise _unfit("TIMESTAMPING_POLICY_WRONG", str(error)) from error
    if not encoded:
        raise _unfit("TIMESTAMPING_POLICY_WRONG", "The authority needs at least one policy.")
    return encoded


def _unfit(reason: str, message: str) -> PeceteError:
    return FailedPreconditionError(reason, message, field="timestamping")

"""Policies on their way to a worker process: what trusted lists say is large, and goes there once."""

from dataclasses import dataclass, replace

from signer.validation.policy import ValidationPolicy
from signer.validation.trusted_lists.snapshot import TrustedServices


@dataclass(frozen=True)
class SentPolicy:
    """A policy without its trusted services.

    uses_services: whether it has those that the receiver keeps. new_services: to be kept from now on; None:
    as before.
    """

    policy: ValidationPolicy
    uses_services: bool
    new_services: TrustedServices | None


class PolicySender:
    """The near end of one worker: knows what its receiver keeps."""

    def __init__(self) -> None:
        self._sent: TrustedServices | None = None

    def sent(self, policy: ValidationPolicy) -> SentPolicy:
        """What is to be sent for a policy."""
        services = policy.trusted_services
        is_new = services is not None and services != self._sent
        if is_new:
            self._sent = services
        bare = replace(policy, trusted_services=None)
        return SentPolicy(bare, services is not None, services if is_new else None)


class PolicyReceiver:
    """The far end, in the worker."""

    def __init__(self) -> None:
        self._kept: TrustedServices | None = None

    def received(self, sent: SentPolicy) -> ValidationPolicy:
        """The policy as it was before it was sent."""
        self._kept = sent.new_services or self._kept
        return replace(sent.policy, trusted_services=self._kept if sent.uses_services else None)

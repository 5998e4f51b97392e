"""The pure state machine of a dossier: which step is due, and who may sign it with what.

Frozen values in; a new state out, or a refusal with its reason. It knows no database, key or clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from pecete.errors import FailedPreconditionError, NotFoundError, PermissionDeniedError


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "WAITING"
    DUE = "DUE"
    SIGNED = "SIGNED"


class DossierState(StrEnum):
    """Where a dossier stands."""

    IN_PROGRESS = "IN_PROGRESS"
    SIGNED = "SIGNED"


@dataclass(frozen=True)
class Signer:
    """A person who may sign: name, the principal they call as, SHA-256 fingerprints of their certificates."""

    person: str
    principal: str
    certificate_sha256: frozenset[bytes]


@dataclass(frozen=True)
class ChainStep:
    """One signature of a chain: whose it is, and whether it is given."""

    person: str
    signed: bool = False


@dataclass(frozen=True)
class Chain:
    """Steps in the order of signing. They are numbered from 1; each is due once all before it are signed."""

    steps: tuple[ChainStep, ...]

    @property
    def due(self) -> int | None:
        """Number of the step whose turn it is; None once every step is signed."""
        return next((number for number, step in enumerate(self.steps, 1) if not step.signed), None)

    @property
    def state(self) -> DossierState:
        """Whether every step is signed."""
        return DossierState.SIGNED if self.due is None else DossierState.IN_PROGRESS

    def step_state(self, number: int) -> StepState:
        """Say where the step stands. Raises NotFoundError STEP_NOT_FOUND."""
        if self._step(number).signed:
            return StepState.SIGNED
        return StepState.DUE if self.due == number else StepState.WAITING

    def sign(self, number: int, signer: Signer, *, principal: str, certificate_sha256: bytes) -> "Chain":
        """Give the chain in which `signer`, calling as `principal`, has signed this step.

        A caller to whom the step does not belong is told that first, and nothing of the state.
        Raises NotFoundError STEP_NOT_FOUND, PermissionDeniedError WRONG_SIGNER or WRONG_CERTIFICATE,
        FailedPreconditionError STEP_ALREADY_SIGNED or STEP_OUT_OF_TURN; the latter's metadata `due_step` is
        the number of the step that is due.
        """
        step = self._step(number)
        if step.person != signer.person or signer.principal != principal:
            raise PermissionDeniedError("WRONG_SIGNER", "This step belongs to another person.", field="name")
        if step.signed:
            raise FailedPreconditionError("STEP_ALREADY_SIGNED", "This step is signed already.", field="name")
        if self.due != number:
            raise FailedPreconditionError(
                "STEP_OUT_OF_TURN",
                f"Step {self.due} comes first; step {number} waits for its turn.",
                field="name",
                metadata={"due_step": str(self.due)},
            )
        if certificate_sha256 not in signer.certificate_sha256:
            raise PermissionDeniedError(
                "WRONG_CERTIFICATE",
                "The key's certificate is not enrolled for the person of this step.",
                field="signing_key",
            )
        signed = replace(step, signed=True)
        return Chain((*self.steps[: number - 1], signed, *self.steps[number:]))

    def _step(self, number: int) -> ChainStep:
        if not 1 <= number <= len(self.steps):
            raise NotFoundError("STEP_NOT_FOUND", "The dossier has no such step.", field="name")
        return self.steps[number - 1]

"""Judging in a process that can be lost: hostile files meet limits of memory, processor time and patience.

The worker answers in JSON and never in pickles: it reads hostile bytes, so what it says is data, not objects.
"""

import json
import logging
import multiprocessing
import resource
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pecete.errors import BY_CODE, InternalError, PeceteError, ResourceExhaustedError
from signer.validation.engine import validate
from signer.validation.plain import from_plain, to_plain
from signer.validation.policy import ValidationPolicy
from signer.validation.policy_sending import PolicyReceiver, PolicySender, SentPolicy
from signer.validation.report import ValidationReport
from signer.validation.survey import Survey, survey

_START_SECONDS = 60.0
_LIMIT_REACHED = "VALIDATION_LIMIT_REACHED"


@dataclass(frozen=True)
class Limits:
    """What one document may cost: address space, processor time, and time on the clock."""

    memory_mib: int = 2048
    cpu_seconds: int = 30
    seconds: float = 60.0


Result = TypeVar("Result")
Task = partial[Any]
"""What is asked of a worker: a function of a policy, which gives a dataclass of plain values."""


class ValidationWorker:
    """A worker process that judges one document after the other and is replaced when it is lost.

    It starts with the first document. One document at a time; callers on other threads wait.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._sender = PolicySender()
        self._lock = threading.Lock()

    def __enter__(self) -> "ValidationWorker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def validate(
        self, document: Path | bytes, policy: ValidationPolicy, *, detached: Sequence[Path] = ()
    ) -> ValidationReport:
        """Judge a document as `signer.validation.validate` does.

        Raises the same errors, and ResourceExhaustedError VALIDATION_LIMIT_REACHED where a limit was met.
        """
        return self._ask(ValidationReport, policy, partial(validate, document, detached=tuple(detached)))

    def survey(
        self, document: Path, policy: ValidationPolicy, field: str, *, detached: Sequence[Path] = ()
    ) -> Survey:
        """Look at what a document's signatures need, as `signer.validation.survey` does.

        Raises what `validate` raises.
        """
        return self._ask(Survey, policy, partial(survey, document, field=field, detached=tuple(detached)))

    def _ask(self, kind: type[Result], policy: ValidationPolicy, task: Task) -> Result:
        with self._lock:
            connection = self._started()
            try:
                connection.send((task, self._sender.sent(policy)))
                if not connection.poll(self._limits.seconds):
                    raise EOFError
                answer = connection.recv_bytes()
            except (EOFError, OSError):
                self.close()
                raise _limit_reached() from None
        return _read_answer(kind, answer)

    def close(self) -> None:
        """End the worker process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def _started(self) -> Connection:
        if self._connection is not None and self._process is not None and self._process.is_alive():
            return self._connection
        self.close()
        context = multiprocessing.get_context("spawn")  # never fork: the parent may hold tokens and threads
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end, self._limits), daemon=True)
        self._sender = PolicySender()
        self._process.start()
        far_end.close()
        try:
            if not self._connection.poll(_START_SECONDS):
                raise EOFError
            self._connection.recv_bytes()
        except (EOFError, OSError):
            self.close()
            raise InternalError("VALIDATION_FAULT", "The validation worker does not start.") from None
        return self._connection


def _limit_reached() -> ResourceExhaustedError:
    return ResourceExhaustedError(
        _LIMIT_REACHED,
        "The document cannot be judged within the limits of memory and time.",
        field="document",
    )


def _read_answer(kind: type[Result], answer: bytes) -> Result:
    try:
        plain = json.loads(answer)
        if "result" in plain:
            return from_plain(kind, plain["result"])
        code, reason, message, field = (str(plain[key]) for key in ("code", "reason", "message", "field"))
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError("VALIDATION_FAULT", "The validation worker gave an unreadable answer.") from error
    raise BY_CODE.get(code, InternalError)(reason, message, field=field)


def _serve(connection: Connection, limits: Limits) -> None:
    """The worker: answer requests until the parent goes away."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    memory = limits.memory_mib << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    receiver = PolicyReceiver()
    connection.send_bytes(b"ready")
    while True:
        try:
            request: tuple[Task, SentPolicy] = connection.recv()
        except (EOFError, OSError):
            return
        task = partial(request[0], policy=receiver.received(request[1]))
        allowed = int(time.process_time()) + 1 + limits.cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
        connection.send_bytes(json.dumps(_answer(task)).encode("utf-8", "replace"))


def _answer(task: Task) -> dict[str, object]:
    try:
        return {"result": to_plain(task())}
    except PeceteError as error:
        return _plain_error(error)
    except MemoryError:
        return _plain_error(_limit_reached())


def _plain_error(error: PeceteError) -> dict[str, object]:
    return {"code": error.code, "reason": error.reason, "message": error.message, "field": error.field}

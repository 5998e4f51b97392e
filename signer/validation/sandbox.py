"""Judging in a process that can be lost: hostile files meet limits of memory, processor time and patience.

The worker answers in JSON and never in pickles: it reads hostile bytes, so what it says is data, not objects.
"""

import json
import logging
import multiprocessing
import resource
import signal
import socket
import struct
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
from typing import TYPE_CHECKING, Any, TypeVar

from pecete.errors import BY_CODE, InternalError, PeceteError, ResourceExhaustedError
from signer.validation.engine import fenced, validate
from signer.validation.plain import from_plain, to_plain
from signer.validation.policy import ValidationPolicy
from signer.validation.policy_sending import PolicyReceiver, PolicySender, SentPolicy
from signer.validation.report import ValidationReport
from signer.validation.survey import Missing, Survey, missing, survey

if TYPE_CHECKING:
    from signer.validation.reports.rendering import RenderedValidation, Rendering

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_LONGEST_ANSWER = 64 << 20
_ENDED_BY_LIMIT = (None, -signal.SIGXCPU, -signal.SIGKILL)
"""Exit codes of a process that met a limit: still running, out of processor time, killed for its memory."""
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

        Raises the same errors, ResourceExhaustedError VALIDATION_LIMIT_REACHED where a limit was met, and
        InternalError VALIDATION_CRASHED where reading the document ended the process.
        """
        return self._ask(ValidationReport, policy, partial(validate, document, detached=tuple(detached)))

    def render(
        self,
        document: Path | bytes,
        policy: ValidationPolicy,
        rendering: "Rendering",
        *,
        detached: Sequence[Path] = (),
    ) -> "RenderedValidation":
        """Judge a document and write the report as files. Raises what `validate` raises."""
        # Few documents need files, and what writes them takes long to load.
        from signer.validation.reports.rendering import RenderedValidation, validate_and_render

        task = partial(validate_and_render, document, rendering=rendering, detached=tuple(detached))
        return self._ask(RenderedValidation, policy, task)

    def survey(
        self, document: Path, policy: ValidationPolicy, field: str, *, detached: Sequence[Path] = ()
    ) -> Survey:
        """Look at what a document's signatures need, as `signer.validation.survey` does.

        Raises what `validate` raises.
        """
        return self._ask(Survey, policy, partial(survey, document, field=field, detached=tuple(detached)))

    def missing(self, document: Path, policy: ValidationPolicy, *, detached: Sequence[Path] = ()) -> Missing:
        """Look at what a verdict lacks, as `signer.validation.survey.missing` does.

        Raises what `validate` raises.
        """
        return self._ask(Missing, policy, partial(missing, document, detached=tuple(detached)))

    def _ask(self, kind: type[Result], policy: ValidationPolicy, task: Task) -> Result:
        with self._lock:
            connection = self._started()
            try:
                connection.send((task, self._sender.sent(policy)))
                answer = connection.recv_bytes(_LONGEST_ANSWER)
            except (EOFError, ConnectionError):
                raise self._lost() from None
            except OSError:  # the time is over, or an answer is longer than any
                self.close()
                raise _limit_reached() from None
        return _read_answer(kind, answer)

    def _lost(self) -> PeceteError:
        """Why the process is no more, once it is gone: a limit, or the document crashed it."""
        if self._process is not None:
            self._process.join(_END_SECONDS)
        code = self._process.exitcode if self._process is not None else None
        self.close()
        if code in _ENDED_BY_LIMIT:
            return _limit_reached()
        return InternalError(
            "VALIDATION_CRASHED", "Reading the document made the reading process crash.", field="document"
        )

    def close(self) -> None:
        """End the worker process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_SECONDS)
        self._process = self._connection = None

    def _started(self) -> Connection:
        if self._connection is not None and self._process is not None and self._process.is_alive():
            return self._connection
        self.close()
        context = multiprocessing.get_context("spawn")  # never fork: the parent may hold tokens and threads
        self._connection, far_end = context.Pipe()
        _limit_waiting(self._connection, self._limits.seconds)
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


def _limit_waiting(connection: Connection, seconds: float) -> None:
    """Let neither sending nor receiving wait longer: both then raise BlockingIOError (socket(7)).

    A process that hangs may take no question, and may begin an answer that it does not end.
    """
    limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


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
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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
        connection.send_bytes(_answer(task))


def _answer(task: Task) -> bytes:
    try:
        with fenced():
            return _encoded({"result": to_plain(task())})
    except PeceteError as error:
        return _plain_error(error)
    except MemoryError:
        return _plain_error(_limit_reached())


def _plain_error(error: PeceteError) -> bytes:
    plain: dict[str, object] = {
        "code": error.code,
        "reason": error.reason,
        "message": error.message,
        "field": error.field,
    }
    return _encoded(plain)


def _encoded(plain: dict[str, object]) -> bytes:
    return json.dumps(plain).encode("utf-8", "replace")

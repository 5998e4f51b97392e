"""Judging documents under this server's policy, each in a process that can be lost."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pecete.errors import InvalidArgumentError, PeceteError
from server.authorities import read_certificates
from server.config import ValidationSettings
from signer.validation import ValidationPolicy, ValidationReport
from signer.validation.sandbox import ValidationWorker


class Judge:
    """The server's validation policy and its worker processes, which start with their first document."""

    def __init__(self, settings: ValidationSettings, workers: int, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._anchors = tuple(
            der
            for index, path in enumerate(settings.trust)
            for der in read_certificates(path, f"validation.trust[{index}]")
        )
        self._workers = [ValidationWorker() for _ in range(workers)]
        self._free: asyncio.LifoQueue[ValidationWorker] = asyncio.LifoQueue()  # the warm one first
        for worker in self._workers:
            self._free.put_nowait(worker)
        # Threads of its own: a long verdict must not keep the event loop's few from short work.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="judge")

    async def judge(self, path: Path, *, display_name: str, time: datetime | None = None) -> ValidationReport:
        """Judge the document stored at `path` as of an aware time, or now.

        Raises what `ValidationWorker.validate` raises. Revocation lists are read anew each time.
        """
        policy = ValidationPolicy(
            anchors=self._anchors,
            time=time or self._clock(),
            revocation=self._settings.revocation,
            crls=tuple(await asyncio.to_thread(self._read_crls)),
        )
        worker = await self._free.get()
        running = asyncio.get_running_loop().run_in_executor(self._threads, worker.validate, path, policy)
        # The worker is free when its document is judged, not when the caller gives up waiting.
        running.add_done_callback(lambda done: self._give_back(worker, done))
        return replace(await asyncio.shield(running), file=display_name)

    def _give_back(self, worker: ValidationWorker, done: asyncio.Future[ValidationReport]) -> None:
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits for it any more
        self._free.put_nowait(worker)

    async def report_for_archive(self, path: Path, *, display_name: str) -> str:
        """Give the verdict that a record keeps, as JSON; what cannot be judged says why."""
        try:
            report = await self.judge(path, display_name=display_name)
        except InvalidArgumentError as error:
            return _unjudged(error, display_name)
        return json.dumps(report.to_json(), ensure_ascii=False)

    def _read_crls(self) -> list[bytes]:
        try:
            return [path.read_bytes() for path in self._settings.crl]
        except OSError as error:
            raise InvalidArgumentError(
                "CONFIGURATION_PATH_UNREADABLE", "A revocation list cannot be read.", field="validation.crl"
            ) from error

    async def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            await asyncio.to_thread(worker.close)
        self._threads.shutdown(wait=False)


def _unjudged(error: PeceteError, display_name: str) -> str:
    """A scan or an e-mail has no signatures; its record says that it was not judged, and why."""
    reason = {"reason": error.reason, "message": error.message}
    return json.dumps({"file": display_name, "error": reason, "signatures": []}, ensure_ascii=False)

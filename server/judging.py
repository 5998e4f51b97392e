"""Judging documents under this server's policy, each in a process that can be lost."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pecete.errors import InvalidArgumentError, PeceteError
from server.authorities import read_certificates
from server.config import ValidationSettings
from signer.material import ValidationMaterial
from signer.validation import ValidationPolicy, ValidationReport
from signer.validation.pem import read_ders
from signer.validation.reports.rendering import RenderedValidation, Rendering
from signer.validation.sandbox import ValidationWorker
from signer.validation.survey import Missing, Survey
from signer.validation.trusted_lists.snapshot import TrustedServices

Answer = TypeVar("Answer")

NO_MATERIAL = ValidationMaterial()
"""Nothing beside what the document and the configuration hold."""


class Judge:
    """The server's validation policy and its worker processes, which start with their first document.

    trusted_services: gives what trusted lists say at the moment; None: no list is asked.
    """

    def __init__(
        self,
        settings: ValidationSettings,
        workers: int,
        clock: Callable[[], datetime],
        trusted_services: Callable[[], TrustedServices | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._trusted_services = trusted_services
        self.anchors = tuple(
            der
            for index, path in enumerate(settings.trust)
            for der in read_certificates(path, f"validation.trust[{index}]")
        )
        self._lists: tuple[object, tuple[bytes, ...]] = (None, ())
        self._workers = [ValidationWorker() for _ in range(workers)]
        self._free: asyncio.LifoQueue[ValidationWorker] = asyncio.LifoQueue()  # the warm one first
        for worker in self._workers:
            self._free.put_nowait(worker)
        # Threads of its own: a long verdict must not keep the event loop's few from short work.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="judge")

    async def judge(
        self,
        path: Path,
        *,
        display_name: str,
        time: datetime | None = None,
        detached: Sequence[Path] = (),
        material: ValidationMaterial = NO_MATERIAL,
    ) -> ValidationReport:
        """Judge the document stored at `path` as of an aware time, or now.

        detached: the content of a signature that stands apart from it. material: to be used beside the
        document's own and the configured lists. Raises what `ValidationWorker.validate` raises. Revocation
        lists are read anew when they have changed.
        """
        policy = await self._policy(time, material)
        report = await self._run(lambda worker: worker.validate(path, policy, detached=detached))
        return replace(report, file=display_name)

    async def render(
        self,
        path: Path,
        rendering: Rendering,
        *,
        time: datetime | None = None,
        detached: Sequence[Path] = (),
        material: ValidationMaterial = NO_MATERIAL,
    ) -> RenderedValidation:
        """Judge as `judge` does, and write the report as files. Raises what `judge` raises."""
        policy = await self._policy(time, material)
        return await self._run(lambda worker: worker.render(path, policy, rendering, detached=detached))

    async def missing(
        self,
        path: Path,
        material: ValidationMaterial,
        *,
        time: datetime | None = None,
        detached: Sequence[Path] = (),
    ) -> Missing:
        """Look at what a verdict lacks with `material` at hand. Otherwise as `judge`."""
        policy = await self._policy(time, material)
        return await self._run(lambda worker: worker.missing(path, policy, detached=detached))

    async def _policy(self, time: datetime | None, material: ValidationMaterial) -> ValidationPolicy:
        return ValidationPolicy(
            anchors=self.anchors,
            time=time or self._clock(),
            revocation=self._settings.revocation,
            certificates=material.certificates,
            crls=(*await self.revocation_lists(), *material.crls),
            ocsp_responses=material.ocsp_responses,
            trusted_services=self._trusted_services(),
        )

    async def survey(
        self, path: Path, field: str, material: ValidationMaterial, *, detached: Sequence[Path] = ()
    ) -> Survey:
        """Look at what the signature in `field` needs, or with "" all of them, with `material` at hand.

        Whatever the policy says of revocation, here it must be known. detached: as in `judge`. Raises what
        `judge` raises.
        """
        policy = ValidationPolicy(
            anchors=self.anchors,
            time=self._clock(),
            revocation="required",
            certificates=material.certificates,
            crls=material.crls,
            ocsp_responses=material.ocsp_responses,
            trusted_services=self._trusted_services(),
        )
        return await self._run(lambda worker: worker.survey(path, policy, field, detached=detached))

    async def revocation_lists(self) -> tuple[bytes, ...]:
        """Give the configured revocation lists, DER: the same tuple as before while no file has changed.

        Raises InvalidArgumentError CONFIGURATION_PATH_UNREADABLE.
        """
        try:
            version = [_version(path) for path in self._settings.crl]
        except OSError as error:
            raise _unreadable_list() from error
        if self._lists[0] != version:
            self._lists = (version, await asyncio.to_thread(self._read_crls))
        return self._lists[1]

    async def _run(self, work: Callable[[ValidationWorker], Answer]) -> Answer:
        """Do what takes long with a free worker, in a thread."""
        worker = await self._free.get()
        running = asyncio.get_running_loop().run_in_executor(self._threads, work, worker)
        # The worker is free when its document is read, not when the caller gives up waiting.
        running.add_done_callback(lambda done: self._give_back(worker, done))
        return await asyncio.shield(running)

    def _give_back(self, worker: ValidationWorker, done: asyncio.Future[Answer]) -> None:
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits for it any more
        self._free.put_nowait(worker)

    async def report_for_archive(self, path: Path, *, display_name: str) -> str:
        """Give the verdict that a record keeps, as JSON; what cannot be judged says why."""
        try:
            report = await self.judge(path, display_name=display_name)
        except PeceteError as error:
            if error.field != "document":
                raise  # the service's fault, and no word on the document
            return _unjudged(error, display_name)
        return json.dumps(report.to_json(), ensure_ascii=False)

    def _read_crls(self) -> tuple[bytes, ...]:
        try:
            files = [path.read_bytes() for path in self._settings.crl]
        except OSError as error:
            raise _unreadable_list() from error
        return tuple(der for data in files for der in read_ders(data, "X509 CRL", "validation.crl"))

    async def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            await asyncio.to_thread(worker.close)
        self._threads.shutdown(wait=False)


def _version(path: Path) -> tuple[int, int, int]:
    """What differs between a file and its successor."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unreadable_list() -> InvalidArgumentError:
    return InvalidArgumentError(
        "CONFIGURATION_PATH_UNREADABLE", "A revocation list cannot be read.", field="validation.crl"
    )


def _unjudged(error: PeceteError, display_name: str) -> str:
    """A scan or an e-mail has no signatures; its record says that it was not judged, and why."""
    reason = {"reason": error.reason, "message": error.message}
    return json.dumps({"file": display_name, "error": reason, "signatures": []}, ensure_ascii=False)

"""Judging with what neither a document nor the configuration holds: it is fetched before the verdict.

The process that reads the document says what is missing and reaches no network; this one fetches it and never
reads the document. What cannot be fetched leaves the verdict as it is, and nothing fetched is believed before
it is judged like the document's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from server.judging import NO_MATERIAL, Judge
from server.material_collecting import Finding, RevocationSource, gather
from signer.material import ValidationMaterial
from signer.validation import ValidationPolicy, ValidationReport
from signer.validation.reports.rendering import RenderedValidation, Rendering
from signer.validation.sandbox import ValidationWorker
from signer.validation.survey import Gap, Missing

PATIENCE = timedelta(seconds=20)
"""How long fetching for one verdict may take altogether."""

_MOST_GAPS = 64
_MOST_TOLD = 32


@dataclass(frozen=True)
class Fetched:
    """What was fetched for a verdict, and for people what was asked and what became of it."""

    material: ValidationMaterial = NO_MATERIAL
    told: tuple[str, ...] = ()


async def fetch_missing(
    look: Callable[[ValidationMaterial], Awaitable[Missing]],
    source: RevocationSource,
    *,
    patience: timedelta = PATIENCE,
) -> Fetched:
    """Fetch what a verdict lacks, as far as it can be had in time.

    look: gives what is missing with further material at hand; raises what keeps the document from being
    judged.
    """
    _, material, tried = await gather(look, [_Limited(source, patience)])
    return Fetched(material, tried[:_MOST_TOLD])


class _Limited:
    """A source that one document may ask so often, and from its first question on for so long."""

    def __init__(self, source: RevocationSource, patience: timedelta) -> None:
        self._source = source
        self._patience = patience.total_seconds()
        self._end: float | None = None
        self._left = _MOST_GAPS

    async def find(self, gap: Gap) -> Finding:
        """Ask the source within what is left of questions and of time."""
        if self._left == 0:
            return Finding(NO_MATERIAL, (f"no more was asked than for {_MOST_GAPS} certificates",))
        self._left -= 1
        if self._end is None:
            self._end = asyncio.get_running_loop().time() + self._patience
        try:
            async with asyncio.timeout_at(self._end):
                return await self._source.find(gap)
        except TimeoutError:
            return Finding(NO_MATERIAL, (f"{gap.common_name}: no answer within the time for one verdict",))


async def fetch_for_policy(
    worker: ValidationWorker,
    source: RevocationSource,
    document: Path,
    policy: ValidationPolicy,
    detached: Sequence[Path],
) -> tuple[ValidationPolicy, tuple[str, ...]]:
    """Give a policy with what the verdict on a document lacks under it, and what was asked.

    Raises what `ValidationWorker.validate` raises.
    """

    async def look(material: ValidationMaterial) -> Missing:
        return await asyncio.to_thread(worker.missing, document, _with(policy, material), detached=detached)

    fetched = await fetch_missing(look, source)
    return _with(policy, fetched.material), fetched.told


def _with(policy: ValidationPolicy, material: ValidationMaterial) -> ValidationPolicy:
    return replace(
        policy,
        certificates=(*policy.certificates, *material.certificates),
        crls=(*policy.crls, *material.crls),
        ocsp_responses=(*policy.ocsp_responses, *material.ocsp_responses),
    )


class FetchingJudge:
    """A judge that has fetched what a verdict lacks. source: None: nothing is fetched."""

    def __init__(self, judge: Judge, source: RevocationSource | None) -> None:
        self._judge = judge
        self._source = source

    async def judge(
        self,
        path: Path,
        *,
        display_name: str,
        time: datetime | None = None,
        detached: Sequence[Path] = (),
    ) -> ValidationReport:
        """Judge as `Judge.judge` does."""
        fetched = await self._fetch(path, time, detached)
        report = await self._judge.judge(
            path, display_name=display_name, time=time, detached=detached, material=fetched.material
        )
        return replace(report, fetching=fetched.told)

    async def render(
        self,
        path: Path,
        rendering: Rendering,
        *,
        time: datetime | None = None,
        detached: Sequence[Path] = (),
    ) -> RenderedValidation:
        """Judge and write the report as `Judge.render` does."""
        fetched = await self._fetch(path, time, detached)
        rendered = await self._judge.render(
            path, rendering, time=time, detached=detached, material=fetched.material
        )
        return replace(rendered, report=replace(rendered.report, fetching=fetched.told))

    async def _fetch(self, path: Path, time: datetime | None, detached: Sequence[Path]) -> Fetched:
        if self._source is None:
            return Fetched()

        def look(material: ValidationMaterial) -> Awaitable[Missing]:
            return self._judge.missing(path, material, time=time, detached=detached)

        return await fetch_missing(look, self._source)

"""What the workflow needs of the journal of acts, and the act it tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection


@dataclass(frozen=True)
class Act:
    """Who does something (a principal), under which request id ("": none), and when (microseconds UTC)."""

    actor: str
    request_id: str
    time: int


class Journal(Protocol):
    """Keeps every act as one leaf of a Merkle log, in the transaction of its effect."""

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        act: str,
        resource: str,
        request_id: str,
        digest: bytes | None,
        row: Mapping[str, object] | None,
    ) -> int:
        """Append one act and give its leaf index; `row` is the resource's row as it will stand."""

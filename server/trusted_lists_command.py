"""`pecete-server trusted-lists`: the trusted lists of this server, without the server.

The work is imported when it is done: worker processes import this module too, and should start quickly.
"""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pecete.errors import FailedPreconditionError
from server.command_options import DEFAULT_CONFIGURATION, ConfigurationFile

if TYPE_CHECKING:
    from server.trusted_lists import ListState, TrustedLists

trusted_lists_app = typer.Typer(
    help="The trusted lists that say which authorities are qualified: fetch them, show them.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for each list.")]


@trusted_lists_app.command()
def refresh(config: ConfigurationFile = DEFAULT_CONFIGURATION, as_json: Json = False) -> None:
    """Fetch every list, keep those that are good, and show them. Ends with 1 when one could not be had.

    May run beside the server, which looks for new lists by itself.
    """
    import asyncio

    async def fetch() -> tuple["TrustedLists", bool]:
        lists = await _open(config)
        return lists, await lists.refresh()

    lists, has_all = asyncio.run(fetch())
    _print(lists, as_json)
    if not has_all:
        raise typer.Exit(1)


@trusted_lists_app.command()
def show(config: ConfigurationFile = DEFAULT_CONFIGURATION, as_json: Json = False) -> None:
    """Show the lists that were kept. Ends with 1 when none of them may be believed now."""
    import asyncio

    lists = asyncio.run(_open(config))
    _print(lists, as_json)
    if not lists.services().lists:
        raise typer.Exit(1)


async def _open(config: ConfigurationFile) -> "TrustedLists":
    from server.config import load
    from server.logs import configure
    from server.metrics import Metrics
    from server.times import utc_now
    from server.trusted_lists import open_trusted_lists

    configure("error")
    lists = await open_trusted_lists(load(config, os.environ), utc_now, Metrics())
    if lists is None:
        raise FailedPreconditionError(
            "TRUSTED_LISTS_NOT_CONFIGURED", "There is no section [trusted_lists].", field="trusted_lists"
        )
    return lists


def _print(lists: "TrustedLists", as_json: bool) -> None:
    for state in lists.states:
        typer.echo(json.dumps(_facts(state), ensure_ascii=False) if as_json else _line(state))


def _facts(state: "ListState") -> dict[str, object]:
    from server.times import utc_now

    found = state.found
    return {
        "territory": state.territory,
        "location": state.location,
        "in_force": state.in_force(utc_now()),
        "sequence_number": found.sequence_number if found else None,
        "issue_time": found.issue_time.isoformat() if found else None,
        "next_update": found.next_update.isoformat() if found and found.next_update else None,
        "services": len(found.services) if found else 0,
        "fault": state.fault,
    }


def _line(state: "ListState") -> str:
    facts = _facts(state)
    if state.found is None:
        return f"{state.territory}  never had: {state.fault or state.location}"
    word = "in force" if facts["in_force"] else "NOT IN FORCE"
    until = facts["next_update"] or "closed"
    line = f"{state.territory}  {word}, number {facts['sequence_number']}, until {until}"
    return f"{line}, {facts['services']} services" + (f"; {state.fault}" if state.fault else "")

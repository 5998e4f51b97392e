"""The server's trusted lists on loopback: fetched, kept, refused, rolled over, run out; what health says."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pecete.errors import UnavailableError
from server import trusted_list_store
from server.cli import app
from server.trusted_lists import ListState, TrustedLists
from tests.unit.trusted_list_maker import (
    ISSUED,
    NEXT_UPDATE,
)
from tests.unit.trusted_list_web import (
    GERMANY,
    NEXT_COMMISSION,
    NEXT_ROMANIA,
    NOW,
    STRANGER,
    serving,
)

DAY = timedelta(days=1)


def territories(lists: TrustedLists) -> list[str]:
    return [each.territory for each in lists.services().lists]


def state(lists: TrustedLists, territory: str) -> ListState:
    return next(each for each in lists.states if each.territory == territory)


async def test_all_lists_are_fetched_believed_and_measured(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        lists = served.lists()
        with pytest.raises(UnavailableError) as nothing:
            await lists.check()
        assert nothing.value.reason == "NOTHING_TRUSTED"
        assert await lists.refresh()
        assert territories(lists) == ["DE", "RO"]
        assert await lists.check() == "2 lists in force"
        assert served.measured("pecete_trusted_list_sequence", "RO") == 1
        until = served.measured("pecete_trusted_list_next_update_seconds", "RO")
        assert until == NEXT_UPDATE.timestamp()
        assert served.measured("pecete_trusted_list_fetched_seconds", "DE") == NOW.timestamp()
        assert lists.services() is lists.services()


async def test_lists_are_read_from_disk_when_nobody_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.lists().refresh()
        again = served.lists()
        await again.load()
        assert territories(again) == ["DE", "RO"]
        served.pages.clear()
        assert not await again.refresh()
        assert territories(again) == ["DE", "RO"]
        assert "HTTP status 404" in state(again, "RO").fault


async def test_what_is_on_disk_is_not_believed_unverified(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.lists().refresh()
        for path in (tmp_path / "trusted-lists").iterdir():
            path.write_bytes(path.read_bytes().replace(b">RO<", b">DE<").replace(b"SRL", b"S.A."))
        again = served.lists()
        await again.load()
        assert territories(again) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda served: served.publish_national(signer=STRANGER, sequence_number=2), "may not sign it"),
        (lambda served: served.publish_national(sequence_number=2, version=4), "version 4"),
        (lambda served: served.publish_national(sequence_number=0), "older"),
        (lambda served: served.publish_national(sequence_number=2, next_update=ISSUED), "replaced"),
        (lambda served: served.publish_national(sequence_number=2, issue_time=NOW + DAY), "future"),
        (lambda served: served.publish_national(sequence_number=2, territory="DE"), "another scheme"),
        (lambda served: served.pages.update({"/ro.xml": b"<html/>"}), "cannot be read"),
        (
            lambda served: served.pages.update({"/ro.xml": served.pages["/ro.xml"].replace(b"SRL", b"S.A.")}),
            "does not verify",
        ),
    ],
    ids=["stranger", "version", "rolled back", "expired", "not yet", "other scheme", "no list", "changed"],
)
async def test_a_list_that_is_refused_leaves_the_last_good_one(
    tmp_path: Path, change: object, sentence: str
) -> None:
    async with serving(tmp_path) as served:
        lists = served.lists()
        assert await lists.refresh()
        before = lists.services()
        change(served)  # type: ignore[operator]
        assert not await lists.refresh()
        assert lists.services() is before
        assert sentence in state(lists, "RO").fault
        assert state(lists, "DE").fault == ""


async def test_the_last_good_list_goes_on_until_it_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.publish_national("/de.xml", GERMANY, next_update=NEXT_UPDATE - 10 * DAY)
        lists = served.lists()
        assert await lists.refresh()
        served.pages.clear()
        served.time = NEXT_UPDATE - 5 * DAY
        assert territories(lists) == ["RO"]
        assert await lists.check() == "1 lists in force, none of DE"
        served.time = NEXT_UPDATE + DAY
        assert territories(lists) == []
        with pytest.raises(UnavailableError, match="I no longer trust anything"):
            await lists.check()


async def test_when_the_list_of_lists_ends_none_is_believed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.publish_national(next_update=None)
        lists = served.lists()
        assert await lists.refresh()
        served.time = NEXT_UPDATE + DAY
        assert state(lists, "RO").in_force(served.time)
        assert territories(lists) == []


async def test_the_commission_rolls_over_to_another_certificate_by_a_pivot(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        lists = served.lists()
        assert await lists.refresh()
        served.publish(number=3, signer=NEXT_COMMISSION, names=NEXT_COMMISSION, issue_time=NOW)
        assert not await lists.refresh()
        assert "may not sign it" in state(lists, "EU").fault
        served.publish(number=2, names=NEXT_COMMISSION, path="/pivot.xml")
        served.publish(
            number=3,
            signer=NEXT_COMMISSION,
            names=NEXT_COMMISSION,
            issue_time=NOW,
            pivots=("/pivot.xml",),
        )
        assert await lists.refresh()
        assert state(lists, "EU").found is not None
        del served.pages["/pivot.xml"]
        assert await lists.refresh()  # the pivot that was kept is as good
        again = served.lists()
        await again.load()
        assert territories(again) == ["DE", "RO"]


async def test_a_signer_that_is_no_longer_named_is_no_longer_believed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        lists = served.lists()
        assert await lists.refresh()
        served.publish(number=2, romanian=NEXT_ROMANIA, issue_time=NOW)
        assert not await lists.refresh()
        assert territories(lists) == ["DE"]
        served.publish_national(signer=NEXT_ROMANIA, sequence_number=0)
        assert not await lists.refresh()
        assert "older" in state(lists, "RO").fault
        served.publish_national(signer=NEXT_ROMANIA, sequence_number=2)
        assert await lists.refresh()
        assert territories(lists) == ["DE", "RO"]


async def test_an_older_list_of_lists_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.publish(number=7, issue_time=NOW - timedelta(hours=1))
        lists = served.lists()
        assert await lists.refresh()
        served.publish(number=6)
        assert not await lists.refresh()
        assert "older" in state(lists, "EU").fault
        assert territories(lists) == ["DE", "RO"]


async def test_a_list_that_moved_is_followed_and_an_endless_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as served:
        served.publish(romanian_path="/moved.xml")
        lists = served.lists()
        assert await lists.refresh()
        assert territories(lists) == ["DE", "RO"]
        monkeypatch.setattr(trusted_list_store, "MAXIMUM_OCTETS", 100)
        assert not await lists.refresh()
        assert "longer than 100 bytes" in state(lists, "RO").fault


async def test_a_disk_that_takes_nothing_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        (tmp_path / "trusted-lists").write_bytes(b"a file where the folder should be")
        lists = served.lists()
        assert not await lists.refresh()
        assert "cannot be written" in state(lists, "EU").fault


async def test_lists_are_looked_for_in_the_background(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        lists = served.lists()
        async with lists.watched(), asyncio.timeout(10):
            while not territories(lists):
                await asyncio.sleep(0)


# ---- the command


CONFIGURATION = """
[storage]
directory = "{folder}"
[tls]
insecure_loopback = true
[journal]
key = "journal.key"
origin = "test"
"""


async def test_the_command_fetches_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pecete.toml"

    async def run(*arguments: str) -> Result:
        command = ["trusted-lists", *arguments, "--config", str(config)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, command))

    async with serving(tmp_path) as served:
        served.lists()  # writes the certificate that is configured
        address = f"{served.address}/lotl.xml"
        section = f'[trusted_lists]\nofficial_journal = ["journal.pem"]\nlotl_url = "{address}"\n'
        config.write_text(CONFIGURATION.format(folder=tmp_path) + section)
        monkeypatch.setattr("server.times.utc_now", served.clock)
        monkeypatch.setattr("server.logs.configure", lambda _level: None)
        assert (await run("show")).exit_code == 1
        fetched = await run("refresh")
        assert fetched.exit_code == 0, fetched.output
        assert "RO  in force, number 1" in fetched.output
        shown = await run("show", "--json")
        found = [json.loads(line) for line in shown.output.splitlines()]
        assert [each["territory"] for each in found] == ["EU", "DE", "RO"]
        assert found[2]["services"] == 1 and found[2]["in_force"] and found[2]["fault"] == ""
        served.pages.pop("/de.xml")
        partly = await run("refresh")
        assert partly.exit_code == 1 and "HTTP status 404" in partly.output
        served.time = NEXT_UPDATE + DAY
        assert (await run("show")).exit_code == 1
        config.write_text(CONFIGURATION.format(folder=tmp_path))
        refused = await run("show")
        assert getattr(refused.exception, "reason", "") == "TRUSTED_LISTS_NOT_CONFIGURED"

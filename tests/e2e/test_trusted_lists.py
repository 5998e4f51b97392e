"""A server whose only trust is in trusted lists: what it says of signatures, and of itself when they end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from server.app import House, open_house
from server.config import load
from server.initialise import init
from tests.unit.trusted_list_maker import NEXT_UPDATE, period, service, statements
from tests.unit.trusted_list_web import Web, serving
from tests.unit.validation_documents import BORN, SIGNED, SIGNING, STAMPER, SUB, YEAR, blank, issue, sign

pytestmark = pytest.mark.e2e

SECTIONS = """
[validation]
revocation = "off"
[trusted_lists]
official_journal = ["journal.pem"]
lotl_url = "{address}/lotl.xml"
"""


@asynccontextmanager
async def opened(folder: Path, served: Web) -> AsyncIterator[House]:
    path = folder / "house" / "pecete.toml"
    if not path.exists():
        init(folder / "house")
        with path.open("a", encoding="utf-8") as file:
            file.write(SECTIONS.format(address=served.address))
        served.lists()
        (folder / "journal.pem").rename(folder / "house" / "journal.pem")
    async with open_house(load(path, {}), served.clock) as house:
        yield house


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A mayor's qualified signature, with a time-stamp."""
    mayor = issue("Ana Popescu", SUB, SIGNING, statements(sscd=True, types=[1]), end=BORN + YEAR)
    path = tmp_path / "act.pdf"
    path.write_bytes(sign(blank(), mayor, stamped=SIGNED))
    return path


async def test_trust_comes_and_goes_with_the_lists(tmp_path: Path, document: Path) -> None:
    unit = service(STAMPER, period(type_="http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST", information=()))

    async with serving(tmp_path) as served:
        served.time = SIGNED + timedelta(days=1)
        served.publish_national(services=(service(SUB), unit))
        async with opened(tmp_path, served) as house:
            before = await house.health.look()
            assert not before.healthy
            assert before.parts["trusted-lists"] == "NOTHING_TRUSTED"
            (unknown,) = (await house.judge.judge(document, display_name="act.pdf")).signatures
            assert (unknown.conclusion.passed, unknown.qualification) == (False, "N/A")

            assert house.trusted_lists is not None
            assert await house.trusted_lists.refresh()
            look = await house.health.look()
            assert look.healthy and look.parts["trusted-lists"] == "ok (2 lists in force)"
            (signature,) = (await house.judge.judge(document, display_name="act.pdf")).signatures
            assert signature.conclusion.passed, signature.conclusion
            assert signature.qualification == "QESig"
            assert [stamp.qualification for stamp in signature.timestamps] == ["QTSA"]

        served.pages.clear()
        async with opened(tmp_path, served) as house:  # again, from disk
            assert (await house.health.look()).healthy
            served.time = NEXT_UPDATE + timedelta(days=1)
            look = await house.health.look()
            assert (look.healthy, look.parts["trusted-lists"]) == (False, "NOTHING_TRUSTED")
            (late,) = (await house.judge.judge(document, display_name="act.pdf")).signatures
            assert (late.conclusion.passed, late.qualification) == (False, "N/A")

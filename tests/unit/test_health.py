"""Health tells the truth whatever a part does: one that hangs or breaks hides none of the others."""

import asyncio

from server.health import Health


async def well() -> None:
    """A part that works."""


async def never() -> None:
    await asyncio.Event().wait()


async def breaks() -> None:
    raise RuntimeError("an error that nobody foresaw")


async def test_a_part_that_hangs_holds_up_none() -> None:
    health = Health({"database": well}, {"tokens/seal": never}, patience=0.01)
    async with asyncio.timeout(5):
        look = await health.look()
    assert look.healthy
    assert look.parts == {"service": "degraded", "database": "ok", "tokens/seal": "TIMED_OUT"}


async def test_a_required_part_that_hangs_or_breaks_is_not_healthy() -> None:
    for check, state in ((never, "TIMED_OUT"), (breaks, "INTERNAL_ERROR")):
        look = await Health({"database": check}, {"tokens/seal": well}, patience=0.01).look()
        assert not look.healthy
        assert look.parts == {"service": "failed", "database": state, "tokens/seal": "ok"}


async def test_a_part_that_breaks_does_not_end_the_looking() -> None:
    health = Health({"database": well}, {"tokens/seal": breaks})
    for _ in range(2):
        assert (await health.look()).parts["tokens/seal"] == "INTERNAL_ERROR"


async def test_a_remark_stands_beside_what_works() -> None:
    async def warns() -> str:
        return "PIN tries left: low"

    look = await Health({"database": well}, {"tokens/seal": warns}).look()
    assert look.parts["tokens/seal"] == "ok (PIN tries left: low)"
    assert look.parts["service"] == "ok"

"""Hints."""

import asyncio

from swipegate.service.bell import Bell


async def test_a_ring_wakes_who_listens_to_its_key() -> None:
    bell = Bell()
    with bell.listen("a") as mine, bell.listen("a") as too, bell.listen("b") as other:
        assert bell.count == 3
        waiting = [asyncio.create_task(listener.wait(30)) for listener in (mine, too, other)]
        await asyncio.sleep(0)
        bell.ring("a", "nobody")
        await asyncio.gather(*waiting[:2])
        assert not waiting[2].done()
        bell.ring_all()
        await waiting[2]
    assert bell.count == 0
    assert bell._listeners == {}


async def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    bell = Bell()
    with bell.listen("a") as listener:
        bell.ring("a")
        bell.ring("a")
        async with asyncio.timeout(1):
            await listener.wait(30)
        waiting = asyncio.create_task(listener.wait(30))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()


async def test_a_wait_ends_in_time() -> None:
    with Bell().listen("a") as listener:
        async with asyncio.timeout(5):
            await listener.wait(0.01)

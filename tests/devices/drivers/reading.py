"""A read under way, for the tests of every driver."""

import asyncio
import time
from collections.abc import Callable

import pytest

from swipegate.core.symbols import decode_packed
from swipegate.devices.errors import DeviceError
from swipegate.devices.reader import CardReader, ReadResult, ReadState, TrackRead
from swipegate.devices.simulators.card_machine import CardMachine
from tests.devices.drivers.motorised import CARD, TRACK1, TRACK2, TRACK3

# A read must be over this long after its card or its fault, seconds.
OVER_TIME = 10.0


class Reading:
    """A read in its own task, and the states it reported."""

    def __init__(self, reader: CardReader, seconds: float = 5.0) -> None:
        self.states: list[ReadState] = []
        self._reached = {state: asyncio.Event() for state in ReadState}
        deadline = time.monotonic() + seconds
        self.task = asyncio.create_task(reader.read("opaque", deadline=deadline, on_state=self._on_state))

    def _on_state(self, state: ReadState) -> None:
        self.states.append(state)
        self._reached[state].set()

    async def reaches(self, state: ReadState) -> None:
        async with asyncio.timeout(OVER_TIME):
            await self._reached[state].wait()

    async def result(self) -> ReadResult:
        async with asyncio.timeout(OVER_TIME):
            return await self.task

    async def fails(self) -> DeviceError:
        with pytest.raises(DeviceError) as failed:
            await self.result()
        assert "4111" not in str(failed.value)
        return failed.value


def text_of(track: TrackRead) -> str | None:
    """What was read of a track, or the name of the reason why it was not."""
    if track.bits is not None:
        return decode_packed(track.bits).text
    return track.error if track.text is None else track.text.decode()


def texts(result: ReadResult) -> list[str | None]:
    """What was read, a track with an error by the name of its reason."""
    return [text_of(track) for track in result.tracks]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for the simulator's thread."""
    end = time.monotonic() + OVER_TIME
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def serves_next(simulator: CardMachine, reader: CardReader) -> None:
    """The next card is read, and presented."""
    taken = len(simulator.mechanism.taken)
    simulator.insert(CARD)
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    await reader.release(accepted=True)
    await until(lambda: len(simulator.mechanism.taken) > taken)

"""A whole house without a server: database, services and host."""

import asyncio
from pathlib import Path

import pytest

from swipegate.domain.authority import PERMISSIONS, Principal
from swipegate.domain.card_request import CardRequest, State
from swipegate.host.local import LocalHost
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests, NewCardRequest
from swipegate.service.devices import Devices
from swipegate.service.sealing import Sealer
from swipegate.store.database import Database

CALLER = Principal("tester", "tests", frozenset(PERMISSIONS))


class House:
    """Database, services and host on real SQLite, at the PC `test-pc`."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.bell = Bell()
        self.formats = CardFormats(self.database)
        self.devices = Devices(self.database, self.bell, clock.now, "test-pc")
        self.requests = CardRequests(self.database, Sealer(bytes(32)), self.bell, clock.now, 60)
        self.host = self.new_host()

    def new_host(self) -> LocalHost:
        """Another host of the same PC."""
        return LocalHost("test-pc", self.devices, self.requests, self.formats, self.bell, clock.now)

    async def request(self, seconds: float = 60, device_id: int = 1) -> CardRequest:
        """A new card request."""
        return await self.requests.create(CALLER, NewCardRequest(device_id, time_to_live=seconds), b"")

    async def until(self, request: CardRequest, *states: State) -> CardRequest:
        """The request once it is in one of the states."""
        async with asyncio.timeout(20):
            async for now in self.requests.watch(request.card_request_id, 0):
                if now.state in states:
                    return now
        pytest.fail("the watch ended in another state")

    async def states(self, request: CardRequest) -> list[State]:
        """All states of a request that has ended."""
        return [one.state async for one in self.requests.watch(request.card_request_id, 1)]

"""Card assignments without a server: services on a database, driven as a host drives them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.authority import PERMISSIONS, Principal
from swipegate.domain.card_assignment import CardAssignment, HeldCardPolicy, State
from swipegate.domain.card_request import CardRequest
from swipegate.domain.card_request import State as ReadingState
from swipegate.domain.device import Device
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service.bell import Bell
from swipegate.service.card_assignments import CardAssignments, NewCardAssignment
from swipegate.service.card_requests import CardRequests, NewCardRequest
from swipegate.service.clock import SECOND
from swipegate.service.devices import Devices
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import UserCards
from swipegate.store import ac_systems, users
from swipegate.store.database import Database
from swipegate.v1 import track_pb2
from tests.databases import Where, look
from tests.people import ABA, new_id

CALLER = Principal("tester", "tests", frozenset(PERMISSIONS))
PIN = "73519462"
NUMBER = 31337


def swipe_of(number: int) -> track_pb2.DecodedSwipe:
    """A card of that number, as the core decodes it."""
    read = track_pb2.CardNumber(card_format="f", card_number=f"{number:07}")
    return track_pb2.DecodedSwipe(card_number=read)


@dataclass
class Desk:
    """Services without a server; `now` is what their clock says."""

    where: Where
    database: Database
    requests: CardRequests
    assignments: CardAssignments
    user_cards: UserCards
    system: str
    epoch: int = 1
    now: int = 1_000 * SECOND

    async def user(self) -> str:
        """A new user."""
        key = new_id()
        await self.database.write(lambda connection: users.add(connection, User(key, "u")))
        return key

    async def create(self, user: str, if_held: HeldCardPolicy = HeldCardPolicy.TAKE_OVER) -> CardAssignment:
        """A new assignment that expires in a minute."""
        command = ReplaceCard(user, card_type=ABA, card_ac_system_id=self.system, pin=PIN)
        new = NewCardAssignment(NewCardRequest(1, time_to_live=60), command, if_held)
        return await self.assignments.create(CALLER, new, b"")

    async def reading(self, user: str, if_held: HeldCardPolicy = HeldCardPolicy.TAKE_OVER) -> CardRequest:
        """The card request of a new assignment, with its card in the device."""
        made = await self.create(user, if_held)
        claimed = await self.requests.claim(1, "pc", self.epoch)
        assert claimed is not None
        assert claimed.card_request_id == made.card_assignment_id
        for state in (ReadingState.DISPATCHED, ReadingState.WAITING_FOR_CARD, ReadingState.READING):
            await self.requests.report(claimed, state)
        return claimed

    async def read(self, claimed: CardRequest, number: int = NUMBER) -> CardAssignment:
        """The assignment once its card is read."""
        await self.requests.report(claimed, ReadingState.SUCCEEDED, swipe=swipe_of(number))
        return await self.assignments.get(claimed.card_request_id)

    async def asking(self) -> tuple[CardAssignment, str, str]:
        """An assignment that needs a decision, the holder, and the user it is for."""
        holder, user = await self.user(), await self.user()
        assert (await self.read(await self.reading(holder))).state is State.SUCCEEDED
        asking = await self.read(await self.reading(user, HeldCardPolicy.ASK))
        assert asking.state is State.NEEDS_DECISION
        return asking, holder, user

    def holders(self) -> list[tuple[Any, ...]]:
        """Of every card."""
        return look(self.where, "SELECT user_id FROM user_card WHERE end_time IS NULL")

    def pictures(self) -> list[list[tuple[Any, ...]]]:
        """Everything that a half finished assignment could have changed."""
        tables = ("card", "user_card", "user_card_event", "outbox", "card_assignment", "card_request")
        tables += ("card_assignment_event", "card_request_event")
        return [look(self.where, f"SELECT * FROM {table} ORDER BY 1") for table in tables]


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[Desk]:
    """A desk with one device and one system; on SQLite the file's folder is there."""
    database, bell, sealer = Database(where), Bell(), Sealer(bytes(32))
    database.open()
    requests = CardRequests(database, sealer, bell, lambda: desk.now, 60)
    assignments = CardAssignments(database, sealer, bell, lambda: desk.now, requests)
    user_cards = UserCards(database, sealer, bell, lambda: desk.now)
    desk = Desk(where, database, requests, assignments, user_cards, new_id())
    devices = Devices(database, bell, lambda: desk.now, "pc")
    await devices.create(Device(1, "d", "pc", "msr605", "loop://", card_formats=("iso7813-track2",)))
    desk.epoch = await devices.take_over("pc")
    await database.write(lambda connection: ac_systems.add(connection, AcSystem(desk.system, "s")))
    try:
        yield desk
    finally:
        database.close()

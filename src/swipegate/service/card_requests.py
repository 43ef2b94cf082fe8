"""Card requests: create, follow, cancel, retry for callers; claim and report for hosts.

The database is the only truth. A caller and a host never speak to each other: each changes the request, and
the bell tells the other to look.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.authority import READ_TRACK_DATA, Principal
from swipegate.domain.card_request import (
    DEFAULT_TIME_TO_LIVE,
    FOLLOWS,
    MAX_MESSAGE_BYTES,
    MAX_QUEUED_PER_DEVICE,
    MAX_TIME_TO_LIVE,
    MIN_TIME_TO_LIVE,
    CardRequest,
    Failure,
    State,
    UserAction,
)
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import canonical_uuid, check_no_nul
from swipegate.service import paging
from swipegate.service.bell import Bell
from swipegate.service.clock import SECOND, Clock
from swipegate.service.idempotency import Repeats
from swipegate.service.sealing import Sealer
from swipegate.service.watching import WATCH_BATCH, watched
from swipegate.store import card_requests, devices
from swipegate.store.database import Database, Unit
from swipegate.v1 import error_pb2
from swipegate.v1.track_pb2 import DecodedSwipe

METHOD = "CreateCardRequest"
SWEEP_BATCH = 100
"""Requests that one sweep ends."""
TRACK_DATA_GRACE = 10 * SECOND
"""For which track data stays after it was first given: the answer may have been lost."""


@dataclass(frozen=True, slots=True)
class NewCardRequest:
    """What a caller asks for."""

    device_id: int
    message: str = ""
    request_id: str = ""
    refuse_if_busy: bool = False
    time_to_live: float | None = None
    """Seconds."""

    def check(self) -> None:
        """Raise INVALID_FIELD for what is out of bounds."""
        if self.device_id < 1:
            raise invalid("id", "must be 1 or more")
        if len(self.message.encode()) > MAX_MESSAGE_BYTES:
            raise invalid("message", f"must be at most {MAX_MESSAGE_BYTES} bytes")
        check_no_nul("message", self.message)
        if self.time_to_live is not None and not MIN_TIME_TO_LIVE <= self.time_to_live <= MAX_TIME_TO_LIVE:
            raise invalid("time_to_live", f"must be {MIN_TIME_TO_LIVE} s to {MAX_TIME_TO_LIVE} s")


class Follower(Protocol):
    """What goes along with card requests."""

    def follow(self, connection: Connection, request: CardRequest, swipe: DecodedSwipe | None) -> None:
        """Part of the transaction that made the request what it is now; `swipe` has just made it SUCCEEDED.

        What it raises undoes the change of the request too.
        """

    def announce(self, request: CardRequest) -> None:
        """Wake who waits, after the commit."""


class CardRequests:
    """The use cases of card requests."""

    def __init__(
        self, database: Database, sealer: Sealer, bell: Bell, clock: Clock, track_data_time_to_live: float
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._repeats = Repeats(sealer)
        self._bell = bell
        self._clock = clock
        self._track_data_time_to_live = int(track_data_time_to_live * SECOND)
        self.followers: list[Follower] = []
        """Told of every change, in its transaction."""
        self.stale_reports = 0
        """Answers of devices for another attempt or epoch, ignored."""

    async def create(self, principal: Principal, new: NewCardRequest, body: bytes) -> CardRequest:
        """The stored request; a repeat with the same request_id gives the first one as it stands now."""
        principal.demand(READ_TRACK_DATA)
        new.check()

        def unit(connection: Connection) -> CardRequest:
            now = self._clock()

            def work() -> bytes:
                return self.create_in(connection, principal, new, now).card_request_id.encode()

            key = self._repeats.once(connection, principal, METHOD, new.request_id, body, now, work)
            return _demand(connection, key.decode())

        return await self._write(unit)

    def create_in(
        self, connection: Connection, principal: Principal, new: NewCardRequest, now: int
    ) -> CardRequest:
        """Create within the caller's transaction what was checked; raises what the contract lists.

        The caller announces the request after the commit.
        """
        device = devices.by_id(connection, new.device_id)
        if device is None:
            raise SwipegateError(error_pb2.ERROR_REASON_DEVICE_NOT_FOUND, device_id=new.device_id)
        if not devices.host_is_registered(connection, device.pc_name):
            raise SwipegateError(error_pb2.ERROR_REASON_PC_NAME_NOT_FOUND, pc_name=device.pc_name)
        if not device.card_formats:
            raise SwipegateError(
                error_pb2.ERROR_REASON_CARD_FORMAT_CMC_NOT_CONFIGURED, device_id=device.device_id
            )
        if new.refuse_if_busy and card_requests.is_busy(connection, device.device_id):
            raise SwipegateError(error_pb2.ERROR_REASON_DEVICE_BUSY, device_id=device.device_id)
        if card_requests.count_waiting(connection, device.device_id) >= MAX_QUEUED_PER_DEVICE:
            raise SwipegateError(
                error_pb2.ERROR_REASON_OVERLOADED,
                what=f"the queue of device {device.device_id}",
                bound=MAX_QUEUED_PER_DEVICE,
            )
        seconds = DEFAULT_TIME_TO_LIVE if new.time_to_live is None else new.time_to_live
        request = CardRequest(
            card_request_id=str(uuid4()),
            device_id=device.device_id,
            state=State.QUEUED,
            attempt=1,
            sequence=0,
            create_time=now,
            update_time=now,
            expire_time=now + int(seconds * SECOND),
            message=new.message,
        )
        return self._followed(connection, card_requests.add(connection, request, principal.subject))

    async def get(self, card_request_id: str) -> CardRequest:
        """The request. Raises CARD_REQUEST_NOT_FOUND."""
        key = canonical_uuid("card_request_id", card_request_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def page(
        self, *, device_id: int, states: Collection[State], page_size: int, page_token: str
    ) -> tuple[list[CardRequest], str]:
        """A page of requests, the newest first, and the next page's token. Raises INVALID_FIELD."""
        size, before = paging.size(page_size), paging.row_of(page_token)

        def unit(connection: Connection) -> list[tuple[int, CardRequest]]:
            return card_requests.page(
                connection, device_id=device_id, states=states, before=before, size=size + 1
            )

        rows = await self._database.read(unit)
        return paging.cut(rows, size)

    def watch(self, card_request_id: str, after: int) -> AsyncIterator[CardRequest]:
        """The present snapshot, or with `after` the events past it; then every event up to a terminal one."""
        key = canonical_uuid("card_request_id", card_request_id)
        return watched(
            self._bell, ("card_request", key), after, partial(self.get, key), partial(self._events, key)
        )

    async def _events(self, key: str, after: int) -> list[CardRequest]:
        def unit(connection: Connection) -> list[CardRequest]:
            return card_requests.events(connection, _demand(connection, key), after, WATCH_BATCH)

        return await self._database.read(unit)

    async def retry(self, principal: Principal, card_request_id: str, attempt: int) -> CardRequest:
        """The request, queued for its next attempt. Raises WRONG_STATE for a late click."""
        principal.demand(READ_TRACK_DATA)
        key = canonical_uuid("card_request_id", card_request_id)

        return await self._write(lambda connection: self.retry_in(connection, key, attempt))

    def retry_in(self, connection: Connection, key: str, attempt: int) -> CardRequest:
        """Retry within the caller's transaction; the caller announces the request after the commit."""
        request = _demand(connection, key)
        failure = request.failure
        allowed = failure is not None and UserAction.RETRY in failure.allowed_actions
        if request.attempt != attempt or request.state is not State.NEEDS_ACTION or not allowed:
            raise request.wrong_state()
        return self._change(connection, request, State.QUEUED)

    async def cancel(self, card_request_id: str, attempt: int) -> CardRequest:
        """The request, cancelled or being cancelled. Raises WRONG_STATE for a late click."""
        key = canonical_uuid("card_request_id", card_request_id)

        return await self._write(lambda connection: self.cancel_in(connection, key, attempt))

    def cancel_in(self, connection: Connection, key: str, attempt: int) -> CardRequest:
        """Cancel within the caller's transaction; the caller announces the request after the commit."""
        request = _demand(connection, key)
        if request.attempt != attempt:
            raise request.wrong_state()
        if request.state in (State.CANCELLING, State.CANCELLED):
            return request
        # a device may be at work on a queued request from the moment a host has claimed it
        idle = request.state is State.NEEDS_ACTION or request.epoch is None
        return self._change(connection, request, State.CANCELLED if idle else State.CANCELLING)

    async def track_data(self, principal: Principal, card_request_id: str) -> tuple[DecodedSwipe, int]:
        """What the card held, and when it is wiped. Raises TRACK_DATA_NOT_FOUND."""
        principal.demand(READ_TRACK_DATA)
        key = canonical_uuid("card_request_id", card_request_id)

        def unit(connection: Connection) -> tuple[bytes, int]:
            request = _demand(connection, key)
            found = card_requests.track_data(connection, key)
            now = self._clock()
            if found is None or found[1] <= now:
                raise SwipegateError(error_pb2.ERROR_REASON_TRACK_DATA_NOT_FOUND, card_request_id=key)
            wipe_time = min(found[1], now + TRACK_DATA_GRACE)
            card_requests.wipe_at(connection, key, wipe_time)
            return self._sealer.unseal(found[0], _context(request)), wipe_time

        data, wipe_time = await self._database.write(unit)
        return DecodedSwipe.FromString(data), wipe_time

    async def claim(self, device_id: int, pc_name: str, epoch: int) -> CardRequest | None:
        """The next request of the device for its host; None when there is none."""

        def unit(connection: Connection) -> CardRequest | None:
            if devices.epoch_of(connection, pc_name) != epoch:
                return None
            return card_requests.claim_next(connection, device_id, epoch)

        return await self._database.write(unit)

    async def release(self, claimed: CardRequest) -> None:
        """Give back a request that was claimed and not begun, to the place in the queue that it had."""

        def unit(connection: Connection) -> CardRequest | None:
            request = _demand(connection, claimed.card_request_id)
            if (request.attempt, request.epoch) != (claimed.attempt, claimed.epoch):
                return None
            if request.state is State.CANCELLING:
                return self._change(connection, request, State.CANCELLED)
            if request.state is State.QUEUED:
                card_requests.release(connection, request)
            return request

        released = await self._database.write(unit)
        if released is not None:
            self.announce(released)

    async def report(
        self,
        claimed: CardRequest,
        state: State,
        *,
        failure: Failure | None = None,
        swipe: DecodedSwipe | None = None,
        at_rest: bool = True,
    ) -> CardRequest | None:
        """Apply a device's answer to the request as it was claimed.

        None, and nothing changed, when the answer is for another attempt or epoch, comes after the end, or tells
        of progress that is past. While the request is being cancelled, progress is ignored, and the end of the
        device's work is the confirmation; where the device is not known to be `at_rest`, it is a failure.
        """

        def unit(connection: Connection) -> CardRequest | None:
            request = _demand(connection, claimed.card_request_id)
            device = devices.by_id(connection, request.device_id)
            newest = device is not None and devices.epoch_of(connection, device.pc_name) == claimed.epoch
            same = (request.attempt, request.epoch) == (claimed.attempt, claimed.epoch)
            if not newest or not same or not request.live:
                self.stale_reports += 1
                return None
            if state is request.state or (request.state is State.CANCELLING and state in _PROGRESS):
                return request
            if request.state is State.CANCELLING and state is not State.UNKNOWN:
                end = State.CANCELLED if at_rest else State.FAILED
                unconfirmed = None if at_rest else failure
                return self._change(connection, request, end, failure=unconfirmed)
            if state not in FOLLOWS[request.state]:  # a repeat of what was said, or after a person decided
                self.stale_reports += 1
                return None
            return self._change(connection, request, state, failure=failure, swipe=swipe)

        changed = await self._database.write(unit)
        if changed is not None:
            self.announce(changed)
        return changed

    async def adopt_orphans(self, device_id: int, epoch: int) -> list[CardRequest]:
        """Requests that an earlier host was at work on: each is now UNKNOWN, and the new host's to settle."""

        def unit(connection: Connection) -> list[CardRequest]:
            return [
                self._adopt(connection, request, epoch)
                for request in card_requests.orphans(connection, device_id, epoch)
            ]

        adopted = await self._database.write(unit)
        for request in adopted:
            self.announce(request)
        return adopted

    def _adopt(self, connection: Connection, orphan: CardRequest, epoch: int) -> CardRequest:
        mine = card_requests.claim_again(connection, orphan, epoch)
        return mine if mine.state is State.UNKNOWN else self._change(connection, mine, State.UNKNOWN)

    async def sweep(self) -> None:
        """Expire what is past its time, give up what no host will end, and wipe track data that is due."""

        def unit(connection: Connection) -> list[CardRequest]:
            now = self._clock()
            card_requests.wipe(connection, now)
            lost = Failure(error_pb2.ERROR_REASON_LINK_LOST)
            return [
                self._change(connection, request, State.EXPIRED)
                for request in card_requests.overdue(connection, now, SWEEP_BATCH)
            ] + [
                self._change(connection, request, State.FAILED, failure=lost)
                for request in card_requests.abandoned(connection, now, SWEEP_BATCH)
            ]

        for request in await self._database.write(unit):
            self.announce(request)

    async def _write(self, unit: Unit[CardRequest]) -> CardRequest:
        request = await self._database.write(unit)
        self.announce(request)
        return request

    def announce(self, request: CardRequest) -> None:
        """Wake who waits for the request, once what changed it is committed."""
        self._bell.ring(("card_request", request.card_request_id), ("device", request.device_id))
        for follower in self.followers:
            follower.announce(request)

    def _change(
        self,
        connection: Connection,
        request: CardRequest,
        state: State,
        *,
        failure: Failure | None = None,
        swipe: DecodedSwipe | None = None,
    ) -> CardRequest:
        """The one way by which a request changes. Raises WRONG_STATE when the state may not follow."""
        now = self._clock()
        kept = {} if swipe is None else self._kept(request, swipe, now)
        changed = card_requests.change(connection, request, state, now, failure=failure, **kept)
        return self._followed(connection, changed, swipe)

    def _kept(self, request: CardRequest, swipe: DecodedSwipe, now: int) -> dict[str, Any]:
        """What is stored of a swipe, and until when."""
        return {
            "card_format": swipe.card_number.card_format,
            "sealed_track_data": self._sealer.seal(swipe.SerializeToString(), _context(request)),
            "wipe_time": now + self._track_data_time_to_live,
        }

    def _followed(
        self, connection: Connection, request: CardRequest, swipe: DecodedSwipe | None = None
    ) -> CardRequest:
        for follower in self.followers:
            follower.follow(connection, request, swipe)
        return request


_PROGRESS = frozenset({State.DISPATCHED, State.FEEDING, State.WAITING_FOR_CARD, State.READING})


def _demand(connection: Connection, key: str) -> CardRequest:
    request = card_requests.by_id(connection, key)
    if request is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_REQUEST_NOT_FOUND, card_request_id=key)
    return request


def _context(request: CardRequest) -> str:
    return f"track-data:{request.card_request_id}:{request.attempt}"

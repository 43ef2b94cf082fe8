"""Delivery of what is due in the outbox.

An entry is claimed by a write that leases it to this process, with the card as it stands in that transaction; it is
sent, and the outcome stored. While the lease runs nobody else sends the card's changes, so they leave in order; after
a crash the lease runs out and the entry is due again. So a change is delivered at least once, or overtaken by a
later one.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import uniform

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection

from swipegate.connectors.base import Connector, DeliveryError
from swipegate.connectors.webhook import DRAIN_TIMEOUT, TOTAL_TIMEOUT
from swipegate.domain.ac_system import Webhook
from swipegate.domain.outbox import CardChange
from swipegate.service.ac_systems import secret_context
from swipegate.service.bell import Bell, Listener
from swipegate.service.clock import SECOND, Clock
from swipegate.service.receivers import Receivers
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY
from swipegate.store import ac_systems, cards, outbox, user_card_events
from swipegate.store.database import Database
from swipegate.store.outbox import Claim

POLL = 1.0
"""Seconds after which it looks again though no bell rang."""
GATHER = 0.01
"""Seconds from a ring to the look: what comes meanwhile is claimed together."""
MAX_UNDER_WAY = 200
"""Deliveries at the same time, all receivers together."""
LEASE = 60.0
"""Seconds of a claim."""
MAX_SKEW = 30.0
"""Seconds by which the clocks of servers on one database may differ: no delivery begins that could last longer."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 600.0
"""Seconds before an entry is tried again: at least, at most."""
STOP_TIMEOUT = 5.0
"""Seconds for outcomes to be stored at the end; what is not is due again after its lease."""
_MAX_DOUBLINGS = 16

log = logging.getLogger(__name__)
Connect = Callable[[str, bytes], Connector]
"""URL and secret to the connector of a webhook."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    claim: Claim
    ac_system_id: str
    webhook: Webhook
    change: CardChange = field(repr=False)


class Deliveries:
    """The process's one deliverer."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        receivers: Receivers,
        bell: Bell,
        clock: Clock,
        connect: Connect,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._receivers = receivers
        self._bell = bell
        self._clock = clock
        self._connect = connect
        self._task: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        """Of the running ones: those that can be given up."""
        self._stopping = False

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Give up what is being sent, which is due again at once, and store what came of the rest."""
        if self._task is None:
            return
        self._stopping = True
        self._bell.ring(BELL_KEY)
        for task in self._sending:
            task.cancel()
        await _end({self._task})  # no new ones after it
        await _end(self._running)

    async def _run(self) -> None:
        with self._bell.listen(BELL_KEY) as listener:
            while not self._stopping:
                claimed = 0
                try:
                    claimed = await self._round(listener)
                except Exception as error:  # the database may be back next time
                    log.error("looking for what is to be delivered failed: %s", type(error).__name__)
                if not claimed and not self._stopping:
                    await listener.wait(POLL)
                    await asyncio.sleep(GATHER)

    async def _round(self, listener: Listener) -> int:
        """Begin to deliver what is due and has room; how many."""
        now, free = self._clock(), MAX_UNDER_WAY - self._receivers.under_way
        due = await self._database.read(lambda connection: outbox.due_systems(connection, now))
        rooms = []
        for system in self._receivers.in_turn(due):
            room = min(self._receivers.room(system), free)
            free -= room
            if room:
                rooms.append((system, room))
        if not rooms:
            return 0
        found = await self._database.write(
            lambda connection: [one for each in rooms for one in self._claim(connection, *each)]
        )
        for delivery in found:
            self._begin(delivery, listener)
        return len(found)

    def _claim(self, connection: Connection, ac_system_id: str, size: int) -> list[_Delivery]:
        system = ac_systems.by_id(connection, ac_system_id)
        if system is None or system.webhook is None:
            return []
        now = self._clock()
        lease = now + int(LEASE * SECOND)
        return [
            _Delivery(one, ac_system_id, system.webhook, _change(connection, one))
            for one in outbox.claim(connection, ac_system_id, size, now, lease)
        ]

    def _begin(self, delivery: _Delivery, listener: Listener) -> None:
        def over(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            listener.ring()

        self._receivers.begin(delivery.ac_system_id)
        task = asyncio.create_task(self._deliver(delivery))
        self._running.add(task)
        task.add_done_callback(over)

    async def _deliver(self, delivery: _Delivery) -> None:
        succeeded: bool | None = None
        try:
            error, succeeded = await self._sent(delivery)
            await self._store(delivery.claim, error)
        except Exception as fault:  # due again when the lease ends
            log.error("the outcome of a delivery was not stored: %s", type(fault).__name__)
        finally:
            self._receivers.end(delivery.ac_system_id, succeeded=succeeded)

    async def _sent(self, delivery: _Delivery) -> tuple[str | None, bool | None]:
        """Why it failed, empty when it did not; and whether the receiver works. None: it was given up."""
        end = self._clock() + round((TOTAL_TIMEOUT + DRAIN_TIMEOUT + MAX_SKEW) * SECOND)
        if self._stopping or end > delivery.claim.lease:
            return None, None
        task = asyncio.current_task()
        assert task is not None
        self._sending.add(task)
        try:
            secret = self._sealer.unseal(
                delivery.webhook.sealed_secret, secret_context(delivery.ac_system_id)
            )
            await self._connect(delivery.webhook.url, secret).deliver(delivery.change)
            return "", True
        except DeliveryError as error:
            return str(error), error.refused
        except InvalidTag:
            return "the webhook's secret cannot be opened", False
        except asyncio.CancelledError:
            task.uncancel()  # the outcome is still to be stored
            return None, None
        except Exception as error:  # a fault of a connector is one of its receiver's entries alone
            log.error("a connector failed: %s", type(error).__name__)
            return "a fault of the server", False
        finally:
            self._sending.discard(task)

    async def _store(self, claim: Claim, error: str | None) -> None:
        def unit(connection: Connection) -> None:
            if error is None:
                outbox.release(connection, claim)
            elif error:
                wait = round(delay(claim.attempts + 1) * SECOND)
                outbox.failed(connection, claim, error, self._clock() + wait)
            else:
                outbox.applied(connection, claim)

        await self._database.write(unit)


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for them for STOP_TIMEOUT, then cancel them."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=STOP_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def delay(attempts: int) -> float:
    """Seconds to the next try after that many failed ones: doubled each time, spread over half of it."""
    longest = min(FIRST_DELAY * 2 ** min(attempts, _MAX_DOUBLINGS), LONGEST_DELAY)
    return uniform(longest / 2, longest)  # noqa: S311 - spreads load, hides nothing


def _change(connection: Connection, claim: Claim) -> CardChange:
    """The card as it stands: nobody writes meanwhile, and each change of it moves the desired sequence."""
    card = cards.by_id(connection, claim.card_id)
    assert card is not None
    event = user_card_events.by_sequence(connection, claim.sequence)
    return CardChange(claim.sequence, card.create_time if event is None else event.time, card)

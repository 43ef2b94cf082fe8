"""Random histories of several callers at once, recorded and held to the model.

A seed gives the operations, who makes them, which go out together, whose answers are lost, and at which commits a
server dies or its database goes away. With one server the order of the writes is that of the seed too; two servers
race for real.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message
from grpc import aio

from swipegate.api.times import microseconds, timestamp
from swipegate.domain.errors import SwipegateError
from swipegate.service.replacement import pin_context
from swipegate.service.sealing import Sealer
from swipegate.v1 import user_card_pb2 as pb
from tests.databases import Where, look
from tests.invariants import Ask, Event, Image, asking, assert_whole, fold
from tests.model import assignments as model
from tests.model.calls import Request, Slot, answer_of, refusal_of, request_of
from tests.model.linear import UNKNOWN, Call, order_of
from tests.model.stands import KEY, Lost, Stand

ROUNDS = 12
"""Times that calls go out together."""
MOST_AT_ONCE = 5
SLOTS = 3
LARGEST_AUTOMATIC = 6
"""Of the card type whose numbers are given out."""
AUTOMATIC_TYPE = 90
DEADLINE = 60.0
"""Seconds for all of a history."""
T = 1_000_000
"""Dates of the model, in microseconds, are small multiples of it."""


@dataclass
class People:
    """Who and what there is before a history begins."""

    users: list[str]
    nobody: str
    """A user that is not there."""
    systems: list[str]
    """One that is told of its changes, and one that is not."""
    automatic: str
    """A system whose cards of AUTOMATIC_TYPE all get their numbers from it."""


@dataclass(eq=False)
class Sent:
    """One call of the history."""

    slot: Slot | None
    """None: a card with an automatic number."""
    operation: model.Operation
    request: Request
    by: int
    """Which server was asked first."""
    cuts: int = 0
    """Times the caller goes away before the answer."""
    repeats: bool = False
    """It asks again until it is answered."""
    start: int = 0
    end: float = math.inf
    raw: Any = UNKNOWN
    answer: Any = UNKNOWN
    attempts: int = 0

    def __str__(self) -> str:
        name = "automatic" if self.slot is None else self.slot.number
        return f"{self.start}-{self.end} card {name} server {self.by}: {self.operation} -> {self.answer}"


@dataclass
class Listed:
    """One ListUserCards."""

    request: pb.ListUserCardsRequest
    at_least: int
    """The last event of which somebody had heard before."""
    answer: pb.ListUserCardsResponse


@dataclass
class Known:
    """What the callers have learned of a card."""

    keys: list[str] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)


class History:
    """One history on fresh cards of one database."""

    def __init__(
        self, seed: int, where: Where, people: People, stands: Sequence[Stand], sealer: Sealer | None = None
    ) -> None:
        self.chance = random.Random(seed)
        self.where, self.people, self.stands = where, people, stands
        self._sealer = sealer or Sealer(KEY)
        numbers = self.chance.sample(range(1, 100), SLOTS)
        self.slots = [Slot(self.chance.choice(people.systems), number) for number in numbers]
        self._known = {slot.number: Known() for slot in self.slots}
        self._step = 0
        self._heard = 0
        self.sent: list[Sent] = []
        self.listed: list[Listed] = []
        self.watchers = [Watcher(self.stands, None), Watcher(self.stands, random.Random(seed))]

    # making it

    async def run(self, rounds: int = ROUNDS, most_at_once: int = MOST_AT_ONCE) -> None:
        """Make the calls, then hold everything to the model."""
        async with asyncio.timeout(DEADLINE):
            following = [asyncio.create_task(watcher.follow()) for watcher in self.watchers]
            try:
                for _ in range(rounds):
                    await self._round(most_at_once)
                await self._let_watchers_catch_up(following)
            finally:
                for task in following:
                    task.cancel()
                await asyncio.gather(*following, return_exceptions=True)
        self.hold()

    async def _round(self, most_at_once: int) -> None:
        planned = [self._plan() for _ in range(self.chance.randint(1, most_at_once))]
        lists = [self._plan_list() for _ in range(self.chance.choice((0, 0, 1)))]
        first = planned[0]
        twins = (
            [replace(first, by=first.by + 1, cuts=0)] if first.repeats and self.chance.random() < 0.3 else []
        )
        calls: list[Awaitable[None]] = [self._make(sent) for sent in (*planned, *twins)]
        calls += [self._list(request) for request in lists]
        await asyncio.gather(*calls)
        for twin in twins:
            self._merge(first, twin)
        if self.chance.random() < 0.3:
            await self._repeat()
        for sent in planned:
            self._learn(sent)

    def _plan(self) -> Sent:
        chance = self.chance
        if chance.random() < 0.08:
            slot, operation = None, model.Replace(chance.choice(self.people.users), self._users, True)
        else:
            slot = chance.choice(self.slots)
            operation = self._operation(slot)
        repeatable = isinstance(operation, model.Replace | model.Undo) and chance.random() < 0.7
        request_id = f"{chance.getrandbits(64):x}" if repeatable else ""
        if slot is None:
            slot_of_request = Slot(self.people.automatic, 0)
            request = request_of(slot_of_request, operation, request_id)
            request.message.card_type = AUTOMATIC_TYPE  # type: ignore[attr-defined]
            request.message.external_card_number = "automatic"  # type: ignore[attr-defined]
        else:
            request = request_of(slot, operation, request_id)
        cuts = chance.choice((1, 1, 2)) if chance.random() < 0.1 else 0
        by = chance.randrange(len(self.stands))
        return Sent(slot, operation, request, by, cuts, repeatable)

    @property
    def _users(self) -> frozenset[str]:
        return frozenset(self.people.users)

    def _operation(self, slot: Slot) -> model.Operation:
        chance, known = self.chance, self._known[slot.number]
        if not slot.card_id:
            return self._replace(slot)
        kinds = ["replace", "mark", "get"]
        weights = [8, 2, 3]
        if known.keys:
            kinds += ["remove", "update"]
            weights += [2, 3]
        if known.sequences:
            kinds.append("undo")
            weights.append(4)
        match chance.choices(kinds, weights)[0]:
            case "replace":
                return self._replace(slot)
            case "mark":
                return model.Mark(chance.choice(("GOOD", "GOOD", "LOST", "STOLEN")))
            case "get":
                return model.Get()
            case "remove":
                return model.Remove(self._recent(known.keys))
            case "update":
                names = chance.sample(("activation", "deactivation", "flags", "pin"), chance.randint(1, 2))
                return model.Update(self._recent(known.keys), tuple((n, self._value(n)) for n in names))
        return model.Undo(self._recent(known.sequences))

    def _recent(self, known: list[Any]) -> Any:
        return known[-1] if self.chance.random() < 0.7 else self.chance.choice(known)

    def _value(self, name: str) -> Any:
        if name == "flags":
            return self.chance.randrange(128)
        if name == "pin":
            return self.chance.choice((None, "0", "4711", "0815"))
        return self.chance.choice((None, 10 * T, 20 * T, 30 * T))

    def _replace(self, slot: Slot) -> model.Replace:
        chance = self.chance
        user = self.people.nobody if chance.random() < 0.04 else chance.choice(self.people.users)
        by_number = not slot.card_id or chance.random() < 0.4
        printed = f"ext-{slot.number}" if chance.random() > 0.05 else "another"
        names = ("activation", "deactivation", "flags", "pin")
        fields = {name: self._value(name) for name in names if chance.random() < 0.25}
        if chance.random() < 0.25:
            fields["expected"] = chance.choice(["", *self.people.users])
        validate = chance.random() < 0.1
        return model.Replace(
            user, self._users, by_number, printed if by_number else None, validate=validate, **fields
        )

    def _learn(self, sent: Sent) -> None:
        """What the callers know after a round, in the order in which it was planned."""
        if sent.slot is None:
            return
        known, answer = self._known[sent.slot.number], sent.answer
        if isinstance(answer, model.Replaced) and answer.key is not None:
            if not sent.operation.validate:  # type: ignore[union-attr]
                assert sent.slot.card_id in ("", sent.raw.card_id), "one number, two cards"
                sent.slot.card_id = sent.raw.card_id
            key: Any = answer.key
        elif isinstance(answer, model.Stands) and answer.holding is not None:
            key = answer.holding.key
        else:
            key = None
        if key is not None and key not in known.keys:
            known.keys.append(key)
        sequence = answer[1] if isinstance(answer, tuple) else getattr(answer, "sequence", 0)
        if sequence and sequence not in known.sequences:
            known.sequences.append(sequence)

    # one call

    def _tick(self) -> int:
        self._step += 1
        return self._step

    async def _make(self, sent: Sent) -> None:
        self.sent.append(sent)
        sent.start = self._tick()
        number = sent.by
        gone = False
        while True:
            cut = sent.attempts < sent.cuts
            stand = self.stands[number % len(self.stands)]
            sent.attempts += 1
            try:
                sent.raw = await stand.call(sent.request, cut=cut)
                sent.answer = answer_of(sent.operation, sent.raw)
            except Lost:
                gone |= cut
            except Exception as error:
                sent.answer = refusal_of(error)
            if sent.answer is not UNKNOWN:
                break
            await stand.mend()
            if not sent.repeats:
                break
            number += 1
        # a caller who went away cannot know when what it asked for is done
        sent.end = math.inf if gone and sent.answer is UNKNOWN else self._tick()
        if gone and isinstance(sent.answer, model.Refused):
            # a refusal is not remembered: what was asked before the caller went away may yet be done
            self.sent.append(replace(sent, raw=UNKNOWN, answer=UNKNOWN, end=math.inf))
        self._hear(sent.answer)

    def _hear(self, answer: Any) -> None:
        sequence = answer[1] if isinstance(answer, tuple) else getattr(answer, "sequence", 0)
        self._heard = max(self._heard, sequence)

    def _merge(self, first: Sent, again: Sent) -> None:
        """The very same call came twice at the same time: with a request_id it was done once."""
        if self._rehearses(first) or not (isinstance(first.raw, Message) and isinstance(again.raw, Message)):
            return  # nothing was kept: two calls
        assert first.raw == again.raw, "one request_id, two answers"
        self.sent.remove(again)
        first.start, first.end = min(first.start, again.start), min(first.end, again.end)

    async def _repeat(self) -> None:
        """An old request_id gives the old answer, and no other body may use it."""
        old = [sent for sent in self.sent if sent.repeats and isinstance(sent.raw, Message)]
        if not old:
            return
        sent = self.chance.choice(old)
        stand = self.stands[self.chance.randrange(len(self.stands))]
        if self._rehearses(sent):
            return  # nothing was kept
        assert await self._surely(stand, sent.request) == sent.raw, "a repeat is answered otherwise"
        other = type(sent.request.message).FromString(sent.request.message.SerializeToString())
        if isinstance(sent.operation, model.Replace):
            other.card_user_flags = (other.card_user_flags + 1) % 128  # type: ignore[attr-defined]
        else:
            other.sequence += 1  # type: ignore[attr-defined]
        answer = await self._surely(stand, Request(sent.request.service, sent.request.method, other))
        assert answer == model.Refused("REQUEST_ID_REUSED"), answer

    def _rehearses(self, sent: Sent) -> bool:
        return isinstance(sent.operation, model.Replace) and sent.operation.validate

    async def _surely(self, stand: Stand, request: Request) -> Any:
        """The answer, however often it has to be asked for."""
        while True:
            try:
                return await stand.call(request, cut=False)
            except Lost:
                pass
            except Exception as error:
                refusal = refusal_of(error)
                if refusal is not UNKNOWN:
                    return refusal
            await stand.mend()

    # reading lists

    def _plan_list(self) -> pb.ListUserCardsRequest:
        chance = self.chance
        request = pb.ListUserCardsRequest()
        cards = [slot.card_id for slot in self.slots if slot.card_id]
        if not cards or chance.random() < 0.5:
            request.user_id = chance.choice(self.people.users)
        else:
            request.card_id = chance.choice(cards)
        match chance.choice(("now", "as of", "ever")):
            case "as of":
                # a time of the history: that of something which was answered
                times = [sent.raw.user_card.start_time for sent in self.sent if _shows(sent.raw)]
                request.as_of.CopyFrom(chance.choice(times) if times else timestamp(T))
            case "ever":
                request.include_ended = True
        return request

    async def _list(self, request: pb.ListUserCardsRequest) -> None:
        at_least = self._heard
        stand = self.stands[self.chance.randrange(len(self.stands))]
        answer = await self._surely(stand, Request("user_cards", "ListUserCards", request))
        assert isinstance(answer, pb.ListUserCardsResponse), answer
        self.listed.append(Listed(request, at_least, answer))
        self._heard = max(self._heard, answer.sequence)

    async def _settle(self, stand: Stand) -> None:
        """What callers who went away have asked for is done: the writer takes calls in turn, and this is one more."""
        nothing = pb.ReplaceCardIfExistsRequest(
            user_id=self.people.nobody, card_id=self.people.nobody, validate_only=True
        )
        answer = await self._surely(stand, Request("user_cards", "ReplaceCardIfExists", nothing))
        assert answer.reason == "CARD_NOT_FOUND", answer

    async def _let_watchers_catch_up(self, following: list[asyncio.Task[None]]) -> None:
        for stand in self.stands:
            await stand.mend()
            await self._settle(stand)
        (last,) = (await asyncio.to_thread(look, self.where, "SELECT max(sequence) FROM user_card_event"))[0]
        while any(watcher.last < (last or 0) for watcher in self.watchers):
            for stand in self.stands:
                stand.ring()
            for task in following:
                if task.done():
                    task.result()
            await asyncio.sleep(0.002)

    # what must hold

    def hold(self) -> None:
        """The database is whole, its events explain it, and every answer is one of the model."""
        events = assert_whole(self.where)
        sequences = [event.sequence for event in events]
        for watcher in self.watchers:
            assert watcher.seen == sequences, "a watcher missed something, or saw it twice"
        self._hold_answers(events)
        for listed in self.listed:
            assert listed.answer.sequence >= listed.at_least, "an old page"
            assert [_image(one) for one in listed.answer.user_cards] == _expected(events, listed)
        with asking(self.where) as ask:
            for slot in self.slots:
                self._hold_card(slot, ask)
            self._hold_automatic(ask)

    def _hold_answers(self, events: list[Event]) -> None:
        """Each answer names the one event that its call made."""
        by_sequence = {event.sequence: event for event in events}
        named: set[int] = set()
        for sent in self.sent:
            if sent.raw is UNKNOWN or not getattr(sent.raw, "sequence", 0):
                continue
            assert sent.raw.sequence not in named, "two calls, one event"
            named.add(sent.raw.sequence)
            event = by_sequence[sent.raw.sequence]
            if isinstance(sent.operation, model.Replace):
                assert event.card_id == sent.raw.card_id
                assert event.after is not None
                assert event.after["user_card_id"] == sent.raw.value
            elif isinstance(sent.operation, model.Undo):
                assert event.undid_sequence == sent.operation.sequence

    def _hold_card(self, slot: Slot, ask: Ask) -> None:
        calls = [
            Call(sent.operation, sent.start, sent.end, sent.answer)
            for sent in self.sent
            if sent.slot is slot and not (sent.answer is UNKNOWN and isinstance(sent.operation, model.Get))
        ]
        calls.append(Call(model.Peek(), self._tick(), self._tick(), self._peek(slot, ask)))
        if order_of(model.Card(), calls, model.step) is None:
            lines = "\n".join(str(call) for call in sorted(calls, key=lambda call: call.start))
            raise AssertionError(f"no order of these calls gives these answers:\n{lines}")

    def _peek(self, slot: Slot, ask: Ask) -> model.Peeked | None:
        card = ask(
            "SELECT card_id, status FROM card WHERE ac_system_id = :system AND internal_card_number = :number",
            system=slot.system,
            number=slot.number,
        )
        if not card:
            return None
        ((card_id, status),) = card
        rows = ask(
            "SELECT user_card_id, user_id, activation_time, deactivation_time, card_user_flags, sealed_pin"
            " FROM user_card WHERE card_id = :card AND end_time IS NULL",
            card=card_id,
        )
        if not rows:
            return model.Peeked(status, None)
        (*plain, sealed) = rows[0]
        pin = None if sealed is None else self._sealer.unseal(bytes(sealed), pin_context(plain[0])).decode()
        return model.Peeked(status, model.Holding(*plain, pin=pin))

    def _hold_automatic(self, ask: Ask) -> None:
        """Numbers are given out in order, each once, with no gap for what was undone."""
        asked = [sent for sent in self.sent if sent.slot is None]
        there = [
            number
            for (number,) in ask(
                "SELECT internal_card_number FROM card WHERE ac_system_id = :system ORDER BY 1",
                system=self.people.automatic,
            )
        ]
        assert there == list(range(1, len(there) + 1)), "a number was lost"
        given = [sent for sent in asked if isinstance(sent.answer, model.Replaced)]
        numbers = [sent.raw.internal_card_number for sent in given]
        assert len(numbers) == len(set(numbers)), "a number was given twice"
        assert set(numbers) <= set(there)
        unknown = sum(sent.answer is UNKNOWN for sent in asked)
        assert len(given) <= len(there) <= len(given) + unknown
        for sent in asked:
            if isinstance(sent.answer, model.Refused):
                assert sent.answer.reason == "NO_FREE_CARD_NUMBER", sent
                assert len(there) == LARGEST_AUTOMATIC
        for first in given:
            for second in given:
                if first.end < second.start:
                    assert first.raw.internal_card_number < second.raw.internal_card_number


class Watcher:
    """Follows the events; with `chance` it leaves after some of them and comes again after the last it saw."""

    def __init__(self, stands: Sequence[Stand], chance: random.Random | None) -> None:
        self._stands, self._chance = stands, chance
        self.seen: list[int] = []
        self.resumed = 0

    @property
    def last(self) -> int:
        """Sequence of the last event it saw."""
        return self.seen[-1] if self.seen else 0

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            number = self._chance.randrange(len(self._stands)) if self._chance else 0
            left = self._chance.randint(1, 5) if self._chance else -1
            watching = self._stands[number].watch(self.last)
            try:
                async with contextlib.aclosing(watching):  # type: ignore[type-var]
                    async for event in watching:
                        self.seen.append(event.sequence)
                        left -= 1
                        if left == 0:
                            break
            except (SwipegateError, aio.AioRpcError):
                await asyncio.sleep(0.001)  # it died: come again
            self.resumed += 1


def _shows(raw: Any) -> bool:
    return (
        isinstance(raw, Message)
        and "user_card" in raw.DESCRIPTOR.fields_by_name
        and raw.HasField("user_card")  # type: ignore[attr-defined]
    )


def _image(shown: pb.UserCard) -> tuple[str, str, str, int | None]:
    end = microseconds("end_time", shown.end_time) if shown.HasField("end_time") else None
    return shown.user_card_id, shown.card_id, shown.user_id, end


def _expected(events: list[Event], listed: Listed) -> list[tuple[str, str, str, int | None]]:
    """What the page must hold: the assignments as the events up to its sequence tell them."""
    request = listed.request
    before = [event for event in events if event.sequence <= listed.answer.sequence]
    told = {
        image["user_card_id"]: (card_id, image)
        for card_id, card in fold(before).items()
        for image in card.assignments.values()
    }
    order = [event.after["user_card_id"] for event in before if event.after is not None]
    found = [told[key] for key in dict.fromkeys(order)]
    as_of = microseconds("as_of", request.as_of) if request.HasField("as_of") else None
    return [
        (image["user_card_id"], card_id, image["user_id"], image["end_time"])
        for card_id, image in found
        if request.user_id in ("", image["user_id"])
        and request.card_id in ("", card_id)
        and (request.include_ended or _stands_at(image, as_of))
    ]


def _stands_at(image: Image, as_of: int | None) -> bool:
    if as_of is None:
        return image["end_time"] is None
    return image["start_time"] <= as_of and (image["end_time"] is None or image["end_time"] > as_of)

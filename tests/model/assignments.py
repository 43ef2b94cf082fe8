"""A card as a sequential program would keep it: what may be asked of it, and what it must answer.

The operations, their answers, and `step`, which says how one leads from a state to the next. Whoever asks knows
assignments by their primary keys and events by their sequences; those of a call whose answer was lost nobody knows
until another answer names them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.model.linear import UNKNOWN, Unknown

Key = str | Unknown
Sequence = int | Unknown


@dataclass(frozen=True)
class Holding:
    """Who holds the card, and how."""

    key: Key
    user: str
    activation: int | None = None
    deactivation: int | None = None
    flags: int = 0
    pin: str | None = None


@dataclass(frozen=True)
class Event:
    """The last thing that happened to the card."""

    sequence: Sequence
    kind: str
    before: Holding | None
    after: Holding | None


@dataclass(frozen=True)
class Card:
    """The state: a card that may not be there yet."""

    printed: str | None = None
    """Its external number; None: there is no such card."""
    status: str = "GOOD"
    holding: Holding | None = None
    last: Event | None = None
    floor: int = 0
    """The largest sequence known of it."""
    seen: frozenset[str] = frozenset()
    """Keys of assignments known to have been made."""
    marks: frozenset[int] = frozenset()
    """Sequences of events that cannot be undone."""


@dataclass(frozen=True)
class Replace:
    """ReplaceCardIfExists. None where a field was not given."""

    user: str
    users: frozenset[str]
    """Who there is."""
    by_number: bool = False
    printed: str | None = None
    activation: int | None = None
    deactivation: int | None = None
    flags: int | None = None
    pin: str | None = None
    expected: str | None = None
    validate: bool = False


@dataclass(frozen=True)
class Remove:
    """RemoveUserCard."""

    key: str


@dataclass(frozen=True)
class Update:
    """UpdateUserCard."""

    key: str
    changes: tuple[tuple[str, Any], ...]
    """Fields of Holding with their new values."""


@dataclass(frozen=True)
class Mark:
    """MarkCard."""

    status: str


@dataclass(frozen=True)
class Undo:
    """UndoUserCardEvent."""

    sequence: int


@dataclass(frozen=True)
class Get:
    """GetCard."""


@dataclass(frozen=True)
class Peek:
    """A look into the database at the end of it all."""


Operation = Replace | Remove | Update | Mark | Undo | Get | Peek


@dataclass(frozen=True)
class Refused:
    """An error: its reason, and what its metadata says that the model knows."""

    reason: str
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Replaced:
    """Success of a replacement. `key` is None where a rehearsal would make a new assignment."""

    previous: str | None
    current: str
    key: str | None
    created: bool
    printed: str
    sequence: int


@dataclass(frozen=True)
class Stands:
    """How an assignment stands after the call; None: nobody holds the card. No answer carries the PIN."""

    holding: Holding | None
    ended: bool
    has_pin: bool
    sequence: int


@dataclass(frozen=True)
class Found:
    """A card as it was read."""

    key: str | None
    user: str | None
    status: str


@dataclass(frozen=True)
class Peeked:
    """A card as it is stored."""

    status: str
    holding: Holding | None


def step(card: Card, operation: Operation, answer: Any) -> Iterator[Card]:
    """The states after an operation that is answered like this."""
    yield from _STEPS[type(operation)](card, operation, answer)


def _replace(card: Card, asked: Replace, answer: Any) -> Iterator[Card]:
    created = card.printed is None
    at = replace(card, printed=asked.printed) if created else card
    refusal = _refusal(at, asked)
    if refusal is not None:
        if answer == refusal:
            yield card
        return
    holding, previous = at.holding, at.holding.user if at.holding else None
    if holding is not None and holding.user == asked.user:
        yield from _amend(card, asked, holding, answer)
        return
    if asked.validate:
        if answer is UNKNOWN or answer == Replaced(previous, asked.user, None, created, at.printed or "", 0):
            yield card
        return
    if isinstance(answer, Replaced):
        expected = Replaced(previous, asked.user, answer.key, created, at.printed or "", answer.sequence)
        if answer != expected or answer.key is None:
            return
    elif answer is not UNKNOWN:
        return
    key: Key = UNKNOWN if answer is UNKNOWN else answer.key
    new = Holding(key, asked.user, asked.activation, asked.deactivation, asked.flags or 0, asked.pin)
    kind = "REPLACED" if holding else "ASSIGNED"
    yield from _happened(at, kind, new, UNKNOWN if answer is UNKNOWN else answer.sequence)


def _refusal(card: Card, asked: Replace) -> Refused | None:
    if not _in_order(asked):
        return _WINDOW
    if asked.by_number and asked.printed != card.printed:
        return Refused("CARD_MISMATCH", (("field", "external_card_number"),))
    if asked.user not in asked.users:
        return Refused("USER_NOT_FOUND", (("user_id", asked.user),))
    if card.status != "GOOD":
        return Refused("CARD_LOST_OR_STOLEN", (("status", card.status),))
    holder = card.holding.user if card.holding else None
    if asked.expected is not None and holder not in (None, asked.expected, asked.user):
        return Refused("HOLDER_CHANGED", (("user_id", holder),))
    return None


def _amend(card: Card, asked: Replace, holding: Holding, answer: Any) -> Iterator[Card]:
    """The same holder again."""
    names = ("activation", "deactivation", "flags", "pin")
    given = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    changed = replace(holding, **given)
    if not _in_order(changed):
        if answer == _WINDOW:
            yield card
        return
    nothing = changed == holding and asked.pin is None
    if answer is UNKNOWN:
        yield from [card] if nothing or asked.validate else _happened(card, "UPDATED", changed, UNKNOWN)
        return
    if not isinstance(answer, Replaced) or (answer.sequence == 0) != (nothing or asked.validate):
        return
    expected = Replaced(asked.user, asked.user, answer.key, False, card.printed or "", answer.sequence)
    if answer != expected or answer.key is None:
        return
    for known in _named(card, answer.key):
        if known.holding is None or known.holding.key != answer.key:
            continue
        if nothing or asked.validate:
            yield known
        else:
            yield from _happened(known, "UPDATED", replace(known.holding, **given), answer.sequence)


def _remove(card: Card, asked: Remove, answer: Any) -> Iterator[Card]:
    for known in _named(card, asked.key):
        if known.holding is None or known.holding.key != asked.key:
            if answer is UNKNOWN or (isinstance(answer, Stands) and answer.ended and answer.sequence == 0):
                yield known
        elif answer is UNKNOWN:
            yield from _happened(known, "REMOVED", None, UNKNOWN)
        elif isinstance(answer, Stands) and answer.ended and _pictures(answer, known.holding):
            yield from _happened(known, "REMOVED", None, answer.sequence)


def _update(card: Card, asked: Update, answer: Any) -> Iterator[Card]:
    for known in _named(card, asked.key):
        if known.holding is None or known.holding.key != asked.key:
            if answer == Refused("USER_CARD_ENDED", (("user_card_id", asked.key),)):
                yield known
            continue
        changes = dict(asked.changes)
        changed = replace(known.holding, **changes)
        if not _in_order(changed):
            if answer == _WINDOW:
                yield known
            continue
        pin_set = changes.get("pin") is not None or ("pin" in changes and known.holding.pin is not None)
        nothing = not pin_set and replace(changed, pin=None) == replace(known.holding, pin=None)
        if answer is UNKNOWN:
            yield from [known] if nothing else _happened(known, "UPDATED", changed, UNKNOWN)
        elif isinstance(answer, Stands) and not answer.ended and _pictures(answer, changed):
            if nothing and answer.sequence == 0:
                yield known
            elif not nothing:
                yield from _happened(known, "UPDATED", changed, answer.sequence)


def _mark(card: Card, asked: Mark, answer: Any) -> Iterator[Card]:
    holding, marked = card.holding, replace(card, status=asked.status)
    if answer is UNKNOWN:
        if asked.status != card.status:
            yield from _happened(marked, "MARKED", holding, UNKNOWN)
        return
    found, sequence = answer
    for known in _named(marked, found.key):
        if not _is_found(known, found):
            continue
        if asked.status == card.status and sequence == 0:
            yield known
        elif asked.status != card.status:
            yield from _happened(known, "MARKED", known.holding, sequence)


def _undo(card: Card, asked: Undo, answer: Any) -> Iterator[Card]:
    if asked.sequence in card.marks:
        if answer == Refused("NOT_UNDOABLE", (("kind", "MARKED"), ("sequence", str(asked.sequence)))):
            yield card
        return
    last = card.last
    if last is None:
        return
    if last.sequence != asked.sequence:
        if isinstance(answer, Refused) and answer.reason == "CARD_CHANGED_SINCE":
            metadata = dict(answer.metadata)
            for known in _numbered(card, int(metadata["last_sequence"])):
                if metadata["sequence"] == str(asked.sequence):
                    yield known
        return
    if last.kind != "UPDATED" and last.before is not None and card.status != "GOOD":
        if answer == Refused("CARD_LOST_OR_STOLEN", (("status", card.status),)):
            yield card
        return
    if answer is not UNKNOWN and not isinstance(answer, Stands):
        return
    yield from _taken_back(card, last, answer)


def _taken_back(card: Card, last: Event, answer: Any) -> Iterator[Card]:
    """The card with its last event undone."""
    sequence: Sequence = UNKNOWN if answer is UNKNOWN else answer.sequence
    restored = last.before
    if last.kind == "UPDATED":
        assert card.holding is not None
        assert restored is not None
        restored = replace(restored, key=card.holding.key)
        if answer is UNKNOWN:
            yield from _happened(card, "UPDATED", restored, UNKNOWN)
            return
        for known in _named(card, answer.holding.key if answer.holding else None):
            assert known.holding is not None
            restored = replace(restored, key=known.holding.key)
            if not answer.ended and _pictures(answer, restored):
                yield from _happened(known, "UPDATED", restored, sequence)
        return
    if restored is not None:
        key = UNKNOWN if answer is UNKNOWN else answer.holding.key if answer.holding else None
        if key is None or key == restored.key:
            return  # it must be a new assignment
        restored = replace(restored, key=key)
    kind = {(True, True): "REPLACED", (True, False): "REMOVED", (False, True): "ASSIGNED"}
    if answer is UNKNOWN or (not answer.ended and _pictures(answer, restored)):
        yield from _happened(card, kind[card.holding is not None, restored is not None], restored, sequence)


def _get(card: Card, _asked: Get, answer: Any) -> Iterator[Card]:
    if answer is UNKNOWN:
        yield card
        return
    if isinstance(answer, Found) and card.printed is not None:
        yield from (known for known in _named(card, answer.key) if _is_found(known, answer))


def _peek(card: Card, _asked: Peek, answer: Peeked | None) -> Iterator[Card]:
    if answer is None:
        if card.printed is None:
            yield card
        return
    for known in _named(card, answer.holding.key if answer.holding else None):
        if known.printed is not None and (known.status, known.holding) == (answer.status, answer.holding):
            yield known


_STEPS: Mapping[type, Any] = {
    Replace: _replace,
    Remove: _remove,
    Update: _update,
    Mark: _mark,
    Undo: _undo,
    Get: _get,
    Peek: _peek,
}


def _happened(card: Card, kind: str, after: Holding | None, sequence: Sequence) -> Iterator[Card]:
    """The card after one more event, whose sequence must be larger than every one before."""
    if isinstance(sequence, int) and sequence <= card.floor:
        return
    key = after.key if after else None
    if kind not in _KEEPS and isinstance(key, str) and key in card.seen:
        return  # an assignment is made once
    yield replace(
        card,
        holding=after,
        last=Event(sequence, kind, card.holding, after),
        floor=sequence if isinstance(sequence, int) else card.floor,
        seen=card.seen | {key} if isinstance(key, str) else card.seen,
        marks=card.marks | {sequence} if kind == "MARKED" and isinstance(sequence, int) else card.marks,
    )


def _named(card: Card, key: str | Unknown | None) -> Iterator[Card]:
    """The card as it is, and with that key for the assignment that stands where nobody knew its key."""
    held = card.holding
    if not isinstance(key, str) or held is None or held.key is not UNKNOWN or key in card.seen:
        yield card
        return
    yield replace(card, seen=card.seen | {key})  # another one of which nobody heard
    known = replace(held, key=key)
    last = card.last
    if last is not None:
        before = replace(last.before, key=key) if last.before and last.kind in _KEEPS else last.before
        last = replace(last, before=before, after=known)
    yield replace(card, holding=known, last=last, seen=card.seen | {key})


_KEEPS = ("UPDATED", "MARKED")
"""Kinds of events before and after which the same assignment stands."""


def _numbered(card: Card, sequence: int) -> Iterator[Card]:
    """The card where its last event has that sequence, or may have it."""
    last = card.last
    if last is None:
        return
    if last.sequence == sequence:
        yield card
    elif last.sequence is UNKNOWN and sequence > card.floor:
        marks = card.marks | {sequence} if last.kind == "MARKED" else card.marks
        yield replace(card, last=replace(last, sequence=sequence), floor=sequence, marks=marks)


def _is_found(card: Card, found: Found) -> bool:
    held = card.holding
    key, user = (held.key, held.user) if held else (None, None)
    return (key, user, card.status) == (found.key, found.user, found.status)


def _pictures(answer: Stands, holding: Holding | None) -> bool:
    """Whether the answer shows the assignment: all of it but the PIN."""
    if holding is None or answer.holding is None:
        return holding is None and answer.holding is None
    shown = replace(holding, pin=None) == replace(answer.holding, pin=None)
    return shown and answer.has_pin == (holding.pin is not None)


_WINDOW = Refused("INVALID_FIELD", (("field", "card_deactivation_start_date_time"),))


def _in_order(dates: Holding | Replace) -> bool:
    first, last = dates.activation, dates.deactivation
    return first is None or last is None or first < last

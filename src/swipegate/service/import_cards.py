"""A batch of cards with their holders: one transaction, in which a row that is refused takes no other with it.

What the rows name is looked up at once, the rows are then judged one after another against that picture, which each
row that is taken changes, and what came of it is stored at once. The writer is alone (store/engine.py), so the
picture stays right. The rules and the traces of a row are those of service/replacement.py.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.authority import Principal
from swipegate.domain.bulk_import import Refused, Report, Rows
from swipegate.domain.card import Card, CardType
from swipegate.domain.errors import SwipegateError
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user_card import EventKind, UserCard, UserCardEvent
from swipegate.service.identifiers import ordered
from swipegate.service.replacement import check_good, replace_card, time_after
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import event_of, record_all
from swipegate.store import ac_systems, card_types, cards, user_cards, users
from swipegate.v1 import error_pb2

_Key = tuple[str | None, int | None, int | None, int | None]


@dataclass(slots=True)
class CardImport:
    """What a batch is taken under."""

    sealer: Sealer
    principal: Principal
    now: int
    """Microseconds UTC."""
    take_over: bool = False
    """Whether cards are taken from users who hold them."""


def import_cards(connection: Connection, rows: Rows[ReplaceCard], under: CardImport) -> Report:
    """Create and assign them. A row names the card by its number; its user_id is empty for nobody."""
    report = Report()
    batch = _Batch(connection, under)
    batch.look_up([row for row in rows if isinstance(row, ReplaceCard)])
    for number, row in enumerate(rows):
        try:
            if isinstance(row, SwipegateError):
                raise row
            if batch.take(row):
                report.created += 1
            else:
                report.unchanged += 1
        except SwipegateError as error:
            report.refused.append(Refused(number, error))
    batch.store()
    return report


@dataclass(slots=True)
class _Plan:
    """What is to be stored."""

    cards: list[Card] = field(default_factory=list)
    user_cards: list[UserCard] = field(default_factory=list)
    changes: list[tuple[Card, UserCardEvent]] = field(default_factory=list)


class _Batch:
    """How things stand for the rows of a batch, those before the present one included."""

    def __init__(self, connection: Connection, under: CardImport) -> None:
        self._connection = connection
        self._under = under
        self._cards: dict[_Key, Card] = {}
        self._holders: dict[_Key, str | None] = {}
        """Of those cards now; what a card holds itself is how it was."""
        self._users: set[str] = set()
        self._systems: dict[str, AcSystem | None] = {}
        self._types: dict[int, CardType | None] = {}
        self._ids: Iterator[str] = iter(())
        self._plan = _Plan()

    def look_up(self, rows: Sequence[ReplaceCard]) -> None:
        """Find what the rows name."""
        numbers: dict[tuple[str, int, int | None], set[int]] = defaultdict(set)
        for row in rows:
            system, kind = row.card_ac_system_id or "", row.card_type or 0
            numbers[system, kind, row.facility_code].add(row.internal_card_number or 0)
        for (system, kind, facility), wanted in numbers.items():
            for card in cards.by_numbers(self._connection, system, kind, facility, sorted(wanted)):
                self._know(_key_of_card(card), card)
        self._users = users.existing(self._connection, sorted({row.user_id for row in rows if row.user_id}))
        self._systems = {key: ac_systems.by_id(self._connection, key) for key, *_ in numbers}
        self._types = {key: card_types.by_number(self._connection, key) for _, key, _ in numbers}
        self._ids = ordered(2 * len(rows), self._under.now)

    def take(self, row: ReplaceCard) -> bool:
        """Whether the row changes anything. Raises what refuses it."""
        key = (row.card_ac_system_id, row.card_type, row.facility_code, row.internal_card_number)
        card = self._cards.get(key)
        if card is None:
            card = self._new(row)
            self._plan.cards.append(card)
            self._give(key, card, row.user_id)
            return True
        holder = self._holders[key]
        self._check(row, card, holder)
        if holder == (row.user_id or None):
            return False
        if holder is None:
            self._give(key, card, row.user_id)
        else:
            self._take_over(key, row)
        return True

    def store(self) -> None:
        """Write what the rows so far have changed."""
        connection, plan = self._connection, self._plan
        self._plan = _Plan()
        cards.add_all(connection, plan.cards)
        user_cards.assign_all(connection, plan.user_cards)
        record_all(connection, plan.changes)

    def _new(self, row: ReplaceCard) -> Card:
        number, system_id = row.card_type or 0, row.card_ac_system_id or ""
        kind, system = self._types[number], self._systems[system_id]
        if kind is None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_NOT_FOUND, card_type=number)
        row.check_new_card(kind)
        if system is None:
            raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_NOT_FOUND, ac_system_id=system_id)
        self._check_user(row)
        return Card(
            card_id=next(self._ids),
            ac_system_id=system_id,
            card_type=number,
            internal_card_number=row.internal_card_number or 0,
            external_card_number=row.external_card_number or "",
            facility_code=row.facility_code,
            issue_code=row.issue_code,
            card_serial_number=row.card_serial_number,
            create_time=self._under.now,
            delivered=system.webhook is not None,
        )

    def _check(self, row: ReplaceCard, card: Card, holder: str | None) -> None:
        different = row.mismatch(card)
        if different is not None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_EXISTS, field=different, card_id=card.card_id)
        if row.user_id:
            self._check_user(row)
            check_good(card)
        if holder not in (None, row.user_id) and not (self._under.take_over and row.user_id):
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_HELD, card_id=card.card_id, user_id=holder)

    def _check_user(self, row: ReplaceCard) -> None:
        if row.user_id and row.user_id not in self._users:
            raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=row.user_id)

    def _give(self, key: _Key, card: Card, user_id: str) -> None:
        """To a user or, a new card, to nobody."""
        now = time_after(card, self._under.now)
        new = UserCard(next(self._ids), card.card_id, user_id, now) if user_id else None
        kind = EventKind.ASSIGNED if new else EventKind.CREATED
        self._plan.changes.append((card, event_of(self._under.principal, kind, card, new, now)))
        if new is not None:
            self._plan.user_cards.append(new)
        self._cards[key] = card
        self._holders[key] = user_id or None

    def _take_over(self, key: _Key, row: ReplaceCard) -> None:
        """The rare row: as a single call, after what the rows before have changed."""
        self.store()
        under = self._under
        done = replace_card(self._connection, under.sealer, under.principal, row, under.now)
        stands = cards.by_id(self._connection, done.card.card_id)
        assert stands is not None
        self._know(key, stands)

    def _know(self, key: _Key, card: Card) -> None:
        self._cards[key] = card
        self._holders[key] = card.user_id


def _key_of_card(card: Card) -> _Key:
    return (card.ac_system_id, card.card_type, card.facility_code, card.internal_card_number)

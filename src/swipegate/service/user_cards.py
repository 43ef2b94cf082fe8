"""ReplaceCardIfExists: give a card to a user, taking it from whoever holds it."""

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.errors import SwipegateError
from swipegate.domain.user_card import Card, CardStatus, CardType, ReplaceCard, ReplaceResult
from swipegate.service.clock import Clock
from swipegate.service.idempotency import Repeats, check_request_id
from swipegate.service.sealing import Sealer
from swipegate.store import ac_systems, cards, user_cards, users
from swipegate.store.database import Database
from swipegate.v1 import error_pb2

METHOD = "ReplaceCardIfExists"


class UserCards:
    """Assignments of cards to users."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._repeats = Repeats(sealer)
        self._clock = clock

    async def replace(
        self,
        principal: Principal,
        command: ReplaceCard,
        request_id: str,
        body: bytes,
        encode: Callable[[ReplaceResult], bytes],
    ) -> bytes:
        """The encoded result, durable. `body` is the whole request, by which a repeat is recognised.

        Raises what the contract of ReplaceCardIfExists lists; then nothing has changed.
        """
        command.check()
        check_request_id(request_id)

        def unit(connection: Connection) -> bytes:
            now = self._clock()
            return self._repeats.once(
                connection,
                principal,
                METHOD,
                request_id,
                body,
                now,
                lambda: encode(self._replace(connection, principal, command, now)),
            )

        return await self._database.write(unit)

    def _replace(
        self, connection: Connection, principal: Principal, command: ReplaceCard, now: int
    ) -> ReplaceResult:
        card = find_or_create_card(connection, command, now)
        self._check(connection, command, card)
        user_card_id, previous = card.user_card_id, card.user_id
        if user_card_id is not None and previous == command.user_id:
            user_cards.amend(connection, user_card_id, command, self._seal_pin(command, user_card_id))
        else:
            if user_card_id is not None:
                user_cards.end(connection, user_card_id, now)
            user_card_id = str(uuid4())
            pin = self._seal_pin(command, user_card_id)
            user_cards.assign(connection, user_card_id, card.card_id, command, pin, now)
        user_cards.record(
            connection,
            principal,
            card_id=card.card_id,
            user_card_id=user_card_id,
            previous=(card.user_card_id, previous),
            current_user_id=command.user_id,
            now=now,
        )
        return ReplaceResult(card, previous, command.user_id, user_card_id)

    def _check(self, connection: Connection, command: ReplaceCard, card: Card) -> None:
        user = users.by_id(connection, command.user_id)
        if user is None:
            raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=command.user_id)
        if card.status is not CardStatus.GOOD:
            raise SwipegateError(
                error_pb2.ERROR_REASON_CARD_LOST_OR_STOLEN, card_id=card.card_id, status=card.status
            )
        if command.enforce_occupancy_system and user.occupancy_ac_system_id != card.ac_system_id:
            raise SwipegateError(
                error_pb2.ERROR_REASON_OCCUPANCY_SYSTEM_MISMATCH,
                card_ac_system_id=card.ac_system_id,
                occupancy=user.occupancy_ac_system_id or "none",
            )

    def _seal_pin(self, command: ReplaceCard, user_card_id: str) -> bytes | None:
        if command.pin is None:
            return None
        return self._sealer.seal(command.pin.encode(), f"pin:{user_card_id}")


def find_or_create_card(connection: Connection, command: ReplaceCard, now: int) -> Card:
    """The card that the command names, created when it names a new one by its number."""
    if command.card_id is not None:
        card = cards.by_id(connection, command.card_id)
        if card is None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_NOT_FOUND, card_id=command.card_id)
        command.check_same_card(card)
        return card
    system, number = command.card_ac_system_id or "", command.internal_card_number or 0
    if number:
        found = cards.by_number(connection, system, command.card_type or 0, command.facility_code, number)
        if found is not None:
            command.check_same_card(found)
            return found
    return _create_card(connection, command, system, number, now)


def _create_card(connection: Connection, command: ReplaceCard, system: str, number: int, now: int) -> Card:
    kind = _type_of(connection, command)
    command.check_new_card(kind)
    if ac_systems.by_id(connection, system) is None:
        raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_NOT_FOUND, ac_system_id=system)
    free = number or cards.next_free_number(connection, system, kind, command.facility_code)
    if free is None:
        raise SwipegateError(
            error_pb2.ERROR_REASON_NO_FREE_CARD_NUMBER, card_type=kind.card_type, ac_system_id=system
        )
    card = Card(
        card_id=str(uuid4()),
        ac_system_id=system,
        card_type=kind.card_type,
        internal_card_number=free,
        external_card_number=command.external_card_number or "",
        facility_code=command.facility_code,
        issue_code=command.issue_code,
        card_serial_number=command.card_serial_number,
        create_time=now,
    )
    cards.add(connection, card)
    return card


def _type_of(connection: Connection, command: ReplaceCard) -> CardType:
    number = command.card_type or 0
    kind = cards.type_by_number(connection, number)
    if kind is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_NOT_FOUND, card_type=number)
    return kind

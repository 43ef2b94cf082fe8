"""Giving a card to a user, taking it from whoever holds it: the one transaction of ReplaceCardIfExists.

The order is fixed: the card, then the user, then the checks, then the assignment, then what others are told. The
writer is alone (store/engine.py), so what was looked up cannot change before the end.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.card import Card, CardStatus, CardType
from swipegate.domain.errors import SwipegateError
from swipegate.domain.replacement import ReplaceCard, ReplaceResult
from swipegate.domain.user_card import EventKind, UserCard, check_window
from swipegate.service import ac_systems
from swipegate.service.identifiers import new as new_identifier
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import event_of, record
from swipegate.store import card_types, cards, user_cards, users
from swipegate.v1 import error_pb2


def replace_card(
    connection: Connection, sealer: Sealer, principal: Principal, command: ReplaceCard, now: int
) -> ReplaceResult:
    """Do it. Raises what the contract of ReplaceCardIfExists lists; the caller's savepoint undoes the rest."""
    card, created = find_or_create_card(connection, command, now)
    _check(connection, command, card)
    holding = card.holding
    if holding is not None and holding.user_id == command.user_id:
        value, sequence = _amend(connection, sealer, principal, command, card, holding, now)
    else:
        value, sequence = _assign(connection, sealer, principal, command, card, now)
    return ReplaceResult(card, card.user_id, command.user_id, value, created, sequence)


def time_after(card: Card, now: int) -> int:
    """The time of a change: never before the card's last one, though the clock was set back or is another's."""
    return max(now, card.change_time)


def pin_context(user_card_id: str) -> str:
    """What a PIN is sealed for."""
    return f"pin:{user_card_id}"


def seal_pin(sealer: Sealer, pin: str | None, user_card_id: str) -> bytes | None:
    """The PIN as it may be stored."""
    return None if pin is None else sealer.seal(pin.encode(), pin_context(user_card_id))


def _assign(
    connection: Connection,
    sealer: Sealer,
    principal: Principal,
    command: ReplaceCard,
    card: Card,
    now: int,
) -> tuple[str, int]:
    now = time_after(card, now)
    if card.holding is not None:
        user_cards.end(connection, card.card_id, now)
    new = UserCard(
        user_card_id=new_identifier(now),
        card_id=card.card_id,
        user_id=command.user_id,
        start_time=now,
        activation_time=command.card_activation_start_date_time,
        deactivation_time=command.card_deactivation_start_date_time,
        card_user_flags=command.card_user_flags or 0,
        has_pin=command.pin is not None,
    )
    user_cards.assign(connection, new, seal_pin(sealer, command.pin, new.user_card_id))
    kind = EventKind.ASSIGNED if card.holding is None else EventKind.REPLACED
    event = event_of(principal, kind, card, new, now, pin_changed=new.has_pin)
    return new.user_card_id, record(connection, card, event)


def _amend(
    connection: Connection,
    sealer: Sealer,
    principal: Principal,
    command: ReplaceCard,
    card: Card,
    holding: UserCard,
    now: int,
) -> tuple[str, int]:
    """The same holder again: no new row, and what the command gives is written over what stands."""
    given: dict[str, Any] = {
        "activation_time": command.card_activation_start_date_time,
        "deactivation_time": command.card_deactivation_start_date_time,
        "card_user_flags": command.card_user_flags,
    }
    changed = replace(holding, **{name: value for name, value in given.items() if value is not None})
    check_window(changed.activation_time, changed.deactivation_time)
    sealed = seal_pin(sealer, command.pin, holding.user_card_id)
    if sealed is None and changed == holding:
        return holding.user_card_id, 0
    now = time_after(card, now)
    return holding.user_card_id, write_amendment(
        connection, principal, card, changed, now, sealed_pin=sealed, pin_changed=sealed is not None
    )


def write_amendment(
    connection: Connection,
    principal: Principal,
    card: Card,
    changed: UserCard,
    now: int,
    *,
    sealed_pin: bytes | None,
    pin_changed: bool,
    undid_sequence: int | None = None,
) -> int:
    """Store new dates, flags and, where it changed, PIN of the assignment that stands; the event's sequence."""
    before = user_cards.sealed_pin(connection, changed.user_card_id)
    after = sealed_pin if pin_changed else before
    changed = replace(changed, has_pin=after is not None)
    user_cards.amend(connection, changed, after)
    event = event_of(
        principal,
        EventKind.UPDATED,
        card,
        changed,
        now,
        pin_changed=pin_changed,
        sealed_pin_before=before if pin_changed else None,
        undid_sequence=undid_sequence,
    )
    return record(connection, card, event)


def _check(connection: Connection, command: ReplaceCard, card: Card) -> None:
    user = users.by_id(connection, command.user_id)
    if user is None:
        raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=command.user_id)
    check_good(card)
    if command.enforce_occupancy_system and user.occupancy_ac_system_id != card.ac_system_id:
        raise SwipegateError(
            error_pb2.ERROR_REASON_OCCUPANCY_SYSTEM_MISMATCH,
            card_ac_system_id=card.ac_system_id,
            occupancy=user.occupancy_ac_system_id or "none",
        )
    command.check_holder(
        card
    )  # last: whoever is asked about the holder is asked about nothing that fails anyway


def check_good(card: Card) -> None:
    """Raise CARD_LOST_OR_STOLEN for a card that nobody may be given."""
    if card.status is not CardStatus.GOOD:
        raise SwipegateError(
            error_pb2.ERROR_REASON_CARD_LOST_OR_STOLEN, card_id=card.card_id, status=card.status
        )


def find_or_create_card(connection: Connection, command: ReplaceCard, now: int) -> tuple[Card, bool]:
    """The card that the command names, and whether it was created, which it is when its number is new."""
    if command.card_id is not None:
        card = cards.by_id(connection, command.card_id)
        if card is None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_NOT_FOUND, card_id=command.card_id)
        command.check_same_card(card)
        return card, False
    system, number = command.card_ac_system_id or "", command.internal_card_number or 0
    if number:
        found = cards.by_number(connection, system, command.card_type or 0, command.facility_code, number)
        if found is not None:
            command.check_same_card(found)
            return found, False
    return _create_card(connection, command, system, number, now), True


def _create_card(connection: Connection, command: ReplaceCard, system_id: str, number: int, now: int) -> Card:
    kind = type_of(connection, command)
    command.check_new_card(kind)
    system = ac_systems.demand(connection, system_id)
    if not number and not system.gives_card_numbers:
        raise SwipegateError(error_pb2.ERROR_REASON_AUTOMATIC_NUMBERS_OFF, ac_system_id=system_id)
    free = number or cards.next_free_number(connection, system_id, kind, command.facility_code)
    if free is None:
        raise SwipegateError(
            error_pb2.ERROR_REASON_NO_FREE_CARD_NUMBER, card_type=kind.card_type, ac_system_id=system_id
        )
    card = Card(
        card_id=new_identifier(now),
        ac_system_id=system_id,
        card_type=kind.card_type,
        internal_card_number=free,
        external_card_number=command.external_card_number or "",
        facility_code=command.facility_code,
        issue_code=command.issue_code,
        card_serial_number=command.card_serial_number,
        create_time=now,
        delivered=system.webhook is not None,
    )
    cards.add(connection, card)
    return card


def type_of(connection: Connection, command: ReplaceCard) -> CardType:
    """The type that the command names. Raises CARD_TYPE_NOT_FOUND."""
    number = command.card_type or 0
    kind = card_types.by_number(connection, number)
    if kind is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_NOT_FOUND, card_type=number)
    return kind

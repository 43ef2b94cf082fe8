"""The model's operations as requests of the real contract, and the real answers in the model's words."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from grpc import aio

from swipegate.api.times import microseconds, timestamp
from swipegate.domain.errors import SwipegateError, name
from swipegate.v1 import card_pb2, user_card_pb2
from tests.model import assignments as model
from tests.model.linear import UNKNOWN
from tests.people import WIEGAND_37, taken_apart

UNCERTAIN = {"DATABASE_UNAVAILABLE", "INTERNAL", "SHUTTING_DOWN", "DEADLINE_EXCEEDED", "OVERLOADED"}
"""Reasons after which nobody knows what was done."""
_KNOWN = {
    "CARD_MISMATCH": ("field",),
    "USER_NOT_FOUND": ("user_id",),
    "CARD_LOST_OR_STOLEN": ("status",),
    "HOLDER_CHANGED": ("user_id",),
    "INVALID_FIELD": ("field",),
    "USER_CARD_ENDED": ("user_card_id",),
    "NOT_UNDOABLE": ("kind", "sequence"),
    "CARD_CHANGED_SINCE": ("last_sequence", "sequence"),
}
"""What the model knows of the metadata of a refusal."""
_PATHS = {
    "activation": "card_activation_start_date_time",
    "deactivation": "card_deactivation_start_date_time",
    "flags": "card_user_flags",
    "pin": "pin",
}


@dataclass
class Slot:
    """A card that a history works on: its number in its system, and its id once an answer has told it."""

    system: str
    number: int
    card_id: str = ""


@dataclass(frozen=True)
class Request:
    """A call as it is sent."""

    service: str
    """user_cards or cards."""
    method: str
    message: Message


def request_of(slot: Slot, operation: model.Operation, request_id: str = "") -> Request:
    """The call for an operation on that card."""
    match operation:
        case model.Replace():
            return Request("user_cards", "ReplaceCardIfExists", _replacement(slot, operation, request_id))
        case model.Remove():
            remove = user_card_pb2.RemoveUserCardRequest(user_card_id=operation.key)
            return Request("user_cards", "RemoveUserCard", remove)
        case model.Update():
            return Request("user_cards", "UpdateUserCard", _update(operation))
        case model.Undo():
            undo = user_card_pb2.UndoUserCardEventRequest(sequence=operation.sequence, request_id=request_id)
            return Request("user_cards", "UndoUserCardEvent", undo)
        case model.Mark():
            mark = card_pb2.MarkCardRequest(
                card_id=slot.card_id, status=card_pb2.CardStatus.Value(f"CARD_STATUS_{operation.status}")
            )
            return Request("cards", "MarkCard", mark)
        case model.Get():
            return Request("cards", "GetCard", card_pb2.GetCardRequest(card_id=slot.card_id))
    raise AssertionError(operation)


def answer_of(operation: model.Operation, answer: Any) -> Any:
    """The answer in the model's words."""
    match operation:
        case model.Replace():
            return _replaced(answer)
        case model.Remove() | model.Update() | model.Undo():
            return _stands(answer)
        case model.Mark():
            return _found(answer.card), answer.sequence
        case model.Get():
            return _found(answer.card)
    raise AssertionError(operation)


def refusal_of(error: Exception) -> Any:
    """The refusal in the model's words, or UNKNOWN where what failed may have been done."""
    if isinstance(error, SwipegateError):
        reason, metadata = name(error.reason), error.metadata
    elif isinstance(error, aio.AioRpcError) and "grpc-status-details-bin" in dict(
        error.trailing_metadata() or ()
    ):
        refusal = taken_apart(error)
        reason, metadata = refusal.reason, refusal.metadata
    else:
        return UNKNOWN
    if reason in UNCERTAIN:
        return UNKNOWN
    kept = _KNOWN.get(reason, ())
    return model.Refused(reason, tuple((key, metadata[key]) for key in kept))


def _replacement(slot: Slot, asked: model.Replace, request_id: str) -> Message:
    request = user_card_pb2.ReplaceCardIfExistsRequest(
        user_id=asked.user, request_id=request_id, validate_only=asked.validate
    )
    if asked.by_number:
        request.card_type = WIEGAND_37
        request.card_ac_system_id = slot.system
        request.internal_card_number = slot.number
        request.external_card_number = asked.printed or ""
    else:
        request.card_id = slot.card_id
    if asked.activation is not None:
        request.card_activation_start_date_time.CopyFrom(timestamp(asked.activation))
    if asked.deactivation is not None:
        request.card_deactivation_start_date_time.CopyFrom(timestamp(asked.deactivation))
    if asked.flags is not None:
        request.card_user_flags = asked.flags
    if asked.pin is not None:
        request.pin = asked.pin
    if asked.expected is not None:
        request.expected_holder = asked.expected
    return request


def _update(asked: model.Update) -> Message:
    request = user_card_pb2.UpdateUserCardRequest()
    request.user_card.user_card_id = asked.key
    for field, value in asked.changes:
        request.update_mask.paths.append(_PATHS[field])
        if value is None:
            continue
        if field == "pin":
            request.pin = value
        elif field == "flags":
            request.user_card.card_user_flags = value
        else:
            getattr(request.user_card, _PATHS[field]).CopyFrom(timestamp(value))
    return request


def _replaced(answer: Any) -> model.Replaced:
    return model.Replaced(
        answer.previous_user_id if answer.HasField("previous_user_id") else None,
        answer.current_user_id,
        answer.value if answer.HasField("value") else None,
        answer.card_created,
        answer.external_card_number,
        answer.sequence,
    )


def _stands(answer: Any) -> model.Stands:
    if not answer.HasField("user_card"):
        return model.Stands(None, False, False, answer.sequence)
    shown = answer.user_card
    holding = model.Holding(
        shown.user_card_id,
        shown.user_id,
        _time(shown, "card_activation_start_date_time"),
        _time(shown, "card_deactivation_start_date_time"),
        shown.card_user_flags,
    )
    return model.Stands(holding, shown.HasField("end_time"), shown.has_pin, answer.sequence)


def _time(shown: user_card_pb2.UserCard, field: str) -> int | None:
    return microseconds(field, getattr(shown, field)) if shown.HasField(field) else None


def _found(card: card_pb2.Card) -> model.Found:
    status = card_pb2.CardStatus.Name(card.status).removeprefix("CARD_STATUS_")
    return model.Found(card.user_card_id or None, card.user_id or None, status)

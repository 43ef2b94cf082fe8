"""Every way in which a call can be refused, in one table.

A SwipegateError carries a reason of `swipegate.v1.ErrorReason` and what varies in its message, and nothing
else: the text is made from the table, so no track data can slip into it.
"""

from dataclasses import dataclass
from enum import Enum

from swipegate.v1 import error_pb2
from swipegate.v1.error_pb2 import ErrorReason


class Kind(Enum):
    """What a caller can do about an error; the gRPC floor gives each its status code."""

    INVALID = "the request is wrong"
    UNAUTHENTICATED = "the caller is not known"
    DENIED = "the caller may not"
    NOT_FOUND = "something named is not there"
    EXISTS = "something is there already"
    PRECONDITION = "the state of things forbids it"
    ABORTED = "somebody else was first"
    EXHAUSTED = "a bound is reached"
    UNAVAILABLE = "try another time"
    DEADLINE = "time ran out"
    INTERNAL = "a fault of the server"


@dataclass(frozen=True, slots=True)
class Entry:
    """How one reason is reported."""

    kind: Kind
    message: str
    """A sentence; names in braces are filled from the error's metadata."""
    exception: str = ""
    """The original's exception name."""
    passes: bool = True
    """Whether time alone may mend it, where the kind is one that time can mend."""


_E = error_pb2
TABLE: dict[int, Entry] = {
    _E.ERROR_REASON_UNAUTHENTICATED: Entry(Kind.UNAUTHENTICATED, "a valid token is needed: {detail}"),
    _E.ERROR_REASON_NOT_AUTHORIZED_FOR_CLIENT: Entry(
        Kind.DENIED,
        "client {client} holds no licence, or is switched off for this user",
        "NotAuthorizedForClientException",
    ),
    _E.ERROR_REASON_READ_CARD_NOT_AUTHORIZED: Entry(
        Kind.DENIED, "the token lacks the permission {permission}", "ReadCardNotAuthorizedException"
    ),
    _E.ERROR_REASON_INVALID_FIELD: Entry(Kind.INVALID, "{field}: {detail}"),
    _E.ERROR_REASON_REQUEST_ID_REUSED: Entry(
        Kind.INVALID, "request_id {request_id} was used before with another body"
    ),
    _E.ERROR_REASON_PC_NAME_NOT_FOUND: Entry(
        Kind.NOT_FOUND, "no host named {pc_name} is registered", "PCNameNotFoundException"
    ),
    _E.ERROR_REASON_DEVICE_NOT_FOUND: Entry(Kind.NOT_FOUND, "no device {device_id}"),
    _E.ERROR_REASON_CARD_REQUEST_NOT_FOUND: Entry(Kind.NOT_FOUND, "no card request {card_request_id}"),
    _E.ERROR_REASON_CARD_FORMAT_NOT_FOUND: Entry(Kind.NOT_FOUND, "no card format {name}"),
    _E.ERROR_REASON_USER_NOT_FOUND: Entry(Kind.NOT_FOUND, "no user {user_id}"),
    _E.ERROR_REASON_CARD_NOT_FOUND: Entry(Kind.NOT_FOUND, "no card {card_id}"),
    _E.ERROR_REASON_AC_SYSTEM_NOT_FOUND: Entry(Kind.NOT_FOUND, "no access control system {ac_system_id}"),
    _E.ERROR_REASON_CARD_TYPE_NOT_FOUND: Entry(Kind.NOT_FOUND, "no card type {card_type}"),
    _E.ERROR_REASON_OCCUPANCY_NOT_FOUND: Entry(Kind.NOT_FOUND, "no occupancy {occupancy_id}"),
    _E.ERROR_REASON_USER_CARD_NOT_FOUND: Entry(Kind.NOT_FOUND, "no assignment {user_card_id}"),
    _E.ERROR_REASON_USER_CARD_EVENT_NOT_FOUND: Entry(Kind.NOT_FOUND, "no event {sequence}"),
    _E.ERROR_REASON_CARD_ASSIGNMENT_NOT_FOUND: Entry(
        Kind.NOT_FOUND, "no card assignment {card_assignment_id}"
    ),
    _E.ERROR_REASON_TRACK_DATA_NOT_FOUND: Entry(
        Kind.NOT_FOUND, "card request {card_request_id} has no track data: not read yet, or wiped"
    ),
    _E.ERROR_REASON_DRIVER_NOT_FOUND: Entry(Kind.NOT_FOUND, "no driver {driver}; there are: {drivers}"),
    _E.ERROR_REASON_DEVICE_EXISTS: Entry(Kind.EXISTS, "device {device_id} exists"),
    _E.ERROR_REASON_CARD_FORMAT_EXISTS: Entry(Kind.EXISTS, "card format {name} exists"),
    _E.ERROR_REASON_AC_SYSTEM_EXISTS: Entry(Kind.EXISTS, "an access control system with this {field} exists"),
    _E.ERROR_REASON_USER_EXISTS: Entry(Kind.EXISTS, "user {user_id} exists"),
    _E.ERROR_REASON_CARD_TYPE_EXISTS: Entry(Kind.EXISTS, "a card type with this {field} exists"),
    _E.ERROR_REASON_OCCUPANCY_EXISTS: Entry(Kind.EXISTS, "an occupancy with this {field} exists"),
    _E.ERROR_REASON_CARD_EXISTS: Entry(Kind.EXISTS, "card {card_id} is there already, with another {field}"),
    _E.ERROR_REASON_CARD_FORMAT_CMC_NOT_CONFIGURED: Entry(
        Kind.PRECONDITION,
        "no card format is enabled for device {device_id}",
        "CardFormatCMCNotConfiguredException",
    ),
    _E.ERROR_REASON_WRONG_STATE: Entry(
        Kind.PRECONDITION, "card request {card_request_id} is {state} at attempt {attempt}"
    ),
    _E.ERROR_REASON_CARD_LOST_OR_STOLEN: Entry(Kind.PRECONDITION, "card {card_id} is marked {status}"),
    _E.ERROR_REASON_OCCUPANCY_SYSTEM_MISMATCH: Entry(
        Kind.PRECONDITION,
        "the card belongs to system {card_ac_system_id}, the user's occupancy to {occupancy}",
    ),
    _E.ERROR_REASON_CARD_MISMATCH: Entry(Kind.PRECONDITION, "{field} is not that of card {card_id}"),
    _E.ERROR_REASON_USER_CARD_ENDED: Entry(Kind.PRECONDITION, "assignment {user_card_id} has ended"),
    _E.ERROR_REASON_IN_USE: Entry(Kind.PRECONDITION, "{what} is in use by {by}"),
    _E.ERROR_REASON_AUTOMATIC_NUMBERS_OFF: Entry(
        Kind.PRECONDITION,
        "system {ac_system_id} gives no card numbers out: internal_card_number must be given",
    ),
    _E.ERROR_REASON_CARD_CHANGED_SINCE: Entry(
        Kind.PRECONDITION,
        "card {card_id} has changed since event {sequence}: the last one is {last_sequence}",
    ),
    _E.ERROR_REASON_NOT_UNDOABLE: Entry(
        Kind.PRECONDITION, "event {sequence} is {kind}, which cannot be undone"
    ),
    _E.ERROR_REASON_CARD_HELD: Entry(Kind.PRECONDITION, "card {card_id} is held by user {user_id}"),
    _E.ERROR_REASON_CARD_NUMBER_IS_PAN: Entry(
        Kind.PRECONDITION,
        "card format {card_format} gives a primary account number, which is not stored as a card number",
    ),
    _E.ERROR_REASON_WRONG_ASSIGNMENT_STATE: Entry(
        Kind.PRECONDITION, "card assignment {card_assignment_id} is {state}"
    ),
    _E.ERROR_REASON_HOLDER_CHANGED: Entry(
        Kind.ABORTED, "card {card_id} is held by user {user_id}, who is not the expected one", passes=False
    ),
    _E.ERROR_REASON_DEVICE_BUSY: Entry(Kind.ABORTED, "device {device_id} has an active card request"),
    _E.ERROR_REASON_OVERLOADED: Entry(Kind.EXHAUSTED, "{what} is full ({bound}); try again later"),
    _E.ERROR_REASON_NO_FREE_CARD_NUMBER: Entry(
        Kind.EXHAUSTED, "card type {card_type} has no free number left in system {ac_system_id}", passes=False
    ),
    _E.ERROR_REASON_SHUTTING_DOWN: Entry(Kind.UNAVAILABLE, "the server is shutting down"),
    _E.ERROR_REASON_DATABASE_UNAVAILABLE: Entry(
        Kind.UNAVAILABLE,
        "the database does not answer; what was asked may have been done: repeat with the same request_id",
    ),
    _E.ERROR_REASON_DEADLINE_EXCEEDED: Entry(Kind.DEADLINE, "the deadline of the call passed"),
    _E.ERROR_REASON_INTERNAL: Entry(
        Kind.INTERNAL, "a fault of the server; its log names incident {incident}"
    ),
}


def name(reason: int) -> str:
    """The reason as it stands in ErrorInfo: its enum name without the prefix."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


class SwipegateError(Exception):
    """A refusal. `metadata` must hold every name of the reason's message and no track data, PAN or PIN."""

    def __init__(self, reason: ErrorReason, **metadata: object) -> None:
        self.reason = reason
        self.entry = TABLE[reason]
        self.metadata = {key: str(value) for key, value in metadata.items()}
        super().__init__(self.entry.message.format(**self.metadata))


def invalid(field: str, detail: str) -> SwipegateError:
    """A field that breaks its bound or rule. `detail` must not repeat a secret value."""
    return SwipegateError(_E.ERROR_REASON_INVALID_FIELD, field=field, detail=detail)

"""A card request: its states, and what may follow what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from swipegate.domain.errors import SwipegateError, name
from swipegate.v1 import error_pb2

MAX_MESSAGE_BYTES = 4096
"""Of the opaque string that a caller hands to the device."""
MAX_QUEUED_PER_DEVICE = 100
"""Card requests that may wait for one device."""
MIN_TIME_TO_LIVE = 1
"""Seconds."""
MAX_TIME_TO_LIVE = 24 * 3600
"""Seconds."""
DEFAULT_TIME_TO_LIVE = 120
"""Seconds: a person looks for the card and swipes it a few times."""


class State(StrEnum):
    """Where a card request stands."""

    QUEUED = "QUEUED"
    DISPATCHED = "DISPATCHED"
    FEEDING = "FEEDING"
    WAITING_FOR_CARD = "WAITING_FOR_CARD"
    READING = "READING"
    NEEDS_ACTION = "NEEDS_ACTION"
    CANCELLING = "CANCELLING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


S = State
TERMINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED, S.EXPIRED})
AT_WORK = frozenset({S.DISPATCHED, S.FEEDING, S.WAITING_FOR_CARD, S.READING, S.CANCELLING, S.UNKNOWN})
"""States in which a device may be at work on the request."""

_ENDS = frozenset({S.FAILED, S.NEEDS_ACTION, S.CANCELLING, S.EXPIRED, S.UNKNOWN})
FOLLOWS: Mapping[State, frozenset[State]] = {
    # QUEUED -> NEEDS_ACTION: the device did not even acknowledge; -> UNKNOWN: the process died before it could
    S.QUEUED: _ENDS | {S.DISPATCHED, S.CANCELLED},
    S.DISPATCHED: _ENDS | {S.FEEDING, S.WAITING_FOR_CARD, S.READING},
    S.FEEDING: _ENDS | {S.WAITING_FOR_CARD, S.READING},
    S.WAITING_FOR_CARD: _ENDS | {S.READING},
    S.READING: _ENDS | {S.SUCCEEDED},
    S.NEEDS_ACTION: frozenset({S.QUEUED, S.CANCELLED, S.EXPIRED, S.FAILED}),
    S.CANCELLING: frozenset({S.CANCELLED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.FAILED, S.NEEDS_ACTION, S.CANCELLING}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset(),
}


class UserAction(StrEnum):
    """What a person may answer to a failure."""

    RETRY = "RETRY"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request needs action or failed."""

    reason: int
    """Of swipegate.v1.ErrorReason."""
    device_code: str = ""
    """The device's own code, verbatim."""

    @property
    def severity(self) -> int:
        """1 alert, 2 critical, 3 error, 4 warning, 5 notice."""
        return _SEVERITY.get(self.reason, 3)

    @property
    def retriable(self) -> bool:
        """Whether a retry can help: a critical fault needs a technician first."""
        return self.severity >= 3

    @property
    def allowed_actions(self) -> tuple[UserAction, ...]:
        """What the severity leaves to the person."""
        return (UserAction.RETRY, UserAction.CANCEL) if self.retriable else (UserAction.CANCEL,)

    @property
    def exception(self) -> str:
        """The original's exception name."""
        return "CMCDeviceWithoutStockException" if self.reason in _STOCK else "CardRequestException"

    @property
    def description(self) -> str:
        """A line for people."""
        return _DESCRIPTION.get(self.reason, name(self.reason).replace("_", " ").lower())


_E = error_pb2
_STOCK = frozenset(
    {
        _E.ERROR_REASON_STOCK_EMPTY,
        _E.ERROR_REASON_NO_DISPENSER,
        _E.ERROR_REASON_PICK_FAILED,
        _E.ERROR_REASON_STOCK_LOW,
    }
)
_SEVERITY: Mapping[int, int] = {
    _E.ERROR_REASON_MOTOR: 2,
    _E.ERROR_REASON_SENSOR: 2,
    _E.ERROR_REASON_SHUTTER: 2,
    _E.ERROR_REASON_NO_DISPENSER: 2,
    _E.ERROR_REASON_INTERNAL: 2,
    _E.ERROR_REASON_STOCK_LOW: 4,
}
_DESCRIPTION: Mapping[int, str] = {
    _E.ERROR_REASON_INTERNAL: "a fault of the server; its log has the cause",
    _E.ERROR_REASON_PORT_OPEN: "the device's port cannot be opened",
    _E.ERROR_REASON_LINK_LOST: "the line to the device, or the process that held it, was lost",
    _E.ERROR_REASON_ACK_TIMEOUT: "the device does not answer",
    _E.ERROR_REASON_RESPONSE_TIMEOUT: "the device stopped answering in the middle of a read",
    _E.ERROR_REASON_DESYNC: "the device answered something else than was asked",
    _E.ERROR_REASON_NO_ENCODING: "the card holds no data on the tracks that were read",
    _E.ERROR_REASON_NO_START: "no start sentinel was found: swipe again",
    _E.ERROR_REASON_NO_END: "no end sentinel was found: swipe again",
    _E.ERROR_REASON_PARITY: "a character's parity is wrong: swipe again",
    _E.ERROR_REASON_LRC: "the redundancy check does not agree: swipe again",
    _E.ERROR_REASON_EMPTY: "the card's tracks are empty",
    _E.ERROR_REASON_JITTER: "the swipe was too irregular: swipe again, evenly",
    _E.ERROR_REASON_NOT_READ: "the device could not read the card: swipe again",
    _E.ERROR_REASON_NO_CARD_FORMAT_MATCHES: "the card reads well and matches none of the device's card formats",
}


@dataclass(frozen=True, slots=True)
class CardRequest:
    """One request of one card from one device. Times are microseconds since 1970, UTC."""

    card_request_id: str
    device_id: int
    state: State
    attempt: int
    sequence: int
    """Of its last event."""
    create_time: int
    update_time: int
    expire_time: int
    failure: Failure | None = None
    card_format: str = ""
    """Name of the card format that matched."""
    has_track_data: bool = False
    message: str = field(default="", repr=False)
    """The opaque string for the driver."""
    epoch: int | None = None
    """Epoch of the host that took it up; None while it waits."""

    @property
    def live(self) -> bool:
        """Whether it can still change."""
        return self.state not in TERMINAL

    def wrong_state(self) -> SwipegateError:
        """The refusal of whatever this state or attempt does not allow."""
        return SwipegateError(
            _E.ERROR_REASON_WRONG_STATE,
            card_request_id=self.card_request_id,
            state=self.state,
            attempt=self.attempt,
        )


def end_of(failure: Failure) -> State:
    """The state a failure leads to: a person's decision where a retry can help, the end where it cannot."""
    return State.NEEDS_ACTION if failure.retriable else State.FAILED

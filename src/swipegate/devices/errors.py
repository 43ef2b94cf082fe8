"""What goes wrong at a device. Every failure that leaves this floor is one of these.

    Exception
    +-- DeviceError            the request failed; `reason` says how
    |   +-- LinkLost           the port is gone: unplugged, hung up, closed under us
    +-- ReadEnded              a read ended without a card, and the device is proven idle
    |   +-- ReadCancelled
    |   +-- ReadExpired
    +-- SettingsError          a setting of a driver or port is wrong (ValueError)

No text, attribute or repr of these holds track data.
"""

import enum


class Reason(enum.StrEnum):
    """The reasons for which a device fails a request, or a track."""

    # busy
    DEVICE_BUSY = "DEVICE_BUSY"
    # transport
    PORT_OPEN = "PORT_OPEN"
    LINK_LOST = "LINK_LOST"
    ACK_TIMEOUT = "ACK_TIMEOUT"
    NAK_EXHAUSTED = "NAK_EXHAUSTED"
    BAD_CHECK = "BAD_CHECK"
    RESPONSE_TIMEOUT = "RESPONSE_TIMEOUT"
    DESYNC = "DESYNC"
    # device
    NOT_INITIALISED = "NOT_INITIALISED"
    JAM = "JAM"
    SHUTTER = "SHUTTER"
    SENSOR = "SENSOR"
    MOTOR = "MOTOR"
    POWER_DOWN = "POWER_DOWN"
    LONG_CARD = "LONG_CARD"
    SHORT_CARD = "SHORT_CARD"
    CARD_PULLED_OUT = "CARD_PULLED_OUT"
    RETAIN_FULL = "RETAIN_FULL"
    CARD_LEFT_AT_GATE = "CARD_LEFT_AT_GATE"
    # stock
    STOCK_EMPTY = "STOCK_EMPTY"
    NO_DISPENSER = "NO_DISPENSER"
    PICK_FAILED = "PICK_FAILED"
    STOCK_LOW = "STOCK_LOW"
    # media, per track
    NO_ENCODING = "NO_ENCODING"
    NO_START = "NO_START"
    NO_END = "NO_END"
    PARITY = "PARITY"
    LRC = "LRC"
    EMPTY = "EMPTY"
    JITTER = "JITTER"
    NOT_READ = "NOT_READ"


# The exchange broke off: whether the command was carried out, only the device's status tells.
UNANSWERED = frozenset({Reason.ACK_TIMEOUT, Reason.NAK_EXHAUSTED, Reason.BAD_CHECK, Reason.RESPONSE_TIMEOUT})
# Of one track; the others may be well.
MEDIA = frozenset(
    {
        Reason.NO_ENCODING,
        Reason.NO_START,
        Reason.NO_END,
        Reason.PARITY,
        Reason.LRC,
        Reason.EMPTY,
        Reason.JITTER,
        Reason.NOT_READ,
    }
)


class DeviceError(Exception):
    """A device failed a request.

    Example scenarios: the port cannot be opened, the reader does not answer, its answer makes no sense.
    """

    def __init__(self, reason: Reason, detail: str = "", *, device_code: str = "") -> None:
        """`device_code` is the device's own code verbatim."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.device_code = device_code

    def again(self) -> "DeviceError":
        """A fresh exception that says the same, for another waiter of the same failure."""
        return DeviceError(self.reason, self.detail, device_code=self.device_code)


class LinkLost(DeviceError):
    """The port is gone.

    Example scenarios: USB plug pulled, peer of a socket hung up, port closed while in use.
    """

    def __init__(self, detail: str = "") -> None:
        super().__init__(Reason.LINK_LOST, detail)

    def again(self) -> "LinkLost":
        return LinkLost(self.detail)


class ReadEnded(Exception):
    """A read ended without a card; the device has proven that it is idle."""


class ReadCancelled(ReadEnded):
    """Somebody cancelled the read before a card came."""


class ReadExpired(ReadEnded, TimeoutError):
    """No card came before the deadline."""


class SettingsError(ValueError):
    """A setting is wrong; `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

"""The 64-byte USB reports in which an MSR605X wraps the bytes of the serial wire.

Byte 0 of a report: 80 first report of a message, 40 last, low six bits the number of message bytes in it.
Reports are padded with zeros; a host sends them by SET_REPORT (bmRequestType 21, bRequest 9, wValue 0300).
"""

from swipegate.devices.protocols.msr605.blocks import FIELD_BYTES_MAX, TRACK_COUNT

REPORT_BYTES = 64
FIRST = 0x80
LAST = 0x40
LENGTH_MASK = 0x3F
PAYLOAD_MAX = REPORT_BYTES - 1
# The longest message is a raw block: three full fields, their heads, start, end, stray byte and status.
MESSAGE_BYTES_MAX = TRACK_COUNT * (FIELD_BYTES_MAX + 3) + 16
# USB ids of an MSR605X. The vendor id is MagTek's, so match both.
VENDOR_ID, PRODUCT_ID = 0x0801, 0x0003


class ReportError(ValueError):
    """A report that fits no message; the text never holds its bytes."""


def pack_reports(message: bytes, *, declared_min: int = 0) -> list[bytes]:
    """Wrap a message in reports of 64 bytes.

    `declared_min` 5 declares short commands as five bytes, padding counted, as one implementation does; a
    unit that leaves a plain report unanswered may want it.
    """
    if not 0 < len(message) <= MESSAGE_BYTES_MAX:
        raise ReportError(f"a message has 1 to {MESSAGE_BYTES_MAX} bytes, not {len(message)}")
    chunks = [message[start : start + PAYLOAD_MAX] for start in range(0, len(message), PAYLOAD_MAX)]
    reports = []
    for index, chunk in enumerate(chunks):
        head = max(len(chunk), declared_min)
        head |= FIRST if index == 0 else 0
        head |= LAST if index == len(chunks) - 1 else 0
        reports.append((bytes((head,)) + chunk).ljust(REPORT_BYTES, b"\x00"))
    return reports


class ReportUnpacker:
    """Joins reports into messages."""

    def __init__(self) -> None:
        self._message = bytearray()
        self._started = False

    def feed(self, report: bytes) -> bytes | None:
        """Take one report; the message when this was its last.

        :raises ReportError: the report does not fit; what came before it is dropped.
        """
        try:
            return self._take(report)
        except ReportError:
            self.wipe()
            raise

    def wipe(self) -> None:
        """Zero and drop what was taken."""
        self._message[:] = bytes(len(self._message))
        self._message.clear()
        self._started = False

    def _take(self, report: bytes) -> bytes | None:
        if not 0 < len(report) <= REPORT_BYTES:
            raise ReportError(f"a report has 1 to {REPORT_BYTES} bytes, not {len(report)}")
        head, length = report[0], report[0] & LENGTH_MASK
        if length > len(report) - 1:
            raise ReportError(f"the report declares {length} bytes and has {len(report) - 1}")
        if bool(head & FIRST) == self._started:
            raise ReportError("a first report in a message" if self._started else "a report without a first")
        if len(self._message) + length > MESSAGE_BYTES_MAX:
            raise ReportError(f"a message of over {MESSAGE_BYTES_MAX} bytes")
        self._message += report[1 : 1 + length]
        self._started = True
        if not head & LAST:
            return None
        message = bytes(self._message)
        self.wipe()
        return message

"""What all drivers share of a reader whose responses begin with a verdict: where the card is, or what is wrong."""

from collections.abc import Mapping
from typing import ClassVar

from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.drivers.motorised import Position
from swipegate.devices.drivers.texts import with_sentinels
from swipegate.devices.errors import MEDIA, DeviceError, Reason
from swipegate.devices.protocols import responses
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.responses import Response
from swipegate.devices.reader import TrackRead

POSITIONS = {
    responses.NO_CARD: Position.NONE,
    responses.AT_GATE: Position.GATE,
    responses.INSIDE: Position.INSIDE,
}


class VerdictReader(HandshakeReader):
    """A reader that answers with P and where the card is, or N and an error code."""

    positions: ClassVar[Mapping[str, Position]] = POSITIONS
    errors: ClassVar[Mapping[str, Reason]]

    async def _ask_for_text(self, command: bytes) -> str:
        """The data of a response, as text; none where the device refuses."""
        response = _parsed(await self._ask(command))
        return response.data.decode("ascii", "backslashreplace") if response.positive else ""

    async def _ask_for_track(self, number: int, command: bytes) -> TrackRead:
        """The track that a command gives without its sentinels, or what the device says of it."""
        response = _parsed(await self._ask(command))
        if response.positive:
            text = with_sentinels(number, response.data)
            wipe(response.data)
            return TrackRead(number, text=text, device_code=response.code)
        wipe(response.data)  # some give what came before the fault
        error = self._error(response.code)
        if error.reason not in MEDIA:
            raise error
        return TrackRead(number, error=error.reason, device_code=response.code)

    def _accept(self, text: bytearray) -> Position:
        """Where a positive response says that the card is."""
        response = _parsed(text)
        if not response.positive:
            raise self._error(response.code)
        if response.code not in self.positions:
            raise DeviceError(Reason.DESYNC, "a status that no device has", device_code=response.code)
        return self.positions[response.code]

    def _error(self, code: str) -> DeviceError:
        return DeviceError(self.errors.get(code, Reason.DESYNC), "the device refuses", device_code=code)


def _parsed(text: bytearray) -> Response:
    try:
        return responses.parse(text)
    except ValueError as error:
        raise DeviceError(Reason.DESYNC, str(error)) from None
    finally:
        wipe(text)

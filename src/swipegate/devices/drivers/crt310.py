"""Driver of the Creator CRT-310 kiosk readers."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.drivers.motorised import Disposal, MotorisedSettings, Position
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.drivers.texts import with_sentinels
from swipegate.devices.errors import DeviceError, Reason
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.crt310 import commands, responses
from swipegate.devices.protocols.crt310.dialect import DIALECT
from swipegate.devices.protocols.crt310.errors import ERRORS, MENDED_BY_RESET, TRACK_ERRORS
from swipegate.devices.protocols.crt310.responses import Status, Track
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.reader import Capabilities, TrackRead

POSITIONS = {
    responses.NO_CARD: Position.NONE,
    responses.FRONT_FREE: Position.GATE,
    responses.FRONT_HELD: Position.GATE,
    responses.INSIDE: Position.INSIDE,
    responses.INSIDE_CONTACTED: Position.INSIDE,
    responses.REAR_HELD: Position.INSIDE,  # it can still be moved to the front
    responses.REAR_FREE: Position.GATE,  # out of reach of the motor: somebody must take it
}
RESETS = {Disposal.PRESENT: commands.RESET_FRONT, Disposal.LEAVE: commands.RESET_KEEP}


@dataclass(frozen=True, slots=True)
class Crt310Settings(MotorisedSettings):
    """How a CRT-310 is used."""

    magnetic_only: bool = True
    """Take in only what has a magnetic stripe."""


class Crt310Reader(HandshakeReader):
    """One CRT-310 on one port. It has no bin; what it moves out at the rear falls where the kiosk lets it."""

    device: ClassVar = "Creator CRT-310"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}), motorised=True)
    line: ClassVar = LineSettings(baud_rate=9600)
    settle_time: ClassVar = 60.0
    forbids_entry: ClassVar = commands.PROHIBIT
    dialect: ClassVar[Dialect] = DIALECT
    _settings: Crt310Settings

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(Crt310Settings, settings), line)

    async def _stop_work(self) -> None:
        """EOT, then entry prohibited, which is proved by the status.

        EOT gives up a command that was acknowledged and not executed. Only there is its echo documented, so that
        nobody waits for it.
        """
        exchange, protocol = self._next_exchange(), self._protocol
        await self._link.send(lambda now: protocol.cancel(exchange, now))
        await self._forbid_entry()
        _succeed(await self._ask(commands.STOP_INSIDE), commands.STOP_INSIDE)

    def _awaits_reset(self, error: DeviceError) -> bool:
        return error.device_code in MENDED_BY_RESET

    async def _initialise(self, card: Disposal) -> None:
        command = RESETS[card]
        wipe(_data(await self._order(command), command))

    async def _is_well(self) -> bool:
        """A device that was switched off accepts cards again, and says nothing of it."""
        with contextlib.suppress(DeviceError):
            return await super()._is_well() and (await self._status()).prohibits
        return False

    async def _position(self) -> Position:
        return _place(await self._status())

    async def _permit_entry(self) -> None:
        command = commands.ACCEPT_MAGNETIC if self._settings.magnetic_only else commands.ACCEPT_ANY
        if (await self._control_entry(command)).prohibits:
            raise DeviceError(Reason.DESYNC, "it accepts no card though it is told to")

    async def _forbid_entry(self) -> None:
        if not (await self._control_entry(self.forbids_entry)).prohibits:
            raise DeviceError(Reason.DESYNC, "it accepts cards though it is told not to")

    async def _control_entry(self, command: bytes) -> Status:
        """The status after a control of entry.

        The specification prints N for its success and Y for its failure, against all its other commands; so the
        echo of the command is all that counts, and the status tells.
        """
        _data(await self._ask(command), command)
        return await self._status()

    async def _status(self) -> Status:
        data = _data(await self._ask(commands.STATUS), commands.STATUS)
        try:
            return responses.parse_status(data)
        except ValueError as error:
            raise DeviceError(Reason.DESYNC, str(error)) from None

    async def _eject(self) -> None:
        _succeed(await self._order(commands.EJECT_AND_HOLD), commands.EJECT_AND_HOLD)

    async def _read_track(self, number: int) -> TrackRead:
        command = commands.read_track(number)
        track = _track(_data(await self._ask(command), command))
        if track.code == "Y":
            text = with_sentinels(number, track.text)
            wipe(track.text)
            return TrackRead(number, text=text, device_code=track.code)
        error = TRACK_ERRORS.get(track.code, Reason.NOT_READ)
        return TrackRead(number, error=error, device_code=track.code)


def _place(status: Status) -> Position:
    code = f"{status.card:02X}"
    if code in ERRORS:
        raise DeviceError(ERRORS[code], "the card is of the wrong length", device_code=code)
    if status.card not in POSITIONS:
        raise DeviceError(Reason.DESYNC, "a status that no device has", device_code=code)
    return POSITIONS[status.card]


def _data(text: bytearray, command: bytes) -> bytearray:
    """What follows the command in its response."""
    code = responses.refusal(text)
    data = text[len(command) :]
    wipe(text)
    if code is not None:
        raise DeviceError(ERRORS.get(code, Reason.DESYNC), "the device refuses", device_code=code)
    return data


def _succeed(text: bytearray, command: bytes) -> None:
    data = bytes(_data(text, command))
    if data != responses.SUCCESS:
        raise _refused(data)


def _track(data: bytearray) -> Track:
    """The one track of a reading."""
    try:
        if bytes(data) in responses.FAILURES:
            raise _refused(bytes(data))
        track, *others = responses.parse_tracks(data)
    except ValueError as error:
        raise DeviceError(Reason.DESYNC, str(error)) from None
    finally:
        wipe(data)
    if others:
        for each in (track, *others):
            wipe(each.text)
        raise DeviceError(Reason.DESYNC, "more tracks than were asked for")
    return track


def _refused(data: bytes) -> DeviceError:
    code = data.decode("ascii", "backslashreplace")
    return DeviceError(ERRORS.get(code, Reason.DESYNC), "it does not succeed", device_code=code)

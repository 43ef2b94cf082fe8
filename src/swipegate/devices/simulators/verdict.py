"""What all simulated readers share whose responses begin with a verdict."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from swipegate.devices.errors import Reason
from swipegate.devices.protocols import responses
from swipegate.devices.simulators.cards import Bad, Track
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.motorised import MotorisedSimulator

PLACES = {
    Place.NOWHERE: responses.NO_CARD,
    Place.GATE: responses.AT_GATE,
    Place.INSIDE: responses.INSIDE,
}


class VerdictSimulator(MotorisedSimulator):
    """Answers with P and where the card is, or N and an error code."""

    faults: ClassVar[Mapping[str, str]]
    """Error codes by the mechanism's faults."""
    track_faults: ClassVar[Mapping[Reason, str]]
    """Error codes by what is wrong with a track."""

    @abstractmethod
    def _track_data(self, track: str) -> bytes:
        """A track as the device gives it."""

    def _give_track(self, track: Track) -> None:
        if isinstance(track, str):
            self._positive(self._track_data(track))
        elif track is None:
            self._negative(self.track_faults[Reason.NO_ENCODING])
        else:
            reason = track.value if isinstance(track, Bad) else Reason.NOT_READ
            self._negative(self.track_faults[reason])

    def _refuse(self, fault: str) -> None:
        self._negative(self.faults[fault])

    def _ended(self, place: Place) -> bytes:
        return responses.build(self.unit.command, PLACES[place])

    def _positive(self, data: bytes = b"") -> None:
        self._respond(responses.build(self.unit.command, PLACES[self.mechanism.place], data))

    def _negative(self, code: str) -> None:
        self._respond(responses.build(self.unit.command, code, positive=False))

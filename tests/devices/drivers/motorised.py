"""The motorised readers, each with its simulator, for tests that hold for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from swipegate.devices.drivers import create_reader, handshake_device
from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.drivers.motorised import MotorisedReader
from swipegate.devices.drivers.sankyo import SankyoReader
from swipegate.devices.reader import CardReader
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.motorised import MotorisedSimulator
from swipegate.devices.simulators.sankyo import SankyoSimulator

# Published test numbers.
TRACK1 = "%B4111111111111111^TEST/CARD^30012010000000000000?"
TRACK2 = ";4111111111111111=30012010000000000000?"
TRACK3 = ";014111111111111111==0000000000000000000?"
CARD = SimulatedCard(TRACK1, TRACK2, TRACK3)
# So that tests of silence are quick; seconds.
QUICK_ACK, QUICK_QUESTION, QUICK_MOVEMENT = 0.1, 0.2, 0.4


@dataclass(frozen=True)
class Kind:
    """A motorised reader and its simulator."""

    driver: str
    reader: type[HandshakeReader]
    simulator: type[MotorisedSimulator]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def create(self, url: str, **settings: Any) -> CardReader:
        """A reader that asks often."""
        reader = create_reader(self.driver, url, {"poll": 0.02, **self.settings, **settings})
        assert isinstance(reader, MotorisedReader)
        return reader

    def quicken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Shorten the times of silence."""
        quick = replace(self.reader.dialect, ack_timeout=QUICK_ACK, gap=QUICK_ACK)
        monkeypatch.setattr(self.reader, "dialect", quick)
        monkeypatch.setattr(handshake_device, "QUESTION_TIME", QUICK_QUESTION)
        monkeypatch.setattr(handshake_device, "MOVEMENT_TIME", QUICK_MOVEMENT)


KINDS = {
    "sankyo": Kind("sankyo", SankyoReader, SankyoSimulator),
    "sankyo, blocking": Kind("sankyo", SankyoReader, SankyoSimulator, {"intake": "blocking"}),
}

"""The motorised readers, each with its simulator, for tests that hold for all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from swipegate.devices import link
from swipegate.devices.drivers import create_reader, handshake_device, sanwa
from swipegate.devices.drivers.crt310 import Crt310Reader
from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.drivers.motorised import MotorisedReader
from swipegate.devices.drivers.omron import OmronReader
from swipegate.devices.drivers.sankyo import SankyoReader
from swipegate.devices.drivers.sanwa import SanwaReader
from swipegate.devices.errors import Reason
from swipegate.devices.protocols.sanwa import host as sanwa_host
from swipegate.devices.protocols.sanwa.responses import Model
from swipegate.devices.reader import CardReader
from swipegate.devices.simulators.card_machine import CardMachine
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.crt310 import Crt310Simulator
from swipegate.devices.simulators.omron import OmronSimulator
from swipegate.devices.simulators.sankyo import SankyoSimulator
from swipegate.devices.simulators.sanwa import SanwaSimulator

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
    reader: type[MotorisedReader[Any, Any]]
    simulator: Callable[[], CardMachine]
    settings: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    """What it says of faults of its mechanism, where it cannot say it better."""

    @property
    def can_retain(self) -> bool:
        """Whether there is a bin."""
        return self.reader.capabilities.can_retain

    def create(self, url: str, **settings: Any) -> CardReader:
        """A reader that asks often."""
        reader = create_reader(self.driver, url, {"poll": 0.02, **self.settings, **settings})
        assert isinstance(reader, MotorisedReader)
        return reader

    def quicken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Shorten the times of silence."""
        assert issubclass(self.reader, HandshakeReader)
        quick = replace(
            self.reader.dialect, ack_timeout=QUICK_ACK, gap=QUICK_ACK, response_timeout=QUICK_MOVEMENT
        )
        monkeypatch.setattr(self.reader, "dialect", quick)
        monkeypatch.setattr(handshake_device, "QUESTION_TIME", QUICK_QUESTION)
        monkeypatch.setattr(handshake_device, "MOVEMENT_TIME", QUICK_MOVEMENT)


class SanwaKind(Kind):
    """The CRP-1231, whose handshake is its own."""

    def quicken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("ACK_TIMEOUT", "ANSWER_TIMEOUT", "GAP"):
            monkeypatch.setattr(sanwa_host, name, QUICK_ACK)
        monkeypatch.setattr(sanwa_host, "POLL", 0.01)
        monkeypatch.setattr(link, "READ_SLICE", 0.01)
        monkeypatch.setattr(sanwa, "QUESTION_TIME", QUICK_QUESTION)
        monkeypatch.setattr(sanwa, "MOVEMENT_TIME", QUICK_MOVEMENT)


class ProhibitingCrt310(Crt310Simulator):
    """One that takes no card before it is asked to, as the others do."""

    accepts_from_power_on = False


KINDS = {
    "sankyo": Kind("sankyo", SankyoReader, SankyoSimulator),
    "sankyo, blocking": Kind("sankyo", SankyoReader, SankyoSimulator, {"intake": "blocking"}),
    "omron": Kind("omron", OmronReader, OmronSimulator, reasons={"bin full": Reason.JAM}),
    "crt310": Kind("crt310", Crt310Reader, ProhibitingCrt310, reasons={"motor": Reason.JAM}),
    "sanwa": SanwaKind("sanwa", SanwaReader, SanwaSimulator),
    "sanwa, shutter": SanwaKind(
        "sanwa", SanwaReader, partial(SanwaSimulator, model=Model.BR), {"model": "br"}
    ),
}

"""Cards for simulated readers."""

from dataclasses import dataclass
from enum import Enum

from swipegate.devices.errors import Reason


class Bad(Enum):
    """A track without text: what a device that looks closely says of it."""

    UNREADABLE = Reason.NOT_READ
    PARITY = Reason.PARITY
    LRC = Reason.LRC
    NO_START = Reason.NO_START
    NO_END = Reason.NO_END
    EMPTY = Reason.EMPTY
    JITTER = Reason.JITTER


# Characters with their sentinels; bytes: raw bits, first in the top bit; None: no encoding.
Track = str | bytes | Bad | None


@dataclass(frozen=True, slots=True)
class SimulatedCard:
    """A card to swipe or insert."""

    track1: Track = None
    track2: Track = None
    track3: Track = None
    empty_fields: bool = False
    """MSR605: send no mark for a track without data, as the manual has it."""
    status: int = 0x30
    """MSR605: the status at the end of the block."""

    @property
    def tracks(self) -> tuple[Track, Track, Track]:
        """The three tracks."""
        return self.track1, self.track2, self.track3


# Published test numbers.
TEST_CARD = SimulatedCard(
    "%B4111111111111111^TEST/CARD^30012010000000000000?",
    ";4111111111111111=30012010000000000000?",
    ";014111111111111111==0000000000000000000?",
)

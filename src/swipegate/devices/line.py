"""How a serial line is set."""

from dataclasses import dataclass

from swipegate.devices.errors import SettingsError


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a serial line is set."""

    baud_rate: int = 9600
    """Bits a second."""
    data_bits: int = 8
    """5 to 8."""
    parity: str = "N"
    """N none, E even, O odd."""
    stop_bits: int = 1
    """1 or 2."""
    hardware_flow: bool = False
    """RTS and CTS."""
    trace_card_data: bool = False
    """Allow spy:// ports, which write card data in the clear."""

    def __post_init__(self) -> None:
        if not 50 <= self.baud_rate <= 4_000_000:
            raise SettingsError("baud_rate", f"{self.baud_rate} is not 50 to 4000000")
        if self.data_bits not in (5, 6, 7, 8):
            raise SettingsError("data_bits", f"{self.data_bits} is not 5 to 8")
        if self.parity not in ("N", "E", "O"):
            raise SettingsError("parity", "is not N, E or O")
        if self.stop_bits not in (1, 2):
            raise SettingsError("stop_bits", f"{self.stop_bits} is not 1 or 2")

"""CMC devices and the hosts they are attached to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_DEVICE_ID = 2**31 - 1
MAX_PC_NAME = 253
"""Characters, as a DNS name."""
MAX_PORT = 1024
"""Characters."""
MAX_SETTINGS = 32
MAX_SETTING = 256
"""Characters of a key or a value."""


@dataclass(frozen=True, slots=True)
class Device:
    """A magstripe reader, perhaps with card stock, attached to a named PC. `create_time` is microseconds UTC."""

    device_id: int
    name: str
    pc_name: str
    driver: str
    port: str
    settings: Mapping[str, str] = field(default_factory=dict)
    card_formats: tuple[str, ...] = ()
    create_time: int = 0

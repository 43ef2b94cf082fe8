"""Frames of the MSR605 with what they mean, each with its source."""

from typing import NamedTuple

MANUAL = "MSR605 programmer's manual"
MSR_PY = "deathzombee/msr-py tests/test_msr.py"
MAGSTRIPE_GO = "zenith110/magstripe-go magstripe_test.go"

ERROR = "error"  # a track that the unit could not read


class BlockVector(NamedTuple):
    """A block and its tracks: characters or hex of raw bytes, None for no data."""

    source: str
    hex: str
    raw: bool
    tracks: tuple[str | None, str | None, str | None]
    status: int


ISO_ABC = "1b731b01254142433132333f1b023b31323334353f1b03"

BLOCKS = [
    BlockVector(
        f"{MANUAL}, section 6",
        "1b731b012530313f1b023b32333f1b033b34353f3f1c1b30",
        False,
        ("%01?", ";23?", ";45?"),
        0x30,
    ),
    BlockVector(MSR_PY, ISO_ABC + "3b31323334353f3f1c1b30", False, ("%ABC123?", ";12345?", ";12345?"), 0x30),
    BlockVector(
        MSR_PY, "1b731b011b2a1b023b31323334353f1b031b2b3f1c1b30", False, (ERROR, ";12345?", None), 0x30
    ),
    BlockVector(
        f"{MANUAL}, section 5",
        "1b731b011b023b31323334353f1b033f1c1b30",
        False,
        (None, ";12345?", None),
        0x30,
    ),
    BlockVector(MSR_PY, ISO_ABC + "3f1c1b30", False, ("%ABC123?", ";12345?", None), 0x30),
    BlockVector(MSR_PY, ISO_ABC + "1b2b3f1c1b30", False, ("%ABC123?", ";12345?", None), 0x30),
    BlockVector(
        f"{MSR_PY}: stale tail",
        ISO_ABC + "3b31323334353f3f1c1b30aabb3f1c1b31",
        False,
        ("%ABC123?", ";12345?", ";12345?"),
        0x30,
    ),
    BlockVector(
        f"{MSR_PY}: stray byte",
        ISO_ABC + "3b31323334353f3f1c6f1b30",
        False,
        ("%ABC123?", ";12345?", ";12345?"),
        0x30,
    ),
    BlockVector(MAGSTRIPE_GO, "1b731b011b2b1b021b2b1b031b2b3f1c1b31", False, (None, None, None), 0x31),
    BlockVector(MSR_PY, "1b731b01021b011b02001b03003f1c1b30", True, ("1b01", None, None), 0x30),
    BlockVector(
        f"{MANUAL}, by way of {MSR_PY}",
        "1b731b0109a30d1e28a9727c54001b0206d4119257f5001b0306d4119257f5003f1c1b30",
        True,
        ("a30d1e28a9727c5400", "d4119257f500", "d4119257f500"),
        0x30,
    ),
]

# Frames that are no block, with their source.
REFUSED_BLOCKS = [
    (MSR_PY, ISO_ABC + "3b31323334353f"),
    (MAGSTRIPE_GO, "494e56414c4944"),
    (MAGSTRIPE_GO, "1b"),
]

# Bytes of a raw read and of the raw write of the same stripe (manual, sections 8 and 9; msr-py).
READ_TO_WRITE = [
    ("a30d1e28a9727c5400", "c5b07814954e3e2a"),
    ("d4119257f500", "2b8849eaaf"),
]

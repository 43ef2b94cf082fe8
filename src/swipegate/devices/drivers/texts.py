"""The text of a track as devices give it."""

# Start sentinels by track, and the end sentinel (ISO/IEC 7811-2 and 7813, 4909).
START_SENTINELS = {1: ord("%"), 2: ord(";"), 3: ord(";")}
END_SENTINEL = ord("?")


def with_sentinels(number: int, data: bytearray) -> bytearray:
    """A track's text with the sentinels that its device leaves out."""
    return bytearray((START_SENTINELS[number], *data, END_SENTINEL))

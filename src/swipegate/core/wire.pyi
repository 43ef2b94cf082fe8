"""Batches of swipes, serialized in and out. The GIL is released while a message is decoded."""

from typing_extensions import Buffer

from swipegate.core.numbers import FormatSet

class InvalidField(ValueError):
    """A field over its bound in track.proto. Example scenarios: a ninth track, a text of 2,000 bytes, a track
    4.
    """

    field: str
    """Path of the field, such as `swipes[3].tracks[0].bits.bit_count`."""
    reason: str
    """What it must be; nothing of what it was."""

def decode_batch(request: Buffer, formats: FormatSet) -> bytes:
    """A serialized DecodeSwipesResponse for a serialized DecodeSwipesRequest; its config is left to the
    caller.

    Raises InvalidField for a field out of its bounds, ValueError for a message that is no well-formed
    protobuf.
    """

def decode_texts(request: Buffer, formats: FormatSet) -> bytes | None:
    """What decode_batch answers, for a batch of nothing but texts that takes a few ms at most; None for any other.

    Raises as decode_batch does, for what it meets before it sees that the batch is another.
    """

def decode_one(swipe: Buffer, formats: FormatSet) -> bytes:
    """A serialized DecodedSwipe for a serialized Swipe. Raises as decode_batch does."""

def batch_config(request: Buffer) -> bytes | None:
    """The serialized DecodeSwipesConfig of a serialized DecodeSwipesRequest, None when it has none.

    Raises ValueError for a message that is no well-formed protobuf.
    """

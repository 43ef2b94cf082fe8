"""The compiled track core: swipes in any form to v1 messages."""

from swipegate.core.builtin_formats import BUILTIN_FORMATS, DEFAULT_FORMATS
from swipegate.core.numbers import FormatSet, compile_formats
from swipegate.core.wire import InvalidField, batch_config, decode_batch, decode_one
from swipegate.v1.track_pb2 import BitString, DecodedSwipe, RawTrack, Swipe

__all__ = [
    # decoding
    "decode",
    "decode_batch",
    "decode_one",
    "batch_config",
    # card formats
    "BUILTIN_FORMATS",
    "DEFAULT_FORMATS",
    "FormatSet",
    "compile_formats",
    # errors
    "InvalidField",
]

_DEFAULT = compile_formats(DEFAULT_FORMATS)


def decode(swipe: Swipe | BitString | str | bytes, formats: FormatSet | None = None) -> DecodedSwipe:
    """Decode one swipe: a message, the text of a track or of a reader's line, or the bits of a track.

    Without formats, DEFAULT_FORMATS are tried. A track that does not read says so itself; raises InvalidField for a
    field out of the bounds of track.proto.
    """
    if isinstance(swipe, str):
        swipe = swipe.encode("utf-8", "surrogatepass")
    if isinstance(swipe, bytes):
        swipe = Swipe(tracks=[RawTrack(text=swipe)])
    elif isinstance(swipe, BitString):
        swipe = Swipe(tracks=[RawTrack(bits=swipe)])
    return DecodedSwipe.FromString(decode_one(swipe.SerializeToString(), formats or _DEFAULT))

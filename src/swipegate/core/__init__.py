"""The track core: what a head read -> characters -> fields -> card number.

Compiled in stages (flux, symbols, tracks, numbers) that can each be used alone, and wire, which runs all of them
over serialized messages without the GIL. The functions here are wire's, over the messages of swipegate.v1.
"""

from swipegate.core.builtin_formats import BUILTIN_FORMATS, DEFAULT_FORMATS
from swipegate.core.numbers import FormatSet, compile_formats
from swipegate.core.symbols import pack, unpack
from swipegate.core.wire import InvalidField, batch_config, decode_batch, decode_one
from swipegate.v1.track_pb2 import DecodedSwipe, Swipe

MAX_BITS = 8192
"""Of one track, as swipegate.v1.BitString holds them."""
MAX_TEXT = 1024
"""Bytes of one text, as swipegate.v1.RawTrack holds it."""


def decode(swipe: Swipe, formats: FormatSet) -> DecodedSwipe:
    """What the swipe holds. Raises InvalidField for a field over its bound in track.proto."""
    return DecodedSwipe.FromString(decode_one(swipe.SerializeToString(), formats))


__all__ = [
    # formats
    "BUILTIN_FORMATS",
    "DEFAULT_FORMATS",
    "FormatSet",
    "compile_formats",
    # decoding
    "InvalidField",
    "batch_config",
    "decode",
    "decode_batch",
    "decode_one",
    # bits
    "MAX_BITS",
    "MAX_TEXT",
    "pack",
    "unpack",
]

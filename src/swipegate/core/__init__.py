"""The track core: what a head read -> characters -> fields -> card number.

Compiled in stages (flux, symbols, tracks, numbers) that can each be used alone, and wire, which runs all of them
over serialized messages without the GIL. The functions here are wire's, over the messages of swipegate.v1.
"""

from swipegate.core.builtin_formats import BUILTIN_FORMATS, DEFAULT_FORMATS, FORMATS_BY_NAME
from swipegate.core.dry_run import try_formats
from swipegate.core.numbers import FormatSet, compile_formats
from swipegate.core.suggestions import Sample, suggest_formats
from swipegate.core.symbols import pack, unpack
from swipegate.core.wire import InvalidField, batch_config, decode_batch, decode_one, decode_texts
from swipegate.v1.track_pb2 import BitString, DecodedSwipe, RawTrack, Swipe

MAX_BITS = 8192
"""Of one track, as swipegate.v1.BitString holds them."""
MAX_TEXT = 1024
"""Bytes of one text, as swipegate.v1.RawTrack holds it."""

_DEFAULT = compile_formats(DEFAULT_FORMATS)


def decode(swipe: Swipe | BitString | str | bytes, formats: FormatSet | None = None) -> DecodedSwipe:
    """Decode one swipe: a message, the text of a track or of a reader's line, or the bits of a track.

    Without formats, DEFAULT_FORMATS are tried. A track that does not read says so itself; raises InvalidField for
    a field out of the bounds of track.proto.
    """
    if isinstance(swipe, str):
        swipe = swipe.encode("utf-8", "surrogatepass")
    if isinstance(swipe, bytes):
        swipe = Swipe(tracks=[RawTrack(text=swipe)])
    elif isinstance(swipe, BitString):
        swipe = Swipe(tracks=[RawTrack(bits=swipe)])
    return DecodedSwipe.FromString(decode_one(swipe.SerializeToString(), formats or _DEFAULT))


__all__ = [  # noqa: RUF022 - grouped by use
    # decoding
    "decode",
    "decode_batch",
    "decode_texts",
    "decode_one",
    "batch_config",
    # card formats
    "BUILTIN_FORMATS",
    "DEFAULT_FORMATS",
    "FORMATS_BY_NAME",
    "FormatSet",
    "compile_formats",
    "try_formats",
    "Sample",
    "suggest_formats",
    # bits
    "MAX_BITS",
    "MAX_TEXT",
    "pack",
    "unpack",
    # errors
    "InvalidField",
]

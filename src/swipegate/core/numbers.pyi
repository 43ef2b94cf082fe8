"""Card formats, compiled once, and the card number they find on a track."""

from collections.abc import Iterable
from typing import Any, final

from typing_extensions import Buffer

from swipegate.v1.card_format_pb2 import CardFormatVerdict
from swipegate.v1.track_pb2 import CardNumber, DecodedSwipe

@final
class FormatSet:
    """Compiled card formats in the order in which they are tried. Thread-safety: immutable."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the formats, in order."""
    def __len__(self) -> int: ...
    def match(self, text: str | Buffer, number: int = 0) -> CardNumber | None:
        """The card number on a track, or on a line of tracks where number is 0; None when no format fits.

        A track whose reading failed, or whose printed LRC disagrees, gives none. Raises ValueError as
        tracks.parse does.
        """

    def explain(self, swipe: DecodedSwipe, reveal: bool = False) -> list[CardFormatVerdict]:
        """How each format takes a decoded swipe, in order: whether it fits, or the first thing that it does not allow.

        The matcher is that of match and of decoding; mismatches have no description. With `reveal` they and the
        numbers hold track data. Raises ValueError for more than 64 tracks or a text of over 1,024 characters.
        """

def compile_formats(formats: Iterable[Any]) -> FormatSet:
    """Compile v1 CardFormat messages, or objects with the same attributes and None for an absent part; conditions are
    messages.

    Raises ValueError that begins with the path of the field, such as `card_formats[2].card_number.length:`.
    """

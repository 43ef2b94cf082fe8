"""Card formats, compiled once, and the card number they find on a track."""

from collections.abc import Iterable
from typing import Any, final

from typing_extensions import Buffer

from swipegate.v1.track_pb2 import CardNumber

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

def compile_formats(formats: Iterable[Any]) -> FormatSet:
    """Compile v1 CardFormat messages, or objects with the same attributes and None for an absent part.

    Raises ValueError that begins with the path of the field, such as `card_formats[2].card_number.length:`.
    """

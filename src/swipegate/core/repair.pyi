"""What does not read -> what it must have been: erasures, the card's other tracks, other passes of the card.

The model, and the bound on false acceptance, are in ext/repair.pyx. A doubt is one byte a bit: 255 as
likely wrong as right, 16 less for each nat of odds, 0 sure. error_rate is the least probability, 0 to 0.5,
that a bit is wrong, noise_rate that of a character whose bits are all noise. At most 8 characters of a
track are corrected, and only in the ISO/IEC 7811-2 codings. Thread-safety: all of it; nothing is shared
between calls.
"""

from collections.abc import Sequence

from typing_extensions import Buffer

from swipegate.core.symbols import Characters

def decode(
    bits: Buffer,
    doubts: Buffer | None = None,
    bits_per_character: int = 0,
    *,
    msb_first: bool = False,
    error_rate: float = ...,
    noise_rate: float = ...,
) -> Characters:
    """Decode as symbols.decode does, and what does not read by the likeliest text, if that is proved.

    Raises ValueError as it does, and for doubts that are not as many as the bits.
    """

def decode_beside(
    bits: Buffer,
    number: int,
    *,
    pan: str,
    expiry: str = "",
    service_code: str = "",
    doubts: Buffer | None = None,
    error_rate: float = ...,
    noise_rate: float = ...,
) -> Characters:
    """Decode track 1, 2 or 3 of a card of which another track says the PAN (ISO/IEC 7813, ISO/IEC 4909).

    Without effect where the track says something else in characters that are sure. Raises ValueError as decode does,
    and for fields that are no digits of their length.
    """

def decode_passes(
    passes: Sequence[Buffer],
    doubts: Sequence[Buffer | None] | None = None,
    bits_per_character: int = 0,
    *,
    msb_first: bool = False,
    error_rate: float = ...,
    noise_rate: float = ...,
) -> Characters:
    """Decode 1 to 8 passes of one card: the first that reads alone, else what all say together.

    Nothing is read of passes that contradict each other in characters that are sure. Raises ValueError as decode does.
    """

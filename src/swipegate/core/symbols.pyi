"""Bits to characters and back (ISO/IEC 7811-2 and -6), 5 or 7 bits a character, odd parity, least significant
bit first.
"""

from typing import final

from typing_extensions import Buffer

@final
class Characters:
    """What a string of bits says. Its repr shows no track data. Thread-safety: immutable."""

    @property
    def text(self) -> str:
        """Characters from start to end sentinel, both included, without the LRC; empty when the string does
        not read.
        """
    @property
    def bits_per_character(self) -> int:
        """5 or 7, parity included; 0 when the string does not read."""
    @property
    def direction(self) -> int:
        """A v1 SwipeDirection."""
    @property
    def inverted(self) -> bool:
        """Whether every bit came inverted."""
    @property
    def lrc(self) -> int:
        """A v1 LrcStatus."""
    @property
    def lrc_character(self) -> str:
        """The LRC character, corrected if it was repaired; empty when the string does not read."""
    @property
    def start_bit(self) -> int:
        """First bit of the reading in the string as given, whatever the direction."""
    @property
    def end_bit(self) -> int:
        """One past the last bit of the reading, LRC included."""
    @property
    def repairs(self) -> tuple[tuple[int, str, int], ...]:
        """(position, character, v1 RepairMethod) of each correction; the LRC has the position after the end
        sentinel.
        """
    @property
    def errors(self) -> tuple[int, ...]:
        """v1 TrackError numbers, ascending; empty when the string reads."""

def decode(bits: Buffer, bits_per_character: int = 0, repair: bool = True) -> Characters:
    """Find the track in a string of bits, one byte of 0 or 1 a bit, at most 8,192.

    Every alignment and both directions are tried, and inverted bits where neither reads; bits_per_character 0
    tries
    5 and 7. With repair, one wrong bit is corrected where the crossing of parity and LRC names it. Raises
    ValueError
    for a bad argument; a string that does not read is no error of the call.
    """

def decode_packed(
    data: Buffer, bits_per_character: int = 0, repair: bool = True, any_packing: bool = False
) -> Characters:
    """Decode packed bits, first bit in the top bit of the first byte.

    With any_packing, bits reversed inside each byte and bytes in reverse order are tried too. These two are
    each
    other's reversal and cannot be told apart, so such a reading is given as reverse.
    """

def encode(
    text: str, bits_per_character: int, leading_zeros: int = 0, trailing_zeros: int = 0, reverse: bool = False
) -> bytes:
    """Bits of a text that holds its sentinels, LRC appended, one byte of 0 or 1 a bit. Raises ValueError for
    a character outside the set.
    """

def lrc(text: str, bits_per_character: int) -> str:
    """The LRC character of a text that holds its sentinels. Raises ValueError for a character outside the
    set.
    """

def pack(bits: Buffer) -> bytes:
    """Pack bits, one byte of 0 or 1 each, first bit in the top bit; the last byte is filled with zeros."""

def unpack(
    data: Buffer, bit_count: int = 0, *, lsb_first: bool = False, bytes_reversed: bool = False
) -> bytes:
    """Spread packed bits over bytes of 0 and 1; bit_count 0 takes all.

    lsb_first takes bits that are reversed inside each byte, bytes_reversed bytes whose order is. Raises
    ValueError
    when bit_count is over the bits of data.
    """

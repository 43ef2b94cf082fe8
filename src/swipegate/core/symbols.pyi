"""Bits to characters and back.

Codings, by bits a character: 5 and 7 of ISO/IEC 7811-2 (odd parity); 6 of California's licences, tracks 1 and 3 (no
parity, the characters of 7); 8 of JIS X 6302-2 (JIS-II: ASCII, even parity, DEL for both sentinels). Data bits come
least significant first unless msb_first is said. What a reading must prove is in ext/symbols.pyx.
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
        """5 to 8, parity included; 0 when the string does not read."""
    @property
    def coding(self) -> int:
        """A v1 CharacterCoding."""
    @property
    def msb_first(self) -> bool:
        """Whether the data bits of a character came most significant first."""
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
    def repairs(self) -> tuple[tuple[int, str, int, int], ...]:
        """(position, character, v1 RepairMethod, bits) of each corrected character; the LRC has the position after
        the end sentinel.
        """
    @property
    def errors(self) -> tuple[int, ...]:
        """v1 TrackError numbers, ascending; empty when the string reads."""

def decode(
    bits: Buffer, bits_per_character: int = 0, repair: bool = True, *, msb_first: bool = False
) -> Characters:
    """Find the track in a string of bits, one byte of 0 or 1 a bit, at most 8,192.

    Every alignment and both directions are tried, and inverted bits where neither reads. With bits_per_character 0
    the coding is found out: 5 and 7 before 8 and 6, which must prove more; msb_first is for a caller who knows the
    coding. With repair, what does not read is given to repair.decode. Raises ValueError for a bad argument; a string
    that does not read is no error of the call.
    """

def decode_packed(
    data: Buffer,
    bits_per_character: int = 0,
    repair: bool = True,
    any_packing: bool = False,
    *,
    msb_first: bool = False,
) -> Characters:
    """Decode packed bits, first bit in the top bit of the first byte.

    With any_packing, bits reversed inside each byte and bytes in reverse order are tried too. These two are each
    other's reversal and cannot be told apart, so such a reading is given as reverse.
    """

def encode(
    text: str,
    bits_per_character: int,
    leading_zeros: int = 0,
    trailing_zeros: int = 0,
    reverse: bool = False,
    *,
    msb_first: bool = False,
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

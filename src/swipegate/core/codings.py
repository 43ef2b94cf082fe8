"""The codings of characters, for who names one or looks at single bits; the compiled tables are those of symbols."""

from typing import NamedTuple, cast

from swipegate.v1 import track_pb2 as pb


class Coding(NamedTuple):
    """How the bits of a character are put together."""

    name: str
    """As the command line calls it: iso-5, california-6-msb-first."""
    bits: int
    """Of a character, its parity bit included."""
    start: str
    """The start sentinel."""
    end: str
    parity: int | None
    """Ones of a right character modulo 2; None for a coding without parity."""
    first: str
    """The character of value 0."""
    msb_first: bool

    @property
    def data_bits(self) -> int:
        """Of a character, without parity."""
        return self.bits - (self.parity is not None)

    def code(self, character: str) -> int:
        """Its bits, the first read in bit 0."""
        value = ord(character) - ord(self.first)
        code = self._turned(value)
        if self.parity is not None:
            code |= ((value.bit_count() ^ self.parity) & 1) << self.data_bits
        return code

    def character(self, code: int) -> str:
        """What the data bits say, right or not."""
        return chr(ord(self.first) + self._turned(code & ((1 << self.data_bits) - 1)))

    def parity_ok(self, code: int) -> bool:
        """Whether nothing in the bits themselves is wrong."""
        return self.parity is None or code.bit_count() % 2 == self.parity

    def holds(self, code: int) -> bool:
        """Whether it is a character that stands between sentinels, its parity aside; those of JIS itself are none."""
        # JIS X 6302-2 takes its characters from JIS X 0201: graphic ones, shift-out and shift-in
        return self.bits < 8 or " " <= self.character(code) <= "~" or self.character(code) in "\x0e\x0f"

    def _turned(self, value: int) -> int:
        """The data bits in the order in which they are read, or back: one is the other's way round."""
        if not self.msb_first:
            return value
        return int(f"{value:0{self.data_bits}b}"[::-1], 2)


_LAYOUTS = {
    pb.CHARACTER_CODING_ISO_5_BIT: (5, ";", "?", 1, "0"),
    pb.CHARACTER_CODING_ISO_7_BIT: (7, "%", "?", 1, " "),
    pb.CHARACTER_CODING_CALIFORNIA_6_BIT: (6, "%", "?", None, " "),
    pb.CHARACTER_CODING_JIS_8_BIT: (8, "\x7f", "\x7f", 0, "\0"),
}
"""ISO/IEC 7811-2 tables 3 and 4; California; JIS X 6302-2."""
_MSB_FIRST = "_MSB_FIRST"


def _coding(full_name: str) -> Coding:
    lsb_first = cast("pb.CharacterCoding", pb.CharacterCoding.Value(full_name.removesuffix(_MSB_FIRST)))
    name = full_name.removeprefix("CHARACTER_CODING_").replace("_BIT", "").replace("_", "-").lower()
    return Coding(name, *_LAYOUTS[lsb_first], full_name.endswith(_MSB_FIRST))


CODINGS = {
    cast("pb.CharacterCoding", number): _coding(name) for name, number in pb.CharacterCoding.items()[1:]
}
"""By v1 CharacterCoding."""
BY_NAME = {coding.name: number for number, coding in CODINGS.items()}

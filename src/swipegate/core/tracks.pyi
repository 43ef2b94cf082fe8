"""Characters to fields (ISO/IEC 7813 tracks 1 and 2, ISO/IEC 4909 track 3), and back."""

from typing import final

from typing_extensions import Buffer

@final
class ParsedTrack:
    """One track of a text. Its repr shows no track data. Thread-safety: immutable but for the dict."""

    @property
    def text(self) -> str:
        """From start to end sentinel, both included where they are; empty when the reader says that it could
        not read.
        """
    @property
    def number(self) -> int:
        """1 to 3, or 0 when neither the caller nor the text tells."""
    @property
    def standard(self) -> int:
        """A v1 TrackStandard."""
    @property
    def errors(self) -> tuple[int, ...]:
        """v1 TrackError numbers, ascending."""
    @property
    def allowances(self) -> tuple[int, ...]:
        """v1 TrackAllowance numbers, ascending."""
    @property
    def lrc(self) -> int:
        """A v1 LrcStatus: what an LRC character printed after the end sentinel says."""
    @property
    def lrc_character(self) -> str:
        """That character; empty when there is none."""
    @property
    def fields(self) -> dict[str, str]:
        """Fields that are there, by their names in v1 TrackFields and Track3Fields."""
    @property
    def luhn_ok(self) -> bool | None:
        """Whether the PAN's check digit agrees; None without a PAN."""

def parse(text: str | Buffer, number: int = 0) -> ParsedTrack:
    """Parse the one track of a text, or the first; number 0 lets the text tell which it is.

    Raises ValueError for a number over 3 or a text over 1,024 bytes; whatever else the text holds, the track
    says it.
    """

def split(line: str | Buffer) -> list[ParsedTrack]:
    """Parse every track of a line as readers print it. Raises ValueError for a line over 1,024 bytes."""

def luhn_ok(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1 annex B); False for no
    digits.
    """

def encode_track1(
    pan: str,
    name: str,
    expiry: str = "",
    service_code: str = "",
    discretionary: str = "",
    country_code: str = "",
) -> str:
    """Text of an ISO/IEC 7813 track 1, format code B, with its sentinels.

    An empty expiry or service code becomes a separator. Raises ValueError that names the field.
    """

def encode_track2(pan: str, expiry: str = "", service_code: str = "", discretionary: str = "") -> str:
    """Text of an ISO/IEC 7813 track 2 with its sentinels; empty fields and errors as for track 1."""

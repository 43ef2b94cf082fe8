"""Characters to fields (ISO/IEC 7813 tracks 1 and 2, ISO/IEC 4909 track 3, EMV, AAMVA); encoders give the way back."""

from typing import final

from typing_extensions import Buffer

from swipegate.core.encoders import encode_licence as encode_licence
from swipegate.core.encoders import encode_track1 as encode_track1
from swipegate.core.encoders import encode_track2 as encode_track2
from swipegate.core.encoders import encode_track3 as encode_track3

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
        """Texts that are there, by their names in v1 TrackFields, Track3Fields and LicenceFields."""
    @property
    def luhn_ok(self) -> bool | None:
        """Whether the PAN's check digit agrees; None without a PAN."""
    @property
    def brand(self) -> int:
        """A v1 CardBrand."""
    @property
    def service(self) -> tuple[int, int, int]:
        """A v1 ServiceInterchange, ServiceAuthorisation and ServiceRange."""
    @property
    def expiry_rule(self) -> int:
        """A v1 ExpiryRule; 0 but for track 2 of a licence."""
    @property
    def sex(self) -> int:
        """A v1 LicenceSex; 0 but for track 3 of a licence."""

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

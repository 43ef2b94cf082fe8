"""What may be shown of track data."""

import pytest

from swipegate.core import decode, pack, symbols
from swipegate.domain.masking import masked_broken, masked_track
from swipegate.v1.track_pb2 import BitString, RawTrack, Swipe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (";4111111131111111=34121014000012300000?", ";411111**********=********************?"),
        ("%B4111111111111111^DOE/JANE^3012101000?", "%B411111**********^*******************?"),
        (";41111 1111111111=3012", ";41111 **********=****"),
        (";4111111111111111111111", ";411111****************"),
        (";?", ";?"),
        ("", ""),
    ],
)
def test_of_a_broken_text_the_front_and_its_shape_are_shown(text: str, shown: str) -> None:
    assert masked_broken(text) == shown


def test_a_licence_shows_its_issuer_alone() -> None:
    swipe = decode("%TXAUSTIN^DOE$JOHN^12345 SHERBOURNE ST^?;63601501234567=150819810101?")
    masked = masked_track(swipe.tracks[1])
    assert masked.fields.pan == "636015********"
    assert masked.text.startswith(";636015********=")
    assert "4567" not in masked.text


def test_the_lrc_of_a_masked_track_is_hidden() -> None:
    bits = symbols.encode(";4111111111111111=2912101?", 5, 8, 8)
    track = decode(Swipe(tracks=[RawTrack(bits=BitString(data=pack(bits), bit_count=len(bits)))])).tracks[0]
    assert track.lrc_character
    assert masked_track(track).lrc_character == "*"
    assert masked_track(decode(";98949188?").tracks[0]).text == ";98949188?"


def test_fields_that_may_stand_elsewhere_are_hidden_whole() -> None:
    text = ";4111111111111111=16042010000056700100somelong12345678901234567890"
    masked = masked_track(decode(text).tracks[0])
    assert masked.text.startswith(";411111*")
    assert not set("56789") & set(masked.text[7:])

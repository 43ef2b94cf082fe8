"""What may be shown of track data."""

import pytest
from google.protobuf.message import Message

from swipegate.core import decode, pack, symbols
from swipegate.domain.masking import masked_broken, masked_track
from swipegate.v1.track_pb2 import TRACK_STANDARD_CDMV_TRACK1, BitString, RawTrack, Swipe, Track


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


@pytest.mark.parametrize(
    "text",
    [
        ";123456789012=3012101123456789012345678901234567890?",  # a track 2 that is too long
        ";003456789012=3012101123456789012345678901234567890?",  # a track 3 of unknown layout
        "%B4111111111111111^DOE/JANE^3012101" + "1234567890" * 6 + "?",
        "%Z4111111111111111^DOE/JANE^3012101123456789?",
        "%B4111111111111111^DOE/JANE30121019876543210987?",  # a separator is lost
        ";40128^8888881881=30121019876543210987?",  # another stands inside of the PAN
        "%B401^2888888881881^DOE/JANE^30121019876543210987?",
    ],
)
def test_of_a_text_that_is_not_understood_no_field_is_shown(text: str) -> None:
    track = decode(text).tracks[0]
    masked = masked_track(track)
    assert _digits(track.fields)
    assert not _digits(masked.fields)
    assert not masked.fields.HasField("service")
    assert masked.text == masked_broken(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (";01401288\\8881881=7247241000000000?", ";014012**********=****************?"),  # no field is found
        (";98949188?", ";98949188?"),
        (";<05>?", ";<05>?"),
        (";4111111111111111=3099101?", ";411111******1111=3099101?"),  # its PAN is proved
    ],
)
def test_what_is_shown_of_a_text_in_part_understood(text: str, shown: str) -> None:
    assert masked_track(decode(text).tracks[0]).text == shown


def test_a_number_in_a_field_of_another_name_is_masked() -> None:
    track = Track(standard=TRACK_STANDARD_CDMV_TRACK1, text="%C4111111111111111?")
    track.fields.name = "4111111111111111"
    assert masked_track(track).fields.name == "411111******1111"


def test_of_a_japanese_stripe_nothing_is_shown() -> None:
    bits = symbols.encode("\x7fA0123456789 TARO\x7f", 8, 20, 20)
    swipe = Swipe(tracks=[RawTrack(bits=BitString(data=pack(bits), bit_count=len(bits)))])
    masked = masked_track(decode(swipe).tracks[0])
    assert masked.text == "\x7f****************\x7f"
    assert masked.lrc_character == "*"


def _digits(message: Message) -> str:
    """Every letter and digit in the texts of a message, format codes aside."""
    found = ""
    for descriptor, value in message.ListFields():
        if isinstance(value, Message):
            found += _digits(value)
        elif isinstance(value, str) and descriptor.name != "format_code":
            found += "".join(one for one in value if one.isalnum())
    return found


def test_fields_that_may_stand_elsewhere_are_hidden_whole() -> None:
    text = ";4111111111111111=16042010000056700100somelong12345678901234567890"
    masked = masked_track(decode(text).tracks[0])
    assert masked.text.startswith(";411111*")
    assert not set("56789") & set(masked.text[7:])

"""Captures with the voltages of heads; those of clock and data lines are in test_recordings."""

import io
import zipfile
from array import array

import pytest

from swipegate.core.recordings import RecordingError, bounds, parse_recording
from tests.core.test_flux import TRACK2, lines, swiped
from tests.core.test_recordings import BITS, sigrok, texts

OTHER = ";98949188?"
RATE = 100_000


def with_analog(channels, *, logic=b"", rate="100 kHz", parts=3, first=1, **settings) -> bytes:
    """A capture as libsigrok's srzip writes it, the samples of each channel in several files."""
    file = io.BytesIO(sigrok(logic, rate=rate, **settings))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for number, channel in enumerate(channels, first):
            size = -(-len(channel) // parts)
            for part in reversed(range(parts)):
                piece = array("f", channel[part * size : (part + 1) * size])
                archive.writestr(f"analog-1-{number}-{part + 1}", piece.tobytes())
    return file.getvalue()


CHANNELS = [swiped(rate=RATE), swiped(OTHER, rate=RATE, amplitude=0.2, seed=2)]


@pytest.mark.parametrize("first", [1, 9])
def test_the_voltages_of_a_capture_are_read(first):
    data = with_analog(CHANNELS, first=first)
    assert texts(parse_recording(data)) == [[TRACK2, OTHER]]
    assert [texts(parse_recording(data, channel=number)) for number in (1, 2)] == [[[TRACK2]], [[OTHER]]]


def test_a_capture_may_have_lines_and_voltages():
    data = with_analog(CHANNELS[1:], logic=lines([BITS], low=50, pause=4000))
    assert texts(parse_recording(data)) == [[TRACK2], [OTHER]]
    assert texts(parse_recording(data, channel=1)) == [[OTHER]]


def test_unused_lines_beside_voltages_do_not_matter():
    assert texts(parse_recording(with_analog(CHANNELS[:1], logic=b"\0", probes=("x", "y", "z")))) == [
        [TRACK2]
    ]


@pytest.mark.parametrize(
    ("data", "channel", "reason"),
    [
        (with_analog(CHANNELS), 3, "no analog channel 3; it has 2"),
        (sigrok(lines([BITS])), 1, "no analog channel 1; it has 0"),
        (with_analog(CHANNELS, rate="2 MHz"), 0, "sample rate 2000000 Hz"),
        (with_analog([array("f", [float("nan")] * 9)]), 0, "samples are no numbers"),
        (with_analog([array("f", [0.0])] * 9), 0, "more than 8 analog channels"),
        (with_analog([array("f", [0.5] * 9)]), 0, "no swipe"),
    ],
)
def test_voltages_that_cannot_be_read_say_why(data, channel, reason):
    with pytest.raises(RecordingError, match=f"^head.sr: {reason}"):
        parse_recording(data, "head.sr", channel=channel)


def test_what_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 100_000)
    with pytest.raises(RecordingError, match="capture larger than"):
        parse_recording(with_analog([array("f", bytes(60_000))] * 2))


def test_a_zip_of_very_many_files_is_refused_unread():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(12_000):
            archive.writestr(f"{number:050}", b"")
    with pytest.raises(RecordingError, match="more files than a sigrok capture has"):
        parse_recording(file.getvalue())


def test_a_directory_that_points_before_the_file_is_damage():
    data = bytearray(sigrok(lines([BITS])))
    end = data.rfind(b"PK\5\6")
    data[end + 16 : end + 20] = b"\xff\xff\xff\x7f"  # where it says that it begins
    with pytest.raises(RecordingError, match="damaged or no sigrok capture"):
        parse_recording(bytes(data))

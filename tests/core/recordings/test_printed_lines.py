"""Files that hold what readers print, and nothing else."""

import pytest

from swipegate.core.recordings import RecordingError, parse_recording

ONE = "%B4111111111111111^DOE/JANE^3012101?"
TWO = ";4111111111111111=3012101?"
FOB = ";98949188?"


def texts(content: str) -> list[list[str | None]]:
    return [[track.text for track in swipe.tracks] for swipe in parse_recording(content.encode())]


@pytest.mark.parametrize(
    ("content", "swipes"),
    [
        (FOB, [[FOB]]),
        (f"{FOB}\r\n{FOB}\r\n", [[FOB], [FOB]]),
        (f"{ONE}{TWO}\n{ONE}{TWO}\n", [[ONE + TWO], [ONE + TWO]]),
        (f"{ONE}\n{TWO}\n+1?\n\n{TWO}\n", [[ONE, TWO, "+1?"], [TWO]]),
        (f"{ONE}{TWO}\n+1?\n{TWO}", [[ONE + TWO, "+1?"], [TWO]]),
        ("%E?;E?\n", [["%E?;E?"]]),
        (";1", [[";1"]]),
        (f"\x02{ONE}{TWO}\x03\r\n", [[ONE + TWO]]),
        (f"{ONE}\n{TWO}\n#1?\n{TWO}\n", [[ONE, TWO, "#1?"], [TWO]]),
    ],
)
def test_a_line_is_a_swipe_or_a_track_of_it(content: str, swipes: list[list[str]]) -> None:
    assert texts(content) == swipes


def test_a_third_track_is_known_by_any_of_its_sentinels() -> None:
    (swipe,) = parse_recording(f"{TWO}\n!0102?".encode())
    assert [track.number for track in swipe.tracks] == [0, 3]


@pytest.mark.parametrize(
    "content", ["#1?", "hello", f"{FOB}\nhello", f"reader: {FOB}", "4111111111111111=3012101"]
)
def test_other_lines_are_none_of_a_reader(content: str) -> None:
    with pytest.raises(RecordingError, match="no known kind") as caught:
        parse_recording(content.encode())
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"), [(f"{FOB}\n" * 1001, "1000 swipes"), (";" + "1" * 1024, "1024 characters")]
)
def test_bounds_are_named(content: str, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        parse_recording(content.encode())

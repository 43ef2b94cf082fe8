"""Who may be sent how much."""

from swipegate.service.clock import SECOND
from swipegate.service.receivers import FIRST_PAUSE, LONGEST_PAUSE, MAX_PER_RECEIVER, Receivers


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def test_a_receiver_gets_a_few_at_a_time() -> None:
    receivers = Receivers(Watch())
    for taken in range(MAX_PER_RECEIVER):
        assert receivers.room("a") == MAX_PER_RECEIVER - taken
        receivers.begin("a")
    assert (receivers.room("a"), receivers.room("b")) == (0, MAX_PER_RECEIVER)
    assert receivers.under_way == MAX_PER_RECEIVER
    for _ in range(MAX_PER_RECEIVER):
        receivers.end("a", succeeded=True)
    assert receivers.room("a") == MAX_PER_RECEIVER
    assert receivers._known == {}


def test_one_that_fails_is_left_alone_for_longer_and_longer_then_tried_by_one() -> None:
    watch = Watch()
    receivers = Receivers(watch)
    pauses = []
    for _ in range(20):
        receivers.begin("a")
        receivers.end("a", succeeded=False)
        pause = 0
        while not receivers.room("a"):
            pause += 1
            watch.turn(1)
        pauses.append(pause)
        assert receivers.room("a") == 1
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert set(pauses[5:]) == {LONGEST_PAUSE}
    receivers.begin("a")
    assert receivers.room("a") == 0
    receivers.end("a", succeeded=True)
    assert receivers.room("a") == MAX_PER_RECEIVER


def test_of_those_sent_together_one_failure_counts() -> None:
    watch = Watch()
    receivers = Receivers(watch)
    for _ in range(MAX_PER_RECEIVER):
        receivers.begin("a")
    for _ in range(MAX_PER_RECEIVER):
        receivers.end("a", succeeded=False)
    watch.turn(FIRST_PAUSE)
    assert receivers.room("a") == 1


def test_one_that_is_said_to_be_mended_is_sent_everything() -> None:
    receivers = Receivers(Watch())
    receivers.resume("a")
    receivers.begin("a")
    receivers.begin("a")
    receivers.end("a", succeeded=False)
    receivers.resume("a")
    assert receivers.room("a") == MAX_PER_RECEIVER - 1
    receivers.end("a", succeeded=None)
    assert receivers._known == {}


def test_turns() -> None:
    receivers = Receivers(Watch())
    for name in ("a", "b", "c", "a"):
        receivers.begin(name)
    for name in ("a", "b"):
        receivers.end(name, succeeded=None)
    receivers.begin("b")
    assert receivers.in_turn(["a", "b", "c", "d"]) == ["d", "c", "a", "b"]
    receivers.end("c", succeeded=False)
    assert receivers.in_turn(["c", "a"]) == ["a"]

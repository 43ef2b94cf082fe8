"""How the receivers of deliveries are doing, as far as this process knows."""

from dataclasses import dataclass

from swipegate.service.clock import SECOND, Clock

MAX_PER_RECEIVER = 8
"""Deliveries to one receiver at the same time; to one that failed last: one, which tries whether it is back."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds that a receiver is left alone after a failure; doubled with each further one."""
_MAX_DOUBLINGS = 16


@dataclass(slots=True)
class _Receiver:
    under_way: int = 0
    failures: int = 0
    """In a row."""
    resume_time: int = 0
    last_turn: int = 0


class Receivers:
    """Who may be sent how much now. Keeps only those that are busy or failing. Belongs to the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Receiver] = {}
        self._turns = 0

    @property
    def under_way(self) -> int:
        """Deliveries under way, to whomever."""
        return sum(receiver.under_way for receiver in self._known.values())

    def room(self, ac_system_id: str) -> int:
        """How many further deliveries it may be sent now."""
        receiver = self._known.get(ac_system_id)
        if receiver is None:
            return MAX_PER_RECEIVER
        if receiver.resume_time > self._clock():
            return 0
        return max(0, (1 if receiver.failures else MAX_PER_RECEIVER) - receiver.under_way)

    def in_turn(self, ac_system_ids: list[str]) -> list[str]:
        """Those with room: who waits for nothing first, among them whose turn is the longest ago."""
        with_room = [one for one in ac_system_ids if self.room(one)]
        known, none = self._known, _Receiver()
        return sorted(
            with_room,
            key=lambda one: (known.get(one, none).under_way, known.get(one, none).last_turn),
        )

    def begin(self, ac_system_id: str) -> None:
        """A delivery to it begins."""
        receiver = self._known.setdefault(ac_system_id, _Receiver())
        self._turns += 1
        receiver.under_way += 1
        receiver.last_turn = self._turns

    def end(self, ac_system_id: str, *, succeeded: bool | None) -> None:
        """A delivery ended; None: given up, which says nothing about the receiver."""
        receiver = self._known[ac_system_id]
        receiver.under_way -= 1
        if succeeded:
            receiver.failures = receiver.resume_time = 0
        elif (
            succeeded is False and receiver.resume_time <= self._clock()
        ):  # of those sent together, one counts
            pause = FIRST_PAUSE * 2 ** min(receiver.failures, _MAX_DOUBLINGS)
            receiver.failures += 1
            receiver.resume_time = self._clock() + int(min(pause, LONGEST_PAUSE) * SECOND)
        if not receiver.under_way and not receiver.failures:
            del self._known[ac_system_id]

    def resume(self, ac_system_id: str) -> None:
        """Forget its failures: somebody says that it is mended, or that it is another one now."""
        receiver = self._known.get(ac_system_id)
        if receiver is not None:
            receiver.failures = receiver.resume_time = 0
            if not receiver.under_way:
                del self._known[ac_system_id]

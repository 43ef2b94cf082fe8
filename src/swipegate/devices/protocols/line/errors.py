"""What a reader prints between the sentinels in place of a track's data, each with the reason it stands for."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason

MARKERS: Mapping[bytes, Reason] = {
    b"E": Reason.NOT_READ,  # the track could not be decoded: %E? ;E? +E?
}

"""What a read came to, in the words of a card request."""

from swipegate import core
from swipegate.devices.errors import DeviceError, Reason
from swipegate.devices.reader import ReadResult
from swipegate.domain.card_request import Failure
from swipegate.v1 import error_pb2
from swipegate.v1.error_pb2 import ErrorReason
from swipegate.v1.track_pb2 import DecodedSwipe, Track, TrackError

_REASONS = {
    number: ErrorReason.Value(name.replace("TRACK_ERROR", "ERROR_REASON"))
    for name, number in TrackError.items()
    if number and name.replace("TRACK_ERROR", "ERROR_REASON") in ErrorReason.keys()  # noqa: SIM118
}
"""Media errors have the same names in a track and in a request."""
MAX_DEVICE_CODE = 64
"""Characters of a device's own code."""
UNPROVEN = frozenset(
    {
        error_pb2.ERROR_REASON_LINK_LOST,
        error_pb2.ERROR_REASON_ACK_TIMEOUT,
        error_pb2.ERROR_REASON_NAK_EXHAUSTED,
        error_pb2.ERROR_REASON_BAD_CHECK,
        error_pb2.ERROR_REASON_RESPONSE_TIMEOUT,
        error_pb2.ERROR_REASON_DESYNC,
        error_pb2.ERROR_REASON_POWER_DOWN,
        error_pb2.ERROR_REASON_INTERNAL,
    }
)
"""Failures after which nobody knows what the device does."""


def failure_of_error(error: DeviceError | TimeoutError) -> Failure:
    """The failure that a device's error, or its silence, stands for."""
    if isinstance(error, DeviceError):
        return Failure(ErrorReason.Value(f"ERROR_REASON_{error.reason}"), error.device_code[:MAX_DEVICE_CODE])
    return Failure(error_pb2.ERROR_REASON_RESPONSE_TIMEOUT)


def decoded_swipe(result: ReadResult, formats: core.FormatSet) -> DecodedSwipe:
    """What a device read, decoded. A track that the device could not read is there with its error.

    A blank track is there only when all are blank: few cards have three tracks, and the rest is nothing wrong.
    """
    swipe = result.to_swipe()
    decoded = core.decode(swipe, formats) if swipe.tracks else DecodedSwipe()
    failed = [track for track in result.tracks if track.error is not None]
    damaged = [track for track in failed if track.error is not Reason.NO_ENCODING]
    for track in damaged if damaged or decoded.tracks else failed:
        known = f"TRACK_ERROR_{track.error}" in TrackError.keys()  # noqa: SIM118 - an enum wrapper is no dict
        error = f"TRACK_ERROR_{track.error}" if known else "TRACK_ERROR_NOT_READ"
        decoded.tracks.append(Track(number=track.number, errors=[error]))
    return decoded


def failure_of_swipe(swipe: DecodedSwipe, device_code: str) -> Failure:
    """Why no card number came of a swipe: the first error of the track that holds most, else no format matches."""
    device_code = device_code[:MAX_DEVICE_CODE]
    tracks = sorted(swipe.tracks, key=lambda track: len(track.text), reverse=True)
    if not tracks:
        return Failure(error_pb2.ERROR_REASON_NO_ENCODING, device_code)
    if any(track.text and not track.errors for track in tracks):
        return Failure(error_pb2.ERROR_REASON_NO_CARD_FORMAT_MATCHES, device_code)
    for track in tracks:
        for error in track.errors:
            if error in _REASONS:
                return Failure(_REASONS[error], device_code)
    return Failure(error_pb2.ERROR_REASON_NO_CARD_FORMAT_MATCHES, device_code)

"""What a read came to, in the words of a card request."""

from swipegate import core
from swipegate.devices.errors import DeviceError
from swipegate.devices.reader import ReadResult
from swipegate.domain.card_request import Failure
from swipegate.v1 import error_pb2
from swipegate.v1.error_pb2 import ErrorReason
from swipegate.v1.track_pb2 import DecodedSwipe, Track, TrackError

# enum wrappers are no dicts: their keys() is a list
_TRACK_ERRORS = {name.removeprefix("TRACK_ERROR_") for name in TrackError.keys()}  # noqa: SIM118
_REASONS = {
    TrackError.Value(f"TRACK_ERROR_{name}"): ErrorReason.Value(f"ERROR_REASON_{name}")
    for name in _TRACK_ERRORS
    if name != "UNSPECIFIED" and f"ERROR_REASON_{name}" in ErrorReason.keys()  # noqa: SIM118
}
"""Media errors have the same names in a track and in a request."""


def failure_of_error(error: DeviceError | TimeoutError) -> Failure:
    """The failure that a device's error, or its silence, stands for."""
    if isinstance(error, DeviceError):
        return Failure(ErrorReason.Value(f"ERROR_REASON_{error.reason}"), error.device_code[:64])
    return Failure(error_pb2.ERROR_REASON_RESPONSE_TIMEOUT)


def decoded_swipe(result: ReadResult, formats: core.FormatSet) -> DecodedSwipe:
    """What a device read, decoded; a track that the device itself could not read is there with its error."""
    swipe = result.to_swipe()
    decoded = core.decode(swipe, formats) if swipe.tracks else DecodedSwipe()
    for track in result.tracks:
        if track.error is not None and track.text is None and track.bits is None:
            known = track.error.value in _TRACK_ERRORS
            error = f"TRACK_ERROR_{track.error if known else 'NOT_READ'}"
            decoded.tracks.append(Track(number=track.number, errors=[error]))
    return decoded


def failure_of_swipe(swipe: DecodedSwipe, device_code: str) -> Failure:
    """Why no card number came of a swipe: the first error of the track that holds most, else no format matches."""
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

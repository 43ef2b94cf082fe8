"""What an MSR605 says of a failure, each with the reason it stands for."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.msr605.blocks import Mark, Status

# A status where a block, or a setting's acknowledgement, should be (manual, section 4).
ERRORS: Mapping[int, Reason] = {
    Status.OK: Reason.DESYNC,  # an answer to something else
    Status.READ_WRITE_ERROR: Reason.NOT_READ,
    Status.COMMAND_FORMAT: Reason.DESYNC,
    Status.INVALID_COMMAND: Reason.DESYNC,
    Status.INVALID_SWIPE: Reason.NOT_READ,  # while it waited to write
    Status.SET_FAILED: Reason.NOT_INITIALISED,
}
# What stands in a block in place of a track.
TRACK_ERRORS: Mapping[Mark, Reason] = {
    Mark.UNREADABLE: Reason.NOT_READ,
    Mark.NO_DATA: Reason.NO_ENCODING,  # 1B 2B, or an empty field
}

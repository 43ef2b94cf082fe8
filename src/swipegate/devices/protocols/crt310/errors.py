"""The codes of the CRT-310, each with the reason it stands for."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason

ERRORS: Mapping[str, Reason] = {
    # of a refusal: 4E, command, code
    "00": Reason.DESYNC,  # undefined command
    "01": Reason.DESYNC,  # wrong parameter
    "02": Reason.DESYNC,  # cannot be carried out: as things are, or for want of an option
    "04": Reason.DESYNC,  # wrong data
    "05": Reason.POWER_DOWN,  # supply outside 10.8 to 14.5 V
    "06": Reason.JAM,  # an abnormal card is inside
    "07": Reason.POWER_DOWN,  # main power is off
    # of the status: S1
    "46": Reason.LONG_CARD,
    "47": Reason.SHORT_CARD,
    # of a movement
    "N": Reason.JAM,  # failed; it does not tell why
    "E": Reason.CARD_PULLED_OUT,  # no card is inside
    "W": Reason.DESYNC,  # the card is in the wrong place
}
TRACK_ERRORS: Mapping[str, Reason] = {
    "E0": Reason.NOT_READ,
    "E1": Reason.NO_START,
    "E2": Reason.NO_END,
    "E3": Reason.PARITY,
    "E4": Reason.LRC,
    "E5": Reason.NO_ENCODING,
}
# What a reset mends: it moves the card out.
MENDED_BY_RESET = frozenset({"06", "46", "47"})

"""The error codes e1 e0 of the ICT3Q8, each with the reason it stands for."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason

ERRORS: Mapping[str, Reason] = {
    # of the command
    "00": Reason.DESYNC,  # undefined command
    "01": Reason.DESYNC,  # wrong parameter
    "02": Reason.DESYNC,  # cannot be carried out as things are
    "04": Reason.DESYNC,  # wrong data
    # of the mechanism
    "10": Reason.JAM,
    "11": Reason.SHUTTER,
    "12": Reason.SENSOR,  # or two cards
    "13": Reason.LONG_CARD,  # over 92 mm; eject clears it, capture does not
    "14": Reason.SHORT_CARD,  # under 78 mm; as 13
    "15": Reason.NOT_INITIALISED,  # program or settings memory is damaged
    "16": Reason.CARD_PULLED_OUT,  # moved by force; capture clears it
    "17": Reason.JAM,  # while the card was retrieved
    "18": Reason.SENSOR,  # SW1 or SW2
    "19": Reason.PICK_FAILED,  # nothing came to the rear within 10 s
    # of a track
    "20": Reason.PARITY,
    "21": Reason.NOT_READ,  # several passes do not agree
    "22": Reason.NOT_READ,  # write
    "23": Reason.EMPTY,  # start sentinel, end sentinel and LRC alone
    "24": Reason.NO_ENCODING,
    "25": Reason.NOT_READ,  # quality of what was written
    "26": Reason.NO_START,
    "27": Reason.NO_END,
    "28": Reason.LRC,
    "29": Reason.NOT_READ,  # verification of what was written
    # of power and line
    "30": Reason.POWER_DOWN,
    "31": Reason.LINK_LOST,  # DSR is off: the device sees no host
    # of the card's way
    "40": Reason.CARD_PULLED_OUT,  # as it was being captured
    "45": Reason.CARD_PULLED_OUT,  # ejected by force
    "46": Reason.CARD_LEFT_AT_GATE,
    "50": Reason.RETAIN_FULL,  # the counter of captured cards is at 99
    "51": Reason.MOTOR,
    # of a chip
    **{f"6{digit}": Reason.NOT_READ for digit in range(10)},
    # of the program
    "70": Reason.NOT_INITIALISED,
    "71": Reason.NOT_INITIALISED,
    "B0": Reason.NOT_INITIALISED,
}
# The card is of the wrong length: it must go out by the gate.
EJECT_ONLY = frozenset({Reason.LONG_CARD, Reason.SHORT_CARD})

"""The error codes of the 3S4YR (3.4.2), each with the reason it stands for, and what the device accepts after it."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason

ERRORS: Mapping[str, Reason] = {
    # of the command
    "00": Reason.DESYNC,  # undefined command
    "01": Reason.DESYNC,  # not in the present state
    "02": Reason.DESYNC,  # wrong parameter
    "03": Reason.DESYNC,  # nothing to write on the track
    # of the mechanism
    "10": Reason.JAM,
    "11": Reason.SHUTTER,
    "12": Reason.SENSOR,
    "13": Reason.MOTOR,  # or its 210 bpi encoder
    "14": Reason.CARD_PULLED_OUT,
    "15": Reason.JAM,  # as the card was taken in again
    "16": Reason.JAM,  # at the rear end: it does not fall into the bin
    "17": Reason.SENSOR,  # 75 bpi encoder
    "18": Reason.POWER_DOWN,
    "19": Reason.NOT_INITIALISED,
    # of the card
    "20": Reason.LONG_CARD,
    "21": Reason.SHORT_CARD,
    # warnings
    "32": Reason.CARD_PULLED_OUT,  # the card inside was moved
    "33": Reason.NOT_INITIALISED,  # count of captured cards, type of head: the memory of settings is damaged
    # of a track
    "40": Reason.NO_START,
    "41": Reason.NO_END,
    "42": Reason.PARITY,
    "43": Reason.LRC,
    "44": Reason.NO_ENCODING,
    "45": Reason.EMPTY,  # start sentinel, end sentinel and LRC alone
    "46": Reason.JITTER,
    "49": Reason.NOT_READ,
    # of what was written
    **{f"5{digit}": Reason.NOT_READ for digit in range(7)},
    # of people
    "60": Reason.CARD_PULLED_OUT,  # as it was to be taken in again
    "61": Reason.DESYNC,  # nobody inserted a card into a blocking intake, which no driver here asks for
    "62": Reason.CARD_LEFT_AT_GATE,
    "63": Reason.CARD_LEFT_AT_GATE,  # it could not be taken in again in time
    "64": Reason.CARD_LEFT_AT_GATE,  # somebody held it during an initial reset
    # of the program
    "70": Reason.NOT_INITIALISED,  # damaged: it waits for a download
    "71": Reason.NOT_INITIALISED,  # just downloaded
    # of a chip
    **{f"8{digit}": Reason.NOT_READ for digit in (0, 2, 4, 5, 6, 7)},
    "81": Reason.MOTOR,  # solenoid of the contacts
    "88": Reason.CARD_PULLED_OUT,  # moved under the contacts
}
# Only an initial reset is accepted.
AWAIT_RESET = frozenset({*(f"1{digit}" for digit in range(10)), "71", "81", "88"})
# Only RETURN and an initial reset TO_GATE are accepted.
AWAIT_RETURN = frozenset({"20", "21"})

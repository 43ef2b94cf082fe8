"""The error codes e1 e0 of the CRT-591, each with the reason it stands for."""

from collections.abc import Mapping

from swipegate.devices.errors import Reason

ERRORS: Mapping[str, Reason] = {
    # of the command
    "00": Reason.DESYNC,  # undefined command
    "01": Reason.DESYNC,  # wrong parameter
    "02": Reason.DESYNC,  # cannot be carried out as things are
    "03": Reason.DESYNC,  # this device lacks what it takes
    "04": Reason.DESYNC,  # wrong data
    "05": Reason.DESYNC,
    # of the mechanism
    "10": Reason.JAM,
    "12": Reason.SENSOR,
    "13": Reason.LONG_CARD,
    "14": Reason.SHORT_CARD,
    "40": Reason.CARD_PULLED_OUT,  # withdrawn as it was being retained
    "41": Reason.MOTOR,  # the contacts' solenoid
    "43": Reason.PICK_FAILED,  # no card at the contacts
    "45": Reason.CARD_PULLED_OUT,  # moved by hand
    "50": Reason.RETAIN_FULL,  # the counter of retained cards is at its end
    "51": Reason.MOTOR,
    # of a chip
    **{f"6{digit}": Reason.NOT_READ for digit in range(10)},
    # of stock and bin
    "A0": Reason.STOCK_EMPTY,
    "A1": Reason.RETAIN_FULL,
    # of the program
    "B0": Reason.NOT_INITIALISED,
}

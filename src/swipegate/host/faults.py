"""Faults in the log."""

import logging
import traceback

log = logging.getLogger(__name__)


def log_fault(what: str, error: BaseException) -> None:
    """Write down the type and place of an error, not its text: a driver's may hold what was on a card."""
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s at\n%s", what, type(error).__name__, place)

"""Options of a MagTek port-powered or IntelliHead reader: `ESC letter`, a capital to set and a small one to clear.

They are kept as long as DTR and RTS give power.
"""

ESC = 0x1B
STX, ETX, CR = 0x02, 0x03, 0x0D
# What is sent around a swipe; all off at power-on.
SEND_STX, SEND_ETX, SEND_CR, SEND_ESC = "S", "E", "C", "P"
# A buffered reader prints nothing until it is asked.
BUFFERED = "B"
LETTERS = frozenset({SEND_STX, SEND_ETX, SEND_CR, SEND_ESC, BUFFERED})
# The sign-on comes 150 ms after power, of newer readers 500 ms; no command is heard before. Seconds.
POWER_UP_TIME = 0.6


def command(letter: str) -> bytes:
    """Set or clear one option."""
    return bytes((ESC, ord(letter)))

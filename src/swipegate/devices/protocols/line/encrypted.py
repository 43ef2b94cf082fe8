"""The encrypted forms of a swipe. They are known by their frame; what is in them is not looked at."""

import re

# MagneSafe V5, any security level: masked tracks, then the status, four hexadecimal digits between bars. No
# character of a track is a bar.
_MAGNESAFE = re.compile(rb"\|[0-9A-F]{4}\|")
# ID TECH SecureMag and SecureHead: 02, length (low byte first), card type, and 80 more in the enhanced format.
_ID_TECH = re.compile(rb"\x02.[\x00-\x07][\x00\x01\x03\x04\x80\x81\x83\x84]", re.DOTALL)

MAGNESAFE = "MagneSafe"
ID_TECH = "ID TECH SecureMag"


def form_of(burst: bytes | bytearray) -> str:
    """The name of the encrypted form, or nothing where a burst is in none."""
    if _MAGNESAFE.search(burst):
        return MAGNESAFE
    return ID_TECH if _ID_TECH.match(burst) else ""

"""What swipe readers print, as their manuals have it, with published test numbers: (source, line, tracks).

A track is its text from sentinel to sentinel, the name of a reason, or None where it is blank.
"""

T1 = "%B4111111111111111^TEST/CARD^30012010000000000000?"
T2 = ";4111111111111111=30012010000000000000?"
T3 = "014111111111111111==0000000000000000000?"

LINES = [
    ("MagneSafe V5 99875475, SureSwipe", f"{T1}{T2}+{T3}\r", (T1, T2, f"+{T3}")),
    ("RS-232 IntelliHead, a track that failed", f"{T1};E?\r", (T1, "NOT_READ", None)),
    ("RS-232 IntelliHead, all failed", "%E?;E?+E?\r", ("NOT_READ",) * 3),
    ("Insertion Reader 99875206, no options", f"{T1}{T2}0", (T1, T2, None)),
    ("Insertion Reader 99875206, all options", f"\x02\x1b{T1}{T2}0\r\x03", (T1, T2, None)),
    ("Insertion Reader 99875206, bad read as it goes in", "%E?;E?11", ("NOT_READ", "NOT_READ", None)),
    ("MiniMag RS-232, ID TECH format", f"{T1}\r{T2}\r;{T3}\r", (T1, T2, f";{T3}")),
    ("MiniMag RS-232, AAMVA", f"{T1}\r{T2}\r%1ABC?\r", (T1, T2, "%1ABC?")),
    ("MiniMag RS-232, California", f"{T1}\r{T2}\r!1ABC?\r", (T1, T2, "!1ABC?")),
    ("MiniMag RS-232, UIC format", f"\x02{T1}\x10\x02{T2}\x10\x02;{T3}\x03", (T1, T2, f";{T3}")),
]

"""Swipe readers on a serial line that print what they read, unasked, when a card passes.

swipe      what is printed for one swipe: its tracks
encrypted  the encrypted forms, which are known by name and refused
errors     what a reader prints in place of a track, and the reason it stands for
host       the host's end of the line: where a swipe begins and ends
options    what a MagTek port-powered reader is told to put around a swipe

Forms: SureSwipe and other plain readers `%T1?;T2?+T3? CR`, blank tracks left out; ID TECH, CR after each track;
UIC `STX SS data ES [LRC] DLE`, ETX after the last; MagTek port-powered and IntelliHead
`[STX][ESC] tracks, sensor digit [CR][ETX]`.

Sources: MagTek RS-232 IntelliHead, Port-powered Swipe (99875094) and Insertion Reader manuals, MagneSafe V5
(99875475); ID TECH MiniMag RS-232 and SecureMag manuals.
"""

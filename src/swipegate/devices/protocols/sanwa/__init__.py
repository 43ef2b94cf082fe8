"""The wire protocol of the Sanwa CRP-1231 (C1231LR, C1231BR, S31R), a reader with a dispenser of its own.

framing    frames and control codes, for either end of the wire
host       the host's end: a command, and the polls until its job has ended
unit       the device's end
commands   what a host asks, by name
responses  what a device answers, and what each of its status bytes means

There is no public manual. Source throughout: the behaviour of an emulator that serves real hosts (YACardEmu).
"""

"""The wire protocol of the MSR206, MSR605, MSR606 and MSR605X desktop reader-writers.

commands  what a host asks, by name
blocks    the data block of three tracks, read and written
errors    what a unit says of a failure, and what it means
host      the host's end of the wire
unit      the device's end of the wire
hid       the 64-byte reports that wrap the same bytes on an MSR605X

Source throughout: MSR605 programmer's manual (sections 3 to 9) and the behaviour of real units where it
differs.
"""

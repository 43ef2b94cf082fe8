"""The wire protocol of the Creator CRT-591 (CRT-571 alike) and ACT F3 card dispensers.

dialect    frames and handshake, for either end of the wire
commands   what a host asks, by name
responses  what a device answers
errors     the device's error codes and what each means

Source throughout: Creator CRT-591-M communication protocol, version 1.0, and the interface of the ACT F3.
"""

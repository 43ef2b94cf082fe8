"""The wire protocol of the Creator CRT-310 kiosk readers.

dialect    frames and handshake, for either end of the wire
commands   what a host asks, by name
responses  what a device answers
errors     the device's codes, each with what it means

Source throughout: Creator CRT-310 communication protocol V3.0 (2007).
"""

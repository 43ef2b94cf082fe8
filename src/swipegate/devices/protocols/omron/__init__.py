"""The wire protocol of the OMRON 3S4YR motorised readers.

dialect    frames and handshake, for either end of the wire
commands   what a host asks, by name
errors     the device's error codes, what each means, and what the device accepts after it

Responses have the form of swipegate.devices.protocols.responses.

Source throughout: OMRON 3S4YR-MVFW(DL) data transmission specifications, GB-H-97135(A4).
"""

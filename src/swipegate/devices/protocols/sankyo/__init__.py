"""The wire protocol of the Sankyo ICT3Q8 and MCT3Q8 motorised readers (the ICT3K5 family alike).

dialect    frames and handshake, for either end of the wire
commands   what a host asks, by name
errors     the device's error codes and what each means

Source throughout: Sankyo ICT3Q8 / MCT3Q8-3A0264 interface specification.
"""

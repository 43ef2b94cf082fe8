"""Bounds of a recording; what exceeds one gets an error that names it."""

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes of a file, and of a capture unpacked."""
MAX_SAMPLES = 16_000_000
"""Samples of one channel."""
MAX_CHANNELS = 8
"""Channels of a WAV file."""
MAX_SWIPES = 1_000
"""Swipes of one file."""
MAX_TRACKS = 8
"""Tracks of one swipe, as in swipegate.v1.Swipe."""
MAX_BITS = 8_192
"""Bits of one track (1,024 bytes, as in swipegate.v1.BitString)."""
MAX_TEXT = 1_024
"""Characters of one track, as in swipegate.v1.RawTrack."""
MAX_BURST_SAMPLES = 2_000_000
"""Samples of one track, as in swipegate.v1.SampledSignal; what follows of a longer burst is left off."""
MAX_TRANSITIONS = 16_384
"""Flux transitions of one track, as in swipegate.v1.FluxIntervals."""
MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Bytes of a file of text: bits, tracks, intervals, hexadecimal digits, JSON."""

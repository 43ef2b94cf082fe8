"""Coverage-guided fuzzing of the compiled core, a target a stage. How to run it: docs/testing.md."""

NAMES = ("recordings", "flux", "symbols", "repair", "tracks", "numbers", "wire")
"""Every target, in the order in which a swipe passes the stages."""

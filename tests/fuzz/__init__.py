"""Coverage-guided fuzzing of wire protocols and core, a target a stage. How to run it: docs/testing.md."""

NAMES = ("protocols", "recordings", "flux", "symbols", "repair", "tracks", "numbers", "wire")
"""Every target, in the order in which a swipe passes the stages."""

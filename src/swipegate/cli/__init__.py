"""The `swipegate` command."""

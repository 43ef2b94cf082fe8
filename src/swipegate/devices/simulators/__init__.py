"""The other end of each wire on a real pseudo-terminal or socket, with cards to swipe and faults."""

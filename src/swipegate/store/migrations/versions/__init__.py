"""One file a revision. A file that was released never changes, and imports nothing that may."""

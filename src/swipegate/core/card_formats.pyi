"""Card formats from messages to plain structures; for other stages of the core, see numbers."""

"""Use cases: domain rules over the store."""

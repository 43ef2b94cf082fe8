"""The nouns of the domain in SQL."""

"""The brand of a card by its number: ranges of issuer identification numbers (ISO/IEC 7812) and lengths."""

def brand(pan: str) -> int:
    """A v1 CardBrand; 0 for a number that is in no known range, of another length, or no digits."""

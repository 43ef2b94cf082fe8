"""Page tokens: where the next page starts, opaque to the caller."""

import base64

from swipegate.domain.errors import invalid

DEFAULT_PAGE = 100
MAX_PAGE = 1000
_MAX_DIGITS = 19
"""Of a row id, which fits 63 bits."""


def size(asked: int) -> int:
    """How many rows a page holds; INVALID_FIELD over the bound."""
    if asked > MAX_PAGE:
        raise invalid("page_size", f"must be at most {MAX_PAGE}")
    return asked or DEFAULT_PAGE


def row_of(token: str) -> int | None:
    """The row a token stands for, None for the first page; INVALID_FIELD for a token that is none of ours."""
    if not token:
        return None
    try:
        prefix, _, row = base64.urlsafe_b64decode(token.encode("ascii")).decode("ascii").partition(":")
        if prefix == "row" and len(row) <= _MAX_DIGITS and row.isdigit():
            return int(row)
    except ValueError:  # not ASCII, not base 64
        pass
    raise invalid("page_token", "is not a token of an earlier page")


def token_of(row: int) -> str:
    """The token for the page after the row."""
    return base64.urlsafe_b64encode(f"row:{row}".encode()).decode()

"""Page tokens: where the next page starts, opaque to the caller."""

import base64
from collections.abc import Sequence
from typing import TypeVar

from swipegate.domain.errors import SwipegateError, invalid

T = TypeVar("T")

DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_ROW = 2**63 - 1
_MAX_DIGITS = len(str(MAX_ROW))
_MAX_TOKEN = 64
"""Characters; ours are shorter."""


def size(asked: int) -> int:
    """How many rows a page holds; INVALID_FIELD over the bound."""
    if asked > MAX_PAGE:
        raise invalid("page_size", f"must be at most {MAX_PAGE}")
    return asked or DEFAULT_PAGE


def row_of(token: str) -> int | None:
    """The row a token stands for, None for the first page; INVALID_FIELD for a token that is none of ours."""
    if not token:
        return None
    if len(token) > _MAX_TOKEN:
        raise _foreign()
    try:
        prefix, _, row = base64.urlsafe_b64decode(token.encode("ascii")).decode("ascii").partition(":")
        if prefix == "row" and len(row) <= _MAX_DIGITS and row.isdigit() and int(row) <= MAX_ROW:
            return int(row)
    except ValueError:  # not ASCII, not base 64
        pass
    raise _foreign()


def token_of(row: int) -> str:
    """The token for the page after the row."""
    return base64.urlsafe_b64encode(f"row:{row}".encode()).decode()


def cut(rows: Sequence[tuple[int, T]], size: int) -> tuple[list[T], str]:
    """What a page of `size` shows of rows with their row ids, of which one more was asked for; the next one's token."""
    token = token_of(rows[size - 1][0]) if len(rows) > size else ""
    return [found for _, found in rows[:size]], token


def _foreign() -> SwipegateError:
    return invalid("page_token", "is not a token of an earlier page")

"""Bounds and checks that the fields of several nouns share."""

import re
from uuid import UUID

from swipegate.domain.errors import invalid

MAX_NAME = 128
"""Characters of a name for people."""
MAX_REQUEST_ID = 64
"""Characters."""
MAX_INT64 = 2**63 - 1
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}")
"""RFC 9562, section 4, or without the dashes."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def canonical_uuid(field_name: str, text: str) -> str:
    """The UUID in lower case with dashes; INVALID_FIELD when the text is none."""
    if not _UUID.fullmatch(text):  # UUID() itself takes signs, blanks and underscores too
        raise invalid(field_name, "must be a UUID")
    low = text.lower()
    return low if "-" in low else str(UUID(low))


def check_name(field_name: str, text: str) -> None:
    """Raise INVALID_FIELD for a name that is empty or too long, or holds control characters."""
    if not 1 <= len(text) <= MAX_NAME:
        raise invalid(field_name, f"must be 1 to {MAX_NAME} characters")
    if _CONTROL.search(text):
        raise invalid(field_name, "must hold no control characters")


def check_no_nul(field_name: str, *texts: str) -> None:
    """Raise INVALID_FIELD for U+0000, which PostgreSQL does not store."""
    if any("\0" in text for text in texts):
        raise invalid(field_name, "must hold no U+0000")

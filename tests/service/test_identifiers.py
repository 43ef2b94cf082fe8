"""Identifiers for many rows at once."""

from itertools import pairwise
from uuid import UUID

from swipegate.domain.fields import canonical_uuid
from swipegate.service.identifiers import ordered

NOW = 1_700_000_000_123_456


def test_they_are_in_order_and_no_two_the_same() -> None:
    ids = list(ordered(10_000, NOW))  # more than the counter counts
    assert len(ids) == 10_000
    assert all(before < after for before, after in pairwise(ids))
    assert not {*ids} & {*ordered(10_000, NOW)}


def test_they_are_version_7_with_the_time() -> None:
    for text in ordered(3, NOW):
        key = UUID(text)
        assert canonical_uuid("id", text) == text
        assert (key.version, key.variant) == (7, "specified in RFC 4122")
        assert key.int >> 80 == NOW // 1000


def test_none() -> None:
    assert list(ordered(0, NOW)) == []

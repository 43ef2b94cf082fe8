"""Update masks on the wire."""

from collections.abc import Collection

from google.protobuf.field_mask_pb2 import FieldMask

from swipegate.domain.errors import invalid


def changes(mask: FieldMask, allowed: Collection[str]) -> frozenset[str]:
    """What the mask names; INVALID_FIELD unless it names something, and only what is allowed."""
    paths = frozenset(mask.paths)
    if not paths or not paths.issubset(allowed):
        raise invalid("update_mask", f"must name some of {', '.join(allowed)}")
    return paths

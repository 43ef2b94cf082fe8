"""Card formats, each as its serialized swipegate.v1.CardFormat."""

from sqlalchemy import Connection, bindparam, insert, select

from swipegate.store.schema import card_format
from swipegate.v1.card_format_pb2 import CardFormat

_BY_NAME = select(card_format.c.definition).where(card_format.c.name == bindparam("name"))
_ALL = select(card_format.c.definition).order_by(card_format.c.name)


def by_name(connection: Connection, name: str) -> CardFormat | None:
    """The format of that name."""
    definition = connection.scalar(_BY_NAME, {"name": name})
    return None if definition is None else CardFormat.FromString(definition)


def every(connection: Connection) -> list[CardFormat]:
    """Every stored format by name."""
    return [CardFormat.FromString(definition) for definition in connection.scalars(_ALL)]


def add(connection: Connection, new: CardFormat) -> None:
    """Store a new format."""
    connection.execute(insert(card_format), {"name": new.name, "definition": new.SerializeToString()})

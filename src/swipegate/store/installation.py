"""What belongs to the database as a whole."""

from sqlalchemy import Connection, insert, select

from swipegate.store.schema import installation


def key_check(connection: Connection) -> bytes | None:
    """What was sealed when the database was first used."""
    found = connection.scalar(select(installation.c.key_check))
    return None if found is None else bytes(found)


def set_key_check(connection: Connection, sealed: bytes) -> None:
    """Store it, once."""
    connection.execute(insert(installation), {"installation_id": 1, "key_check": sealed})

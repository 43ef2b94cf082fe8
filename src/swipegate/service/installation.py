"""One installation: a database and the key that its secrets are sealed with belong together."""

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection

from swipegate.service.keys import KeyFileError
from swipegate.service.replacement import pin_context
from swipegate.service.sealing import Sealer
from swipegate.store import installation, user_cards
from swipegate.store.database import Database

_TEXT = b"swipegate"
_CONTEXT = "key-check"


async def demand_key(database: Database, sealer: Sealer) -> None:
    """Raise KeyFileError unless the key is the one that the database was first used with."""

    def unit(connection: Connection) -> bool:
        if installation.key_check(connection) is None and key_fits(connection, sealer) is not False:
            installation.set_key_check(connection, sealer.seal(_TEXT, _CONTEXT))
        return bool(key_fits(connection, sealer))

    if not await database.write(unit):
        raise KeyFileError(
            "sealing.key is not the key of this database: PINs and track data in it could not be opened. "
            "Bring back the key it was first used with"
        )


def key_fits(connection: Connection, sealer: Sealer) -> bool | None:
    """Whether the key is the one that the database was first used with; None where it was used with none yet."""
    check = installation.key_check(connection)
    if check is not None:
        return _opens(sealer, check, _CONTEXT)
    # a database of a version that left no check may have PINs all the same
    sealed = user_cards.some_sealed_pin(connection)
    return None if sealed is None else _opens(sealer, sealed[1], pin_context(sealed[0]))


def _opens(sealer: Sealer, sealed: bytes, context: str) -> bool:
    try:
        sealer.unseal(sealed, context)
    except InvalidTag:
        return False
    return True

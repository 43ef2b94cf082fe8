"""One installation: a database and the key that its secrets are sealed with belong together."""

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection

from swipegate.service.keys import KeyFileError
from swipegate.service.sealing import Sealer
from swipegate.store import installation
from swipegate.store.database import Database

_TEXT = b"swipegate"
_CONTEXT = "key-check"


async def demand_key(database: Database, sealer: Sealer) -> None:
    """Raise KeyFileError unless the key is the one that the database was first used with."""

    def unit(connection: Connection) -> bytes:
        found = installation.key_check(connection)
        if found is None:
            found = sealer.seal(_TEXT, _CONTEXT)
            installation.set_key_check(connection, found)
        return found

    check = await database.write(unit)
    try:
        sealer.unseal(check, _CONTEXT)
    except InvalidTag:
        raise KeyFileError(
            "sealing.key is not the key of this database: PINs and track data in it could not be opened. "
            "Bring back the key it was first used with"
        ) from None

"""A batch of users: one transaction, in which a row that is refused takes no other with it."""

from collections.abc import Iterable

from sqlalchemy import Connection

from swipegate.domain.bulk_import import Refused, Report, Rows
from swipegate.domain.errors import SwipegateError
from swipegate.domain.user import User
from swipegate.service.identifiers import ordered
from swipegate.store import occupancies, users
from swipegate.v1 import error_pb2


def import_users(connection: Connection, rows: Rows[User], now: int) -> Report:
    """Create them. A user_id that is empty gets an id, so such a row is created each time."""
    report = Report()
    good = [row for row in rows if isinstance(row, User)]
    places = _existing_occupancies(connection, good)
    known = users.names(connection, [row.user_id for row in good if row.user_id])
    ids = ordered(len(good), now)
    new: list[User] = []
    for number, row in enumerate(rows):
        if isinstance(row, SwipegateError):
            report.refused.append(Refused(number, row))
            continue
        user_id, picture = row.user_id or next(ids), (row.name, row.occupancy_id)
        if row.occupancy_id is not None and row.occupancy_id not in places:
            report.refused.append(Refused(number, _no_occupancy(row.occupancy_id)))
        elif user_id not in known:
            known[user_id] = picture
            new.append(User(user_id, row.name, row.occupancy_id))
        elif known[user_id] == picture:
            report.unchanged += 1
        else:
            exists = SwipegateError(error_pb2.ERROR_REASON_USER_EXISTS, user_id=user_id)
            report.refused.append(Refused(number, exists))
    users.add_all(connection, new)
    report.created = len(new)
    return report


def _existing_occupancies(connection: Connection, rows: Iterable[User]) -> set[str]:
    named = {row.occupancy_id for row in rows if row.occupancy_id is not None}
    return {key for key in named if occupancies.by_id(connection, key) is not None}


def _no_occupancy(occupancy_id: str) -> SwipegateError:
    return SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_NOT_FOUND, occupancy_id=occupancy_id)

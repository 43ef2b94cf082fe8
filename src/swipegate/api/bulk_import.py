"""BulkImportService."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from grpc import aio

from swipegate.api.border import principal
from swipegate.api.streams import until_closed
from swipegate.domain.bulk_import import Report, Rows
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service.bell import Bell
from swipegate.service.bulk_import import BulkImport, check_size
from swipegate.v1 import bulk_import_pb2 as pb
from swipegate.v1 import bulk_import_pb2_grpc, user_pb2

M = TypeVar("M")
T = TypeVar("T")


class BulkImportServicer(bulk_import_pb2_grpc.BulkImportServiceServicer):
    """Imports of users and cards."""

    def __init__(self, bulk_import: BulkImport, bell: Bell) -> None:
        self._import = bulk_import
        self._bell = bell

    async def ImportUsers(
        self, requests: AsyncIterator[pb.ImportUsersRequest], _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.ImportUsersResponse]:
        """Create users, batch by batch."""
        numbered, options = _Numbered(), _Same("validate_only")
        async for request in until_closed(requests, self._bell):
            options.check(request)
            rows = await _rows(_user, "users", request.users)
            report = await self._import.users(rows, validate_only=request.validate_only)
            yield pb.ImportUsersResponse(report=numbered.message(report, len(rows)))

    async def ImportCards(
        self, requests: AsyncIterator[pb.ImportCardsRequest], _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.ImportCardsResponse]:
        """Create and assign cards, batch by batch."""
        numbered, options, caller = _Numbered(), _Same("validate_only", "take_over"), principal()
        async for request in until_closed(requests, self._bell):
            options.check(request)
            rows = await _rows(_card, "cards", request.cards)
            report = await self._import.cards(
                caller, rows, take_over=request.take_over, validate_only=request.validate_only
            )
            yield pb.ImportCardsResponse(report=numbered.message(report, len(rows)))


class _Same:
    """Options that every message of a stream repeats."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._first: dict[str, bool] | None = None

    def check(self, request: Any) -> None:
        """Raise INVALID_FIELD for one that changed on the way."""
        given = {name: getattr(request, name) for name in self._names}
        self._first = self._first or given
        for name, value in given.items():
            if value != self._first[name]:
                raise invalid(name, "must be the same in every message of a stream")


class _Numbered:
    """Counts the rows of a stream."""

    def __init__(self) -> None:
        self._before = 0

    def message(self, report: Report, rows: int) -> pb.ImportReport:
        """The report on the next batch, of so many rows."""
        before = self._before
        self._before += rows
        refused = [
            pb.RefusedRow(
                row=before + one.row, reason=one.reason, field=one.field, description=str(one.error)
            )
            for one in report.refused
        ]
        return pb.ImportReport(created=report.created, unchanged=report.unchanged, refused=refused)


async def _rows(convert: Callable[[M], T], field: str, messages: Sequence[M]) -> Rows[T]:
    """The rows in the words of the domain, in a thread: other calls go on."""
    check_size(field, len(messages))

    def convert_all() -> list[T | SwipegateError]:
        rows: list[T | SwipegateError] = []
        for message in messages:
            try:
                rows.append(convert(message))
            except SwipegateError as error:
                rows.append(error)
        return rows

    return await asyncio.to_thread(convert_all)


def _user(message: user_pb2.User) -> User:
    check_name("name", message.name)
    user_id, occupancy_id = message.user_id, message.occupancy_id
    return User(
        canonical_uuid("user_id", user_id) if user_id else "",
        message.name,
        canonical_uuid("occupancy_id", occupancy_id) if occupancy_id else None,
    )


def _card(message: pb.ImportedCard) -> ReplaceCard:
    if not message.ac_system_id:
        raise invalid("ac_system_id", "required")
    if message.card_type < 1:
        raise invalid("card_type", "must be 1 or more")
    if message.internal_card_number < 1:
        raise invalid("internal_card_number", "must be 1 or more")
    user_id = message.user_id
    row = ReplaceCard(
        user_id=canonical_uuid("user_id", user_id) if user_id else "",
        card_type=message.card_type,
        card_ac_system_id=canonical_uuid("ac_system_id", message.ac_system_id),
        internal_card_number=message.internal_card_number,
        external_card_number=message.external_card_number,
        facility_code=message.facility_code if message.HasField("facility_code") else None,
        issue_code=message.issue_code if message.HasField("issue_code") else None,
        card_serial_number=message.card_serial_number if message.HasField("card_serial_number") else None,
    )
    row.check()
    return row

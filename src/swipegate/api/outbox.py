"""OutboxService."""

from typing import Any

from grpc import aio

from swipegate.api.times import timestamp
from swipegate.domain.outbox import OutboxEntry
from swipegate.service.outbox import Outbox
from swipegate.v1 import outbox_pb2 as pb
from swipegate.v1 import outbox_pb2_grpc


class OutboxServicer(outbox_pb2_grpc.OutboxServiceServicer):
    """What access control systems have been told of their cards."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def ListOutbox(
        self, request: pb.ListOutboxRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListOutboxResponse:
        """List entries of one system."""
        entries, token = await self._outbox.page(
            request.ac_system_id,
            pending_only=request.pending_only,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListOutboxResponse(entries=[_message_of(entry) for entry in entries], next_page_token=token)

    async def RetryOutbox(
        self, request: pb.RetryOutboxRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.RetryOutboxResponse:
        """Make every entry that waits due now."""
        return pb.RetryOutboxResponse(entries=await self._outbox.retry(request.ac_system_id))


def _message_of(entry: OutboxEntry) -> pb.OutboxEntry:
    return pb.OutboxEntry(
        ac_system_id=entry.ac_system_id,
        card_id=entry.card_id,
        desired_sequence=entry.desired_sequence,
        applied_sequence=entry.applied_sequence,
        attempts=entry.attempts,
        error=entry.error,
        next_try_time=None if entry.next_try_time is None else timestamp(entry.next_try_time),
    )

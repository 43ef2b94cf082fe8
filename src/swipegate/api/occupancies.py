"""OccupancyService."""

from typing import Any

from grpc import aio

from swipegate.api.masks import changes
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.occupancy import Occupancy
from swipegate.service.occupancies import Occupancies
from swipegate.v1 import occupancy_pb2 as pb
from swipegate.v1 import occupancy_pb2_grpc


class OccupancyServicer(occupancy_pb2_grpc.OccupancyServiceServicer):
    """Occupancies."""

    def __init__(self, occupancies: Occupancies) -> None:
        self._occupancies = occupancies

    async def CreateOccupancy(
        self, request: pb.CreateOccupancyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateOccupancyResponse:
        """Create an occupancy."""
        given = request.occupancy
        created = await self._occupancies.create(
            Occupancy(given.occupancy_id, given.name, given.ac_system_id)
        )
        return pb.CreateOccupancyResponse(occupancy=_message_of(created))

    async def GetOccupancy(
        self, request: pb.GetOccupancyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetOccupancyResponse:
        """Give one occupancy."""
        found = await self._occupancies.get(request.occupancy_id)
        return pb.GetOccupancyResponse(occupancy=_message_of(found))

    async def UpdateOccupancy(
        self, request: pb.UpdateOccupancyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UpdateOccupancyResponse:
        """Change an occupancy."""
        named = changes(request.update_mask, ("name", "ac_system_id"))
        given = request.occupancy
        changed = await self._occupancies.update(
            Occupancy(given.occupancy_id, given.name, given.ac_system_id), named
        )
        return pb.UpdateOccupancyResponse(occupancy=_message_of(changed))

    async def DeleteOccupancy(
        self, request: pb.DeleteOccupancyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DeleteOccupancyResponse:
        """Delete an occupancy that no user belongs to."""
        await self._occupancies.delete(request.occupancy_id)
        return pb.DeleteOccupancyResponse()

    async def ListOccupancies(
        self, request: pb.ListOccupanciesRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListOccupanciesResponse:
        """List occupancies."""
        system = request.ac_system_id
        found, token = await self._occupancies.page(
            ac_system_id=canonical_uuid("ac_system_id", system) if system else None,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListOccupanciesResponse(
            occupancies=[_message_of(occupancy) for occupancy in found], next_page_token=token
        )


def _message_of(occupancy: Occupancy) -> pb.Occupancy:
    return pb.Occupancy(
        occupancy_id=occupancy.occupancy_id, name=occupancy.name, ac_system_id=occupancy.ac_system_id
    )

"""OccupancyService."""

from typing import Any

from grpc import aio

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


def _message_of(occupancy: Occupancy) -> pb.Occupancy:
    return pb.Occupancy(
        occupancy_id=occupancy.occupancy_id, name=occupancy.name, ac_system_id=occupancy.ac_system_id
    )

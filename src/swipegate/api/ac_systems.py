"""AcSystemService."""

from typing import Any

from grpc import aio

from swipegate.domain.ac_system import AcSystem
from swipegate.service.ac_systems import AcSystems
from swipegate.v1 import ac_system_pb2 as pb
from swipegate.v1 import ac_system_pb2_grpc


class AcSystemServicer(ac_system_pb2_grpc.AcSystemServiceServicer):
    """Access control systems."""

    def __init__(self, ac_systems: AcSystems) -> None:
        self._ac_systems = ac_systems

    async def CreateAcSystem(
        self, request: pb.CreateAcSystemRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateAcSystemResponse:
        """Create an access control system."""
        given = request.ac_system
        gives = given.gives_card_numbers if given.HasField("gives_card_numbers") else True
        created = await self._ac_systems.create(AcSystem(given.ac_system_id, given.name, gives))
        return pb.CreateAcSystemResponse(ac_system=_message_of(created))

    async def ListAcSystems(
        self, _request: pb.ListAcSystemsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListAcSystemsResponse:
        """List every access control system by name."""
        systems = await self._ac_systems.every()
        return pb.ListAcSystemsResponse(ac_systems=[_message_of(system) for system in systems])


def _message_of(system: AcSystem) -> pb.AcSystem:
    return pb.AcSystem(
        ac_system_id=system.ac_system_id, name=system.name, gives_card_numbers=system.gives_card_numbers
    )

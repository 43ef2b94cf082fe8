"""AcSystemService."""

from typing import Any

from grpc import aio

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.errors import invalid
from swipegate.service.ac_systems import AcSystems, NewWebhook
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
        new = AcSystem(given.ac_system_id, given.name, gives)
        created = await self._ac_systems.create(new, _webhook_of(given))
        return pb.CreateAcSystemResponse(ac_system=_message_of(created))

    async def GetAcSystem(
        self, request: pb.GetAcSystemRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetAcSystemResponse:
        """Give one access control system."""
        return pb.GetAcSystemResponse(ac_system=_message_of(await self._ac_systems.get(request.ac_system_id)))

    async def UpdateAcSystem(
        self, request: pb.UpdateAcSystemRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UpdateAcSystemResponse:
        """Change name, numbering or webhook."""
        given, paths = request.ac_system, list(request.update_mask.paths)
        if "gives_card_numbers" in paths and not given.HasField("gives_card_numbers"):
            raise invalid("ac_system.gives_card_numbers", "required where update_mask names it")
        new = AcSystem(given.ac_system_id, given.name, given.gives_card_numbers)
        changed = await self._ac_systems.update(new, _webhook_of(given), paths)
        return pb.UpdateAcSystemResponse(ac_system=_message_of(changed))

    async def DeleteAcSystem(
        self, request: pb.DeleteAcSystemRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DeleteAcSystemResponse:
        """Delete a system that nothing belongs to."""
        await self._ac_systems.delete(request.ac_system_id)
        return pb.DeleteAcSystemResponse()

    async def ListAcSystems(
        self, _request: pb.ListAcSystemsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListAcSystemsResponse:
        """List every access control system by name."""
        systems = await self._ac_systems.every()
        return pb.ListAcSystemsResponse(ac_systems=[_message_of(system) for system in systems])


def _webhook_of(given: pb.AcSystem) -> NewWebhook | None:
    return NewWebhook(given.webhook.url, given.webhook.secret) if given.HasField("webhook") else None


def _message_of(system: AcSystem) -> pb.AcSystem:
    return pb.AcSystem(
        ac_system_id=system.ac_system_id,
        name=system.name,
        gives_card_numbers=system.gives_card_numbers,
        webhook=pb.Webhook(url=system.webhook.url) if system.webhook else None,
    )

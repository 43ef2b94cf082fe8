"""Calls of UserCardService and MarkCard for tests, and what they left in the database."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from swipegate.service.sealing import Sealer
from swipegate.settings import Settings
from swipegate.store.schema import metadata
from swipegate.v1 import card_pb2
from swipegate.v1 import user_card_pb2 as pb
from tests.conftest import Client
from tests.databases import Where, look

ACTIVATION, DEACTIVATION = "card_activation_start_date_time", "card_deactivation_start_date_time"
LOST, STOLEN, GOOD = card_pb2.CARD_STATUS_LOST, card_pb2.CARD_STATUS_STOLEN, card_pb2.CARD_STATUS_GOOD


def at(microseconds: int) -> Timestamp:
    """A time."""
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


class Calls:
    """The operations on assignments, one method each."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._stub = client.user_cards

    async def remove(self, user_card_id: str) -> pb.RemoveUserCardResponse:
        """RemoveUserCard."""
        request = pb.RemoveUserCardRequest(user_card_id=user_card_id)
        answer: pb.RemoveUserCardResponse = await self._stub.RemoveUserCard(request, **self.client.options)
        return answer

    async def update(
        self, user_card_id: str, *paths: str, pin: str | None = None, **fields: Any
    ) -> pb.UpdateUserCardResponse:
        """UpdateUserCard."""
        new = pb.UserCard(user_card_id=user_card_id, **fields)
        request = pb.UpdateUserCardRequest(user_card=new, update_mask=FieldMask(paths=paths), pin=pin)
        answer: pb.UpdateUserCardResponse = await self._stub.UpdateUserCard(request, **self.client.options)
        return answer

    async def undo(self, sequence: int, request_id: str = "") -> pb.UndoUserCardEventResponse:
        """UndoUserCardEvent."""
        request = pb.UndoUserCardEventRequest(sequence=sequence, request_id=request_id)
        answer: pb.UndoUserCardEventResponse = await self._stub.UndoUserCardEvent(
            request, **self.client.options
        )
        return answer

    async def get(self, user_card_id: str) -> pb.UserCard:
        """GetUserCard."""
        request = pb.GetUserCardRequest(user_card_id=user_card_id)
        answer: pb.GetUserCardResponse = await self._stub.GetUserCard(request, **self.client.options)
        return answer.user_card

    async def page(self, **fields: Any) -> pb.ListUserCardsResponse:
        """ListUserCards."""
        request = pb.ListUserCardsRequest(**fields)
        answer: pb.ListUserCardsResponse = await self._stub.ListUserCards(request, **self.client.options)
        return answer

    def watch(self, after: int) -> Any:
        """WatchUserCards; the answer is the call."""
        return self._stub.WatchUserCards(
            pb.WatchUserCardsRequest(after_sequence=after), **self.client.options
        )

    async def events(self, after: int, count: int) -> list[pb.UserCardEvent]:
        """The next events past that number, as many as asked."""
        call, found = self.watch(after), []
        while len(found) < count:
            found.append((await call.read()).event)
        call.cancel()
        return found

    async def mark(self, card_id: str, status: Any) -> card_pb2.MarkCardResponse:
        """MarkCard."""
        request = card_pb2.MarkCardRequest(card_id=card_id, status=status)
        answer: card_pb2.MarkCardResponse = await self.client.cards.MarkCard(request, **self.client.options)
        return answer


def pin_of(where: Where, settings: Settings, user_card_id: str) -> str | None:
    """The PIN that is sealed for an assignment."""
    query = "SELECT sealed_pin FROM user_card WHERE user_card_id = :id"
    ((sealed,),) = look(where, query, id=user_card_id)
    if sealed is None:
        return None
    sealer = Sealer((settings.data_dir / "sealing.key").read_bytes())
    return sealer.unseal(bytes(sealed), f"pin:{user_card_id}").decode()


def everything(where: Where) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {name: sorted(look(where, f"SELECT * FROM {name}"), key=repr) for name in metadata.tables}

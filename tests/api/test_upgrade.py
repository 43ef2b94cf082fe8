"""A real server on a database that an older one had worked with."""

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from swipegate.api.server import Server
from swipegate.settings import Settings
from swipegate.store.revision import SchemaVersionError
from swipegate.v1 import card_request_pb2, user_card_pb2, user_pb2
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import People
from tests.store.older import SEALING_KEY, TOKEN_KEY, make_older

pytestmark = both
NORTH, SOUTH, BEN, DAN, CLEO, ADA = (
    f"00000000-0000-4000-8000-{number:012}" for number in (1, 2, 11, 12, 15, 19)
)


@pytest.fixture
def settings(settings: Settings, where: Where) -> Settings:
    """Of an older server's data, with the answers that it remembers as young as they were then."""
    for name, key in (("sealing.key", SEALING_KEY), ("token.key", TOKEN_KEY)):
        file = settings.data_dir / name
        file.write_bytes(key)
        file.chmod(0o600)
    make_older(where)
    look(where, "UPDATE idempotency SET create_time = :now", now=time.time_ns() // 1000)
    return settings.model_copy(update={"upgrade_database": True})


async def test_a_server_does_not_upgrade_unless_told(settings: Settings, where: Where) -> None:
    server = Server(settings.model_copy(update={"upgrade_database": False}))
    with pytest.raises(SchemaVersionError, match="`swipegate database upgrade`"):
        await server.start()
    assert look(where, "SELECT version FROM schema_version") == [(1,)]


async def test_everything_is_in_place(client: Client, people: People, where: Where) -> None:
    user = await client.users.GetUser(user_pb2.GetUserRequest(user_id=ADA), **client.options)
    assert user.user.name == "Ada"
    ((occupancy,),) = look(where, "SELECT occupancy_id FROM user_ WHERE user_id = :key", key=ADA)
    assert user.user.occupancy_id == occupancy
    (wiegand, magstripe) = await people.cards(ac_system_id=NORTH)
    assert (wiegand.user_id, magstripe.user_id) == (BEN, ADA)
    await people.replace(user_id=BEN, card_id=magstripe.card_id, enforce_occupancy_system=True)
    refusal = await people.refusal(user_id=CLEO, card_id=magstripe.card_id, enforce_occupancy_system=True)
    assert refusal.reason == "OCCUPANCY_SYSTEM_MISMATCH"
    system = people.named(SOUTH, internal_card_number=0)
    await people.replace(user_id=DAN, **system)
    assert [card.internal_card_number for card in await people.cards(ac_system_id=SOUTH)] == [1, 2]


async def test_a_repeat_of_a_call_from_before_gets_its_answer(client: Client, people: People) -> None:
    """With the PIN and the dates that it had; who holds the card now plays no part."""
    named = {
        "card_type": 1,
        "card_ac_system_id": NORTH,
        "internal_card_number": 4242,
        "external_card_number": "E-4242",
        "facility_code": 17,
    }
    again = await people.replace(user_id=ADA, request_id="first", pin="4711", card_user_flags=1, **named)
    assert (again.current_user_id, again.HasField("previous_user_id")) == (ADA, False)
    refusal = await people.refusal(user_id=ADA, request_id="first", pin="4712", card_user_flags=1, **named)
    assert refusal.reason == "REQUEST_ID_REUSED"
    read = card_request_pb2.CreateCardRequestRequest(
        id=1, action=card_request_pb2.CARD_REQUEST_ACTION_BEGINREADCARD, request_id="read"
    )
    answer = await client.card_requests.CreateCardRequest(read, **client.options)
    assert answer.card_request.state == card_request_pb2.CardRequest.STATE_SUCCEEDED


async def test_a_move_from_before_can_be_undone_with_its_pin(
    client: Client, people: People, where: Where
) -> None:
    """Event 7 took the card of number 99 from Dan, who had a PIN."""
    undo = user_card_pb2.UndoUserCardEventRequest(sequence=7)
    answer = await client.user_cards.UndoUserCardEvent(undo, **client.options)
    assert (answer.user_card.user_id, answer.user_card.has_pin) == (DAN, True)
    assert answer.sequence == 8


async def test_history_and_events_from_before(client: Client, people: People) -> None:
    (_, card) = await people.cards(ac_system_id=NORTH)
    listed = await client.user_cards.ListUserCards(
        user_card_pb2.ListUserCardsRequest(card_id=card.card_id, include_ended=True), **client.options
    )
    assert [one.user_id for one in listed.user_cards] == [ADA, DAN, ADA]
    assert listed.sequence == 7
    then = Timestamp()
    then.FromMicroseconds(listed.user_cards[1].start_time.ToMicroseconds())
    as_of = await client.user_cards.ListUserCards(
        user_card_pb2.ListUserCardsRequest(card_id=card.card_id, as_of=then), **client.options
    )
    assert [one.user_id for one in as_of.user_cards] == [DAN]
    stream = client.user_cards.WatchUserCards(
        user_card_pb2.WatchUserCardsRequest(after_sequence=0), **client.options
    )
    seen = [(await stream.read()).event.sequence for _ in range(7)]
    stream.cancel()
    assert seen == list(range(1, 8))


async def test_card_requests_from_before(client: Client) -> None:
    listed = await client.card_requests.ListCardRequests(
        card_request_pb2.ListCardRequestsRequest(), **client.options
    )
    assert len(listed.card_requests) == 3

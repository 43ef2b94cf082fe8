"""Texts that a database could choke on: refused by name, or kept as they are, by both alike."""

from typing import Any

import grpc
import pytest

from swipegate.v1 import (
    ac_system_pb2,
    card_request_pb2,
    device_pb2,
    occupancy_pb2,
    track_pb2,
    user_card_pb2,
    user_pb2,
)
from tests.conftest import Client
from tests.databases import both
from tests.people import People, new_id, refused

pytestmark = both

NUL = "a\0b"
DEVICE = {"name": "desk", "driver": "msr605", "port": "loop://"}


def _device(**fields: Any) -> device_pb2.CreateDeviceRequest:
    return device_pb2.CreateDeviceRequest(device=device_pb2.Device(**(DEVICE | fields)))


CALLS = {
    "user.name": ("users.CreateUser", user_pb2.CreateUserRequest(user=user_pb2.User(name=NUL))),
    "ac_system.name": (
        "ac_systems.CreateAcSystem",
        ac_system_pb2.CreateAcSystemRequest(ac_system=ac_system_pb2.AcSystem(name=NUL)),
    ),
    "occupancy.name": (
        "occupancies.CreateOccupancy",
        occupancy_pb2.CreateOccupancyRequest(
            occupancy=occupancy_pb2.Occupancy(name=NUL, ac_system_id=new_id())
        ),
    ),
    "device.name": ("devices.CreateDevice", _device(name=NUL)),
    "device.pc_name": ("devices.CreateDevice", _device(pc_name=NUL)),
    "device.port": ("devices.CreateDevice", _device(port=NUL)),
    "device.settings": ("devices.CreateDevice", _device(settings={NUL: "x"})),
    "device.card_formats": ("devices.CreateDevice", _device(card_formats=[NUL])),
    "card_formats": (
        "tracks.DecodeSwipe",
        track_pb2.DecodeSwipeRequest(
            swipe=track_pb2.Swipe(tracks=[track_pb2.RawTrack(number=2, text=b";1234567890=99125?")]),
            card_formats=[NUL],
        ),
    ),
    "message": (
        "card_requests.CreateCardRequest",
        card_request_pb2.CreateCardRequestRequest(
            id=1, action=card_request_pb2.CARD_REQUEST_ACTION_BEGINREADCARD, message=NUL
        ),
    ),
    "request_id": (
        "user_cards.ReplaceCardIfExists",
        user_card_pb2.ReplaceCardIfExistsRequest(user_id=new_id(), card_id=new_id(), request_id=NUL),
    ),
    "external_card_number": (
        "user_cards.ReplaceCardIfExists",
        user_card_pb2.ReplaceCardIfExistsRequest(
            user_id=new_id(), card_id=new_id(), external_card_number=NUL
        ),
    ),
}


@pytest.mark.parametrize("field", CALLS)
async def test_a_nul_is_refused_by_name(client: Client, field: str) -> None:
    method, request = CALLS[field]
    service, _, name = method.partition(".")
    refusal = await refused(getattr(getattr(client, service), name)(request, **client.options))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


@pytest.mark.parametrize(
    "name", ["O'Hara; DROP TABLE card --", "Žofia %s %(x)s :x", "李 \u200d 🙂", "\u00a0"]
)
async def test_a_name_is_kept_as_it_is(client: Client, name: str) -> None:
    made = await client.users.CreateUser(
        user_pb2.CreateUserRequest(user=user_pb2.User(name=name)), **client.options
    )
    found = await client.users.GetUser(user_pb2.GetUserRequest(user_id=made.user.user_id), **client.options)
    assert found.user.name == name


async def test_numbers_past_64_bits_of_the_database(client: Client, people: People) -> None:
    largest = 2**64 - 1
    undo = user_card_pb2.UndoUserCardEventRequest(sequence=largest)
    refusal = await refused(client.user_cards.UndoUserCardEvent(undo, **client.options))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "USER_CARD_EVENT_NOT_FOUND")
    watch = client.user_cards.WatchUserCards(
        user_card_pb2.WatchUserCardsRequest(after_sequence=largest), **client.options
    )
    refusal = await refused(watch.read())
    assert refusal.metadata["field"] == "after_sequence"

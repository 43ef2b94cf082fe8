"""OccupancyService over gRPC."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from swipegate.v1 import occupancy_pb2 as pb
from swipegate.v1 import user_pb2
from tests.conftest import Client
from tests.databases import both
from tests.people import People, new_id, refused

STATUS = grpc.StatusCode
pytestmark = both


async def create(client: Client, **fields: str) -> pb.Occupancy:
    """A new occupancy."""
    request = pb.CreateOccupancyRequest(occupancy=pb.Occupancy(**fields))
    answer: pb.CreateOccupancyResponse = await client.occupancies.CreateOccupancy(request, **client.options)
    return answer.occupancy


async def get(client: Client, occupancy_id: str) -> pb.Occupancy:
    """The occupancy as it stands."""
    request = pb.GetOccupancyRequest(occupancy_id=occupancy_id)
    answer: pb.GetOccupancyResponse = await client.occupancies.GetOccupancy(request, **client.options)
    return answer.occupancy


async def update(client: Client, *paths: str, **fields: str) -> pb.Occupancy:
    """The occupancy after the change."""
    request = pb.UpdateOccupancyRequest(occupancy=pb.Occupancy(**fields), update_mask=FieldMask(paths=paths))
    answer: pb.UpdateOccupancyResponse = await client.occupancies.UpdateOccupancy(request, **client.options)
    return answer.occupancy


async def delete(client: Client, occupancy_id: str) -> None:
    """Delete the occupancy."""
    await client.occupancies.DeleteOccupancy(
        pb.DeleteOccupancyRequest(occupancy_id=occupancy_id), **client.options
    )


async def page(client: Client, **fields: Any) -> pb.ListOccupanciesResponse:
    """A page of occupancies."""
    answer: pb.ListOccupanciesResponse = await client.occupancies.ListOccupancies(
        pb.ListOccupanciesRequest(**fields), **client.options
    )
    return answer


async def test_an_occupancy_is_kept_and_exists_once(client: Client, people: People) -> None:
    system, other, key = await people.system(), await people.system(), new_id()
    made = await create(client, occupancy_id=key.upper(), name="floor 1", ac_system_id=system.upper())
    assert (made.occupancy_id, made.ac_system_id) == (key, system)
    assert await get(client, key.upper()) == made
    for fields, field in (
        ({"occupancy_id": key, "name": "floor 2"}, "occupancy_id"),
        ({"name": "floor 1"}, "name"),
    ):
        refusal = await refused(create(client, ac_system_id=system, **fields))
        assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "OCCUPANCY_EXISTS")
        assert refusal.metadata == {"field": field}
    assert (await create(client, name="floor 1", ac_system_id=other)).ac_system_id == other


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "occupancy.name"),
        ({"name": "n" * 129}, "occupancy.name"),
        ({"name": "a\0b"}, "occupancy.name"),
        ({"occupancy_id": "x"}, "occupancy.occupancy_id"),
        ({"ac_system_id": ""}, "occupancy.ac_system_id"),
        ({"ac_system_id": "x"}, "occupancy.ac_system_id"),
    ],
)
async def test_a_bad_occupancy_is_named(
    client: Client, people: People, fields: dict[str, str], field: str
) -> None:
    made = await create(client, name="before", ac_system_id=await people.system())
    given = {"name": "n", "ac_system_id": made.ac_system_id}
    refusal = await refused(create(client, **(given | fields)))
    assert (refusal.code, refusal.metadata["field"]) == (STATUS.INVALID_ARGUMENT, field)
    given["occupancy_id"] = made.occupancy_id
    refusal = await refused(update(client, "name", "ac_system_id", **(given | fields)))
    assert (refusal.code, refusal.metadata["field"]) == (STATUS.INVALID_ARGUMENT, field)
    assert await get(client, made.occupancy_id) == made


async def test_an_occupancy_or_system_that_is_not_there(client: Client, people: People) -> None:
    nowhere = new_id()
    made = await create(client, name="n", ac_system_id=await people.system())
    for call in (
        create(client, name="n", ac_system_id=nowhere),
        update(client, "ac_system_id", occupancy_id=made.occupancy_id, ac_system_id=nowhere),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "AC_SYSTEM_NOT_FOUND")
    for unknown in (
        get(client, nowhere),
        update(client, "name", occupancy_id=nowhere, name="n"),
        delete(client, nowhere),
    ):
        refusal = await refused(unknown)
        assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "OCCUPANCY_NOT_FOUND")
        assert refusal.metadata == {"occupancy_id": nowhere}
    for nameless in (get(client, ""), update(client, "name", name="n"), delete(client, "")):
        assert (await refused(nameless)).reason == "INVALID_FIELD"


async def test_only_what_the_mask_names_changes(client: Client, people: People) -> None:
    first, second = await people.system(), await people.system()
    key = (await create(client, name="before", ac_system_id=first)).occupancy_id
    named = await update(client, "name", occupancy_id=key.upper(), name="after", ac_system_id=second)
    assert (named.name, named.ac_system_id) == ("after", first)
    moved = await update(client, "ac_system_id", occupancy_id=key, name="ignored", ac_system_id=second)
    assert (moved.name, moved.ac_system_id) == ("after", second)
    assert await update(client, "ac_system_id", occupancy_id=key, ac_system_id=second) == moved
    assert await get(client, key) == moved


async def test_a_name_stays_unique_in_its_system(client: Client, people: People) -> None:
    first, second = await people.system(), await people.system()
    await create(client, name="taken", ac_system_id=first)
    here = await create(client, name="free", ac_system_id=first)
    there = await create(client, name="taken", ac_system_id=second)
    for call in (
        update(client, "name", occupancy_id=here.occupancy_id, name="taken"),
        update(client, "ac_system_id", occupancy_id=there.occupancy_id, ac_system_id=first),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "OCCUPANCY_EXISTS")
    assert await get(client, here.occupancy_id) == here
    assert await get(client, there.occupancy_id) == there


@pytest.mark.parametrize("paths", [[], ["occupancy_id"], ["name", "nonsense"]])
async def test_a_bad_mask_is_refused(client: Client, people: People, paths: list[str]) -> None:
    made = await create(client, name="before", ac_system_id=await people.system())
    refusal = await refused(update(client, *paths, occupancy_id=made.occupancy_id, name="after"))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "update_mask")


async def test_cards_stay_when_an_occupancy_moves_and_the_new_system_counts(
    client: Client, people: People
) -> None:
    old, new = await people.system(), await people.system()
    user = await people.user(old)
    card = await people.card(user, card_ac_system_id=old, enforce_occupancy_system=True)
    ((mine,),) = [[one.occupancy_id for one in (await page(client)).occupancies]]
    await update(client, "ac_system_id", occupancy_id=mine, ac_system_id=new)
    assert await people.cards(user_id=user) == [card]
    fields = people.named(old) | {"user_id": user, "enforce_occupancy_system": True}
    assert (await people.refusal(**fields)).reason == "OCCUPANCY_SYSTEM_MISMATCH"
    await people.replace(**(fields | {"card_ac_system_id": new}))


async def test_only_an_empty_occupancy_is_deleted(client: Client, people: People) -> None:
    made = await create(client, name="n", ac_system_id=await people.system())
    key = made.occupancy_id
    user = user_pb2.User(name="somebody", occupancy_id=key)
    created = await client.users.CreateUser(user_pb2.CreateUserRequest(user=user), **client.options)
    refusal = await refused(delete(client, key))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "IN_USE")
    assert refusal.metadata == {"what": f"occupancy {key}", "by": "users"}
    gone = user_pb2.DeleteUserRequest(user_id=created.user.user_id)
    await client.users.DeleteUser(gone, **client.options)
    await delete(client, key.upper())
    assert (await refused(delete(client, key))).reason == "OCCUPANCY_NOT_FOUND"
    assert (await create(client, occupancy_id=key, name="n", ac_system_id=made.ac_system_id)) == made


async def test_pages_stay_right_while_occupancies_come_and_go(client: Client, people: People) -> None:
    system = await people.system()
    keys = [(await create(client, name=str(n), ac_system_id=system)).occupancy_id for n in range(9)]
    seen, token = [], ""
    while True:
        answer = await page(client, ac_system_id=system.upper(), page_size=2, page_token=token)
        seen += [one.occupancy_id for one in answer.occupancies]
        token = answer.next_page_token
        if not token:
            break
        await delete(client, seen[-1])  # where the next page begins
        if len(seen) == 2:
            await delete(client, keys[5])
            keys.append((await create(client, name="late", ac_system_id=system)).occupancy_id)
    assert seen == [key for key in keys if key != keys[5]]
    assert list((await page(client, ac_system_id=new_id())).occupancies) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"ac_system_id": "x"}, "ac_system_id"),
    ],
)
async def test_a_bad_page_is_named(client: Client, fields: dict[str, Any], field: str) -> None:
    refusal = await refused(page(client, **fields))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", field)

"""UserService over gRPC."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from swipegate.v1 import occupancy_pb2, user_card_pb2, user_pb2
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import People, Refusal, new_id, refused

STATUS = grpc.StatusCode
pytestmark = both


async def create(client: Client, **fields: str) -> user_pb2.User:
    """A new user."""
    request = user_pb2.CreateUserRequest(user=user_pb2.User(**fields))
    answer: user_pb2.CreateUserResponse = await client.users.CreateUser(request, **client.options)
    return answer.user


async def get(client: Client, user_id: str) -> user_pb2.User:
    """The user as it stands."""
    request = user_pb2.GetUserRequest(user_id=user_id)
    answer: user_pb2.GetUserResponse = await client.users.GetUser(request, **client.options)
    return answer.user


async def update(client: Client, *paths: str, **fields: str) -> user_pb2.User:
    """The user after the change."""
    request = user_pb2.UpdateUserRequest(user=user_pb2.User(**fields), update_mask=FieldMask(paths=paths))
    answer: user_pb2.UpdateUserResponse = await client.users.UpdateUser(request, **client.options)
    return answer.user


async def delete(client: Client, user_id: str) -> None:
    """Delete the user."""
    await client.users.DeleteUser(user_pb2.DeleteUserRequest(user_id=user_id), **client.options)


async def page(client: Client, **fields: Any) -> user_pb2.ListUsersResponse:
    """A page of users."""
    answer: user_pb2.ListUsersResponse = await client.users.ListUsers(
        user_pb2.ListUsersRequest(**fields), **client.options
    )
    return answer


def assert_unknown(refusal: Refusal, user_id: str) -> None:
    """USER_NOT_FOUND."""
    assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "USER_NOT_FOUND")
    assert refusal.metadata["user_id"] == user_id


async def test_a_user_is_kept_and_exists_once(client: Client, people: People) -> None:
    occupancy, key = await people.occupancy(await people.system()), new_id()
    made = await create(client, user_id=key.upper(), name="N", occupancy_id=occupancy.upper())
    assert (made.user_id, made.occupancy_id) == (key, occupancy)
    assert await get(client, key.upper()) == made
    refusal = await refused(create(client, user_id=key, name="other"))
    assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "USER_EXISTS")
    assert refusal.metadata == {"user_id": key}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "user.name"),
        ({"name": "n" * 129}, "user.name"),
        ({"name": "a\0b"}, "user.name"),
        ({"name": "a\nb"}, "user.name"),
        ({"name": "n", "user_id": "x"}, "user.user_id"),
        ({"name": "n", "occupancy_id": "x"}, "user.occupancy_id"),
    ],
)
async def test_a_bad_user_is_named(client: Client, fields: dict[str, str], field: str) -> None:
    refusal = await refused(create(client, **fields))
    assert (refusal.code, refusal.metadata["field"]) == (STATUS.INVALID_ARGUMENT, field)
    key = (await create(client, name="before")).user_id
    paths = [path for path in fields if path != "user_id"]
    refusal = await refused(update(client, *paths, **({"user_id": key} | fields)))
    assert (refusal.code, refusal.metadata["field"]) == (STATUS.INVALID_ARGUMENT, field)
    assert (await get(client, key)).name == "before"


async def test_a_user_or_occupancy_that_is_not_there(client: Client) -> None:
    nobody = new_id()
    key = (await create(client, name="n")).user_id
    for call in (
        create(client, name="n", occupancy_id=nobody),
        update(client, "occupancy_id", user_id=key, occupancy_id=nobody),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "OCCUPANCY_NOT_FOUND")
        assert refusal.metadata == {"occupancy_id": nobody}
    for unknown in (
        get(client, nobody),
        update(client, "name", user_id=nobody, name="n"),
        delete(client, nobody),
    ):
        assert_unknown(await refused(unknown), nobody)
    for nameless in (get(client, ""), update(client, "name", name="n"), delete(client, "")):
        assert (await refused(nameless)).reason == "INVALID_FIELD"


async def test_only_what_the_mask_names_changes(client: Client, people: People) -> None:
    first, second = [await people.occupancy(await people.system()) for _ in range(2)]
    made = await create(client, name="before", occupancy_id=first)
    key = made.user_id
    named = await update(client, "name", user_id=key.upper(), name="after", occupancy_id=second)
    assert (named.name, named.occupancy_id) == ("after", first)
    moved = await update(client, "occupancy_id", user_id=key, name="ignored", occupancy_id=second)
    assert (moved.name, moved.occupancy_id) == ("after", second)
    assert await update(client, "occupancy_id", user_id=key, occupancy_id=second) == moved
    out = await update(client, "name", "occupancy_id", user_id=key, name="out")
    assert (out.name, out.occupancy_id) == ("out", "")
    assert await get(client, key) == out


@pytest.mark.parametrize("paths", [[], ["user_id"], ["name", "nonsense"], ["user.name"], ["*"]])
async def test_a_bad_mask_is_refused(client: Client, paths: list[str]) -> None:
    made = await create(client, name="before")
    refusal = await refused(update(client, *paths, user_id=made.user_id, name="after"))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "update_mask")
    assert await get(client, made.user_id) == made


async def test_who_moves_keeps_cards_and_the_new_occupancy_counts(client: Client, people: People) -> None:
    old, new = await people.system(), await people.system()
    user = await people.user(old)
    card = await people.card(user, card_ac_system_id=old, enforce_occupancy_system=True)
    await update(client, "occupancy_id", user_id=user, occupancy_id=await people.occupancy(new))
    assert await people.cards(user_id=user) == [card]
    again = {"user_id": user, "card_id": card.card_id, "enforce_occupancy_system": True}
    assert (await people.refusal(**again)).reason == "OCCUPANCY_SYSTEM_MISMATCH"
    assert (await people.replace(user_id=user, card_id=card.card_id)).value == card.user_card_id


async def test_a_holder_is_not_deleted(client: Client, people: People) -> None:
    user = await people.user()
    card = await people.card(user)
    refusal = await refused(delete(client, user))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "IN_USE")
    assert refusal.metadata == {"what": f"user {user}", "by": "a card"}
    assert (await get(client, user)).name == "somebody"
    await people.replace(user_id=await people.user(), card_id=card.card_id)
    await delete(client, user)


async def test_of_a_deleted_user_the_id_stays_and_nothing_else(
    client: Client, people: People, where: Where
) -> None:
    system = await people.system()
    occupancy = await people.occupancy(system)
    user = (await create(client, name="Somebody Secret", occupancy_id=occupancy)).user_id
    card = await people.card(user)
    request = user_card_pb2.RemoveUserCardRequest(user_card_id=card.user_card_id)
    await client.user_cards.RemoveUserCard(request, **client.options)
    await delete(client, user.upper())
    for call in (get(client, user), delete(client, user), update(client, "name", user_id=user, name="n")):
        assert_unknown(await refused(call), user)
    assert_unknown(await people.refusal(user_id=user, card_id=card.card_id), user)
    assert (await refused(create(client, user_id=user, name="again"))).reason == "USER_EXISTS"
    assert list((await page(client)).users) == []
    history = user_card_pb2.ListUserCardsRequest(card_id=card.card_id, include_ended=True)
    held = await client.user_cards.ListUserCards(history, **client.options)
    assert [one.user_id for one in held.user_cards] == [user]
    ((name, deleted),) = look(where, "SELECT name, delete_time FROM user_")
    assert (name, deleted is not None) == ("", True)
    # nobody is left in the occupancy
    gone = occupancy_pb2.DeleteOccupancyRequest(occupancy_id=occupancy)
    await client.occupancies.DeleteOccupancy(gone, **client.options)


async def test_pages_stay_right_while_users_come_and_go(client: Client) -> None:
    keys = [(await create(client, name=f"user {number}")).user_id for number in range(9)]
    seen, token = [], ""
    while True:
        answer = await page(client, page_size=2, page_token=token)
        seen += [user.user_id for user in answer.users]
        token = answer.next_page_token
        if not token:
            break
        await delete(client, seen[-1])  # where the next page begins
        if len(seen) == 2:
            await delete(client, keys[5])
            keys.append((await create(client, name="late")).user_id)
    assert seen == [key for key in keys if key != keys[5]]


async def test_users_of_an_occupancy(client: Client, people: People) -> None:
    occupancy = await people.occupancy(await people.system())
    inside = [await create(client, name="in", occupancy_id=occupancy) for _ in range(3)]
    await create(client, name="out")
    assert list((await page(client, occupancy_id=occupancy.upper())).users) == inside
    first = await page(client, occupancy_id=occupancy, page_size=2)
    rest = await page(client, occupancy_id=occupancy, page_size=2, page_token=first.next_page_token)
    assert [*first.users, *rest.users] == inside
    assert rest.next_page_token == ""
    assert list((await page(client, occupancy_id=new_id())).users) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"occupancy_id": "x"}, "occupancy_id"),
    ],
)
async def test_a_bad_page_is_named(client: Client, fields: dict[str, Any], field: str) -> None:
    refusal = await refused(page(client, **fields))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", field)

"""Card types of CardService over gRPC."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from swipegate.service import card_types
from swipegate.v1 import card_pb2 as pb
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import SERIAL, WIEGAND_26, WIEGAND_37, People, refused

STATUS = grpc.StatusCode
pytestmark = both
LARGEST = 2**63 - 1
LARGEST_CODE = 2**31 - 1


async def every(client: Client) -> list[pb.CardType]:
    """Every card type."""
    answer = await client.cards.ListCardTypes(pb.ListCardTypesRequest(), **client.options)
    return list(answer.card_types)


async def create(client: Client, **fields: Any) -> pb.CardType:
    """A new card type."""
    given = {"name": "mine", "max_internal_card_number": 10} | fields
    request = pb.CreateCardTypeRequest(card_type=pb.CardType(**given))
    answer: pb.CreateCardTypeResponse = await client.cards.CreateCardType(request, **client.options)
    return answer.card_type


async def update(client: Client, *paths: str, **fields: Any) -> pb.CardType:
    """The card type after the change."""
    request = pb.UpdateCardTypeRequest(card_type=pb.CardType(**fields), update_mask=FieldMask(paths=paths))
    answer: pb.UpdateCardTypeResponse = await client.cards.UpdateCardType(request, **client.options)
    return answer.card_type


async def delete(client: Client, number: int) -> None:
    """Delete the card type."""
    await client.cards.DeleteCardType(pb.DeleteCardTypeRequest(card_type=number), **client.options)


async def test_the_card_types_of_every_installation(client: Client) -> None:
    types = await every(client)
    assert [kind.card_type for kind in types] == [1, 2, 3, 4, 5, 6, 7]
    wiegand = types[0]
    assert (wiegand.max_internal_card_number, wiegand.max_facility_code) == (65_535, 255)
    assert not wiegand.HasField("max_issue_code")
    assert not wiegand.has_serial_number
    assert types[3].has_serial_number


async def test_a_type_is_kept_with_the_next_number_or_its_own(client: Client) -> None:
    wide = await create(
        client,
        max_internal_card_number=LARGEST,
        max_facility_code=LARGEST_CODE,
        max_issue_code=0,
        has_serial_number=True,
    )
    assert wide.card_type == 8
    last = await create(client, name="last", card_type=LARGEST_CODE)
    assert (last.HasField("max_facility_code"), last.HasField("max_issue_code")) == (False, False)
    assert (await create(client, name="in the gap")).card_type == 9  # nothing comes after the last
    types = await every(client)
    assert [types[-3], types[-1]] == [wide, last]


async def test_a_type_exists_once(client: Client) -> None:
    before = await every(client)
    for fields, field in (({"card_type": 1}, "card_type"), ({"name": before[0].name}, "name")):
        refusal = await refused(create(client, **fields))
        assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "CARD_TYPE_EXISTS")
        assert refusal.metadata == {"field": field}
    assert await every(client) == before


BOUNDS = [
    ({"name": ""}, "name"),
    ({"name": "n" * 129}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"max_internal_card_number": 0}, "max_internal_card_number"),
    ({"max_internal_card_number": -1}, "max_internal_card_number"),
    ({"max_facility_code": -1}, "max_facility_code"),
    ({"max_facility_code": LARGEST_CODE + 1}, "max_facility_code"),
    ({"max_issue_code": -1}, "max_issue_code"),
    ({"max_issue_code": LARGEST}, "max_issue_code"),
]


@pytest.mark.parametrize(("fields", "field"), BOUNDS)
async def test_a_bad_type_is_named(client: Client, fields: dict[str, Any], field: str) -> None:
    before = await every(client)
    for call in (create(client, **fields), update(client, *fields, card_type=WIEGAND_37, **fields)):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")
        assert refusal.metadata["field"] == f"card_type.{field}"
    assert await every(client) == before


async def test_a_negative_number_is_named(client: Client) -> None:
    refusal = await refused(create(client, card_type=-1))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "card_type.card_type")


async def test_the_list_of_types_has_a_bound(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_types, "MAX_CARD_TYPES", 8)
    await create(client)
    refusal = await refused(create(client, name="one more"))
    assert (refusal.code, refusal.reason) == (STATUS.RESOURCE_EXHAUSTED, "OVERLOADED")


async def test_only_what_the_mask_names_changes(client: Client) -> None:
    made = await create(client, max_facility_code=7)
    key = made.card_type
    named = await update(client, "name", card_type=key, name="renamed", max_internal_card_number=1)
    assert (named.name, named.max_internal_card_number, named.max_facility_code) == ("renamed", 10, 7)
    paths = ("max_internal_card_number", "max_facility_code", "max_issue_code", "has_serial_number")
    changed = await update(
        client, *paths, card_type=key, max_internal_card_number=20, max_issue_code=0, has_serial_number=True
    )
    assert (changed.name, changed.max_internal_card_number) == ("renamed", 20)
    assert (changed.HasField("max_facility_code"), changed.HasField("max_issue_code")) == (False, True)
    assert changed.has_serial_number
    again = await update(client, "max_internal_card_number", card_type=key, max_internal_card_number=20)
    assert again == changed == (await every(client))[-1]


@pytest.mark.parametrize("paths", [[], ["card_type"], ["name", "nonsense"]])
async def test_a_bad_mask_is_refused(client: Client, paths: list[str]) -> None:
    refusal = await refused(update(client, *paths, card_type=1, name="n"))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "update_mask")


@pytest.mark.parametrize("number", [0, -1, 8, LARGEST_CODE])
async def test_a_type_that_is_not_there(client: Client, number: int) -> None:
    for call in (update(client, "name", card_type=number, name="n"), delete(client, number)):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "CARD_TYPE_NOT_FOUND")
        assert refusal.metadata == {"card_type": str(number)}


async def test_a_name_stays_unique(client: Client) -> None:
    before = await every(client)
    refusal = await refused(update(client, "name", card_type=1, name=before[1].name))
    assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "CARD_TYPE_EXISTS")
    assert refusal.metadata == {"field": "name"}
    assert await update(client, "name", card_type=1, name=before[0].name) == before[0]


@pytest.mark.parametrize(
    ("card_type", "card", "switched"),
    [
        (WIEGAND_26, {"facility_code": 1}, {"max_facility_code": None}),
        (WIEGAND_37, {}, {"max_facility_code": 1}),
        (WIEGAND_37, {}, {"max_issue_code": 1}),
        (WIEGAND_37, {}, {"has_serial_number": True}),
        (SERIAL, {"card_serial_number": 1}, {"has_serial_number": False}),
    ],
)
async def test_a_field_of_cards_that_are_there_is_not_switched(
    client: Client, people: People, card_type: int, card: dict[str, int], switched: dict[str, Any]
) -> None:
    free = await update(client, *switched, card_type=3, **{"max_facility_code": 65_535, **switched})
    assert free.card_type == 3  # it has no card
    await people.card(await people.user(), card_type=card_type, **card)
    before = await every(client)
    refusal = await refused(update(client, *switched, card_type=card_type, **switched))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "IN_USE")
    assert refusal.metadata == {"what": f"card type {card_type}", "by": "cards of the type"}
    assert await every(client) == before


async def test_a_narrower_range_leaves_cards_and_binds_new_ones(
    client: Client, people: People, where: Where
) -> None:
    key = (await create(client, max_facility_code=9)).card_type
    user, system = await people.user(), await people.system()

    def named(number: int, facility: int = 9) -> dict[str, Any]:
        return people.named(system, card_type=key, internal_card_number=number, facility_code=facility) | {
            "external_card_number": "printed"
        }

    for number in (10, 0, 0, 0, 0, 0, 0):  # the gaps, up to 6: the search goes on at 7
        await people.replace(user_id=user, **named(number))
    paths = ("max_internal_card_number", "max_facility_code")
    await update(client, *paths, card_type=key, max_internal_card_number=4, max_facility_code=9)
    held = await people.replace(user_id=await people.user(), **named(10))
    assert (held.previous_user_id, held.internal_card_number) == (user, 10)
    assert (await people.refusal(user_id=user, **named(7))).metadata["field"] == "internal_card_number"
    # 7 to 9 are free, and past the new largest
    assert (await people.refusal(user_id=user, **named(0))).reason == "NO_FREE_CARD_NUMBER"
    await update(client, "max_facility_code", card_type=key, max_facility_code=8)
    assert (await people.replace(user_id=user, **named(3, 9))).internal_card_number == 3  # it is there
    assert (await people.refusal(user_id=user, **named(8, 9))).metadata["field"] == "internal_card_number"
    await update(client, "max_internal_card_number", card_type=key, max_internal_card_number=8)
    assert (await people.refusal(user_id=user, **named(8, 9))).metadata["field"] == "facility_code"
    assert len(look(where, "SELECT 1 FROM card")) == 7


async def test_only_a_type_without_cards_is_deleted(client: Client, people: People) -> None:
    key = (await create(client)).card_type
    user = await people.user()
    await people.card(user, card_type=key)
    refusal = await refused(delete(client, key))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "IN_USE")
    await delete(client, WIEGAND_26)
    assert (await refused(delete(client, WIEGAND_26))).reason == "CARD_TYPE_NOT_FOUND"
    assert [kind.card_type for kind in await every(client)] == [2, 3, 4, 5, 6, 7, 8]
    fields = people.named(await people.system(), card_type=WIEGAND_26, facility_code=1)
    assert (await people.refusal(user_id=user, **fields)).reason == "CARD_TYPE_NOT_FOUND"

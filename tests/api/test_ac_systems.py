"""AcSystemService over gRPC."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from swipegate.service.sealing import Sealer
from swipegate.settings import Settings
from swipegate.v1 import ac_system_pb2 as pb
from tests.conftest import Client
from tests.connectors.receiver import SECRET
from tests.databases import Where, both, look
from tests.people import WIEGAND_37_FACILITY, People, Refusal, new_id, refused

STATUS = grpc.StatusCode
URL = "https://controller.example/cards"
pytestmark = both


async def create(client: Client, **fields: Any) -> pb.AcSystem:
    request = pb.CreateAcSystemRequest(ac_system=pb.AcSystem(**({"name": f"s {new_id()}"} | fields)))
    return (await client.ac_systems.CreateAcSystem(request, **client.options)).ac_system  # type: ignore[no-any-return]


async def get(client: Client, system: str) -> pb.AcSystem:
    request = pb.GetAcSystemRequest(ac_system_id=system)
    return (await client.ac_systems.GetAcSystem(request, **client.options)).ac_system  # type: ignore[no-any-return]


async def update(client: Client, system: str, *paths: str, **fields: Any) -> pb.AcSystem:
    request = pb.UpdateAcSystemRequest(
        ac_system=pb.AcSystem(ac_system_id=system, **fields), update_mask=FieldMask(paths=paths)
    )
    return (await client.ac_systems.UpdateAcSystem(request, **client.options)).ac_system  # type: ignore[no-any-return]


async def delete(client: Client, system: str) -> None:
    request = pb.DeleteAcSystemRequest(ac_system_id=system)
    await client.ac_systems.DeleteAcSystem(request, **client.options)


def webhook(url: str = URL, secret: bytes = SECRET) -> pb.Webhook:
    return pb.Webhook(url=url, secret=secret)


def assert_not_found(refusal: Refusal, system: str) -> None:
    assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "AC_SYSTEM_NOT_FOUND")
    assert refusal.metadata == {"ac_system_id": system}


def assert_invalid(refusal: Refusal, field: str) -> None:
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


async def test_a_system_with_a_webhook(client: Client, where: Where, settings: Settings) -> None:
    made = await create(client, name="north", gives_card_numbers=False, webhook=webhook())
    assert made == pb.AcSystem(
        ac_system_id=made.ac_system_id, name="north", gives_card_numbers=False, webhook=pb.Webhook(url=URL)
    )
    assert await get(client, made.ac_system_id.upper()) == made
    answer = await client.ac_systems.ListAcSystems(pb.ListAcSystemsRequest(), **client.options)
    assert list(answer.ac_systems) == [made]
    ((sealed,),) = look(where, "SELECT sealed_webhook_secret FROM ac_system")
    assert SECRET not in bytes(sealed)
    sealer = Sealer((settings.data_dir / "sealing.key").read_bytes())
    assert sealer.unseal(bytes(sealed), f"webhook:{made.ac_system_id}") == SECRET


async def test_a_system_without(client: Client) -> None:
    made = await create(client)
    assert made.gives_card_numbers
    assert not made.HasField("webhook")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (webhook(url=""), "webhook.url"),
        (webhook(url="http://controller.example/"), "webhook.url"),
        (webhook(url="https://user:hunter2@controller.example/"), "webhook.url"),
        (webhook(secret=b""), "webhook.secret"),
        (webhook(secret=b"s" * 23), "webhook.secret"),
        (webhook(secret=b"s" * 65), "webhook.secret"),
    ],
)
async def test_a_bad_webhook_is_named(client: Client, given: pb.Webhook, field: str) -> None:
    refusal = await refused(create(client, webhook=given))
    assert_invalid(refusal, f"ac_system.{field}")
    assert "sss" not in refusal.message
    assert "hunter2" not in refusal.message
    system = (await create(client)).ac_system_id
    assert_invalid(await refused(update(client, system, "webhook", webhook=given)), f"ac_system.{field}")


async def test_what_is_not_there(client: Client) -> None:
    system = new_id()
    for call in (get(client, system), update(client, system, "name", name="n"), delete(client, system)):
        assert_not_found(await refused(call), system)


async def test_ids_that_are_none(client: Client) -> None:
    assert_invalid(await refused(get(client, "x")), "ac_system_id")
    assert_invalid(await refused(delete(client, "")), "ac_system_id")
    assert_invalid(await refused(update(client, "x", "name", name="n")), "ac_system.ac_system_id")


async def test_only_what_the_mask_names_changes(client: Client) -> None:
    made = await create(client, name="old", webhook=webhook())
    system = made.ac_system_id
    fields: dict[str, Any] = {"name": "new", "gives_card_numbers": False}
    changed = await update(client, system.upper(), "name", **fields)
    assert (changed.name, changed.gives_card_numbers, changed.webhook.url) == ("new", True, URL)
    changed = await update(client, system, "gives_card_numbers", name="other", gives_card_numbers=False)
    assert (changed.name, changed.gives_card_numbers, changed.webhook.url) == ("new", False, URL)
    assert await get(client, system) == changed
    assert await update(client, system, "name", "gives_card_numbers", **fields) == changed


@pytest.mark.parametrize("paths", [(), ("ac_system_id",), ("name", "webhook.url"), ("",)])
async def test_a_bad_mask_is_refused(client: Client, paths: tuple[str, ...]) -> None:
    system = (await create(client)).ac_system_id
    assert_invalid(await refused(update(client, system, *paths, name="n")), "update_mask")


async def test_bad_new_values_are_refused(client: Client) -> None:
    system, other = (await create(client)).ac_system_id, await create(client, name="taken")
    assert_invalid(await refused(update(client, system, "name")), "ac_system.name")
    refusal = await refused(update(client, system, "gives_card_numbers"))
    assert_invalid(refusal, "ac_system.gives_card_numbers")
    refusal = await refused(update(client, system, "name", name="taken"))
    assert (refusal.code, refusal.reason) == (STATUS.ALREADY_EXISTS, "AC_SYSTEM_EXISTS")
    assert refusal.metadata == {"field": "name"}
    assert (await update(client, other.ac_system_id, "name", name="taken")) == other


async def test_a_secret_is_kept_until_another_is_given(client: Client, where: Where) -> None:
    system = (await create(client, webhook=webhook())).ac_system_id

    def stored() -> list[tuple[Any, ...]]:
        return look(where, "SELECT webhook_url, sealed_webhook_secret FROM ac_system")

    ((_, first),) = stored()
    changed = await update(client, system, "webhook", webhook=webhook("http://127.0.0.1:9/", b""))
    assert changed.webhook == pb.Webhook(url="http://127.0.0.1:9/")
    assert stored() == [("http://127.0.0.1:9/", first)]
    await update(client, system, "webhook", webhook=webhook(secret=SECRET[::-1]))
    ((_, second),) = stored()
    assert second != first
    assert not (await update(client, system, "webhook")).HasField("webhook")
    assert stored() == [(None, None)]
    refusal = await refused(update(client, system, "webhook", webhook=webhook(secret=b"")))
    assert_invalid(refusal, "ac_system.webhook.secret")


async def test_the_first_webhook_makes_an_entry_of_every_card(
    client: Client, people: People, where: Where
) -> None:
    system, other, user = await people.system(), await people.system(), await people.user()
    cards = [(await people.card(user, card_ac_system_id=system)).card_id for _ in range(3)]
    await people.card(user, card_ac_system_id=other)
    last = (await people.replace(user_id=await people.user(), card_id=cards[0])).sequence
    assert look(where, "SELECT * FROM outbox") == []
    given = webhook("http://127.0.0.1:9/")
    await update(client, system, "webhook", webhook=given)
    found = look(
        where, "SELECT ac_system_id, card_id, desired_sequence, applied_sequence FROM outbox ORDER BY row_id"
    )
    assert [row[:2] for row in found] == [(system, card) for card in cards]
    assert [row[2] for row in found] == [last, 2, 3]
    assert {row[3] for row in found} == {0}
    await update(client, system, "webhook", webhook=given)
    await update(client, system, "webhook", webhook=webhook("http://127.0.0.1:9/new", b""))
    assert look(where, "SELECT count(*) FROM outbox") == [(3,)]
    await people.card(user, card_ac_system_id=system)
    assert look(where, "SELECT count(*) FROM outbox") == [(4,)]
    await update(client, system, "webhook")
    assert look(where, "SELECT count(*) FROM outbox") == [(0,)]
    await people.replace(user_id=user, card_id=cards[0])
    assert look(where, "SELECT count(*) FROM outbox") == [(0,)]


async def test_an_unused_system_is_deleted(client: Client, people: People) -> None:
    system = (await create(client, name="n", webhook=webhook())).ac_system_id
    await delete(client, system.upper())
    assert_not_found(await refused(delete(client, system)), system)
    assert_not_found(await refused(get(client, system)), system)
    assert (await create(client, ac_system_id=system, name="n")).ac_system_id == system


@pytest.mark.parametrize("by", ["a card", "an occupancy"])
async def test_a_system_in_use_is_kept(client: Client, people: People, by: str) -> None:
    system = await people.system()
    if by == "a card":
        await people.card(await people.user(), card_ac_system_id=system)
    else:
        await people.occupancy(system)
    refusal = await refused(delete(client, system))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "IN_USE")
    assert refusal.metadata == {"what": f"access control system {system}", "by": by}
    assert (await get(client, system)).ac_system_id == system


async def test_what_is_left_of_its_numbers_does_not_hold_a_system(
    client: Client, people: People, where: Where
) -> None:
    system, user = await people.system(), await people.user()
    fields = people.named(system, card_type=WIEGAND_37_FACILITY, facility_code=1)
    await people.replace(user_id=user, **(fields | {"internal_card_number": 524_287}))
    await people.replace(user_id=user, **(fields | {"internal_card_number": 0}))
    assert look(where, "SELECT count(*) FROM number_range") == [(1,)]
    for table in ("user_card", "outbox", "card"):  # as if the cards had been deleted
        look(where, f"DELETE FROM {table}")
    await delete(client, system)
    assert look(where, "SELECT count(*) FROM number_range") == [(0,)]

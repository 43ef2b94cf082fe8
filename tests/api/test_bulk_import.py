"""BulkImportService over gRPC."""

from typing import Any

import grpc
import pytest
from grpc import aio

from swipegate.api.server import Server
from swipegate.v1 import card_pb2, user_card_pb2, user_pb2
from swipegate.v1.bulk_import_pb2 import (
    ImportCardsRequest,
    ImportedCard,
    ImportReport,
    ImportUsersRequest,
)
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import ABA_FACILITY_ISSUE, SERIAL, WIEGAND_37, People, Refusal, new_id, taken_apart

pytestmark = both


async def reports(call: Any) -> list[ImportReport]:
    """The answers of a stream."""
    return [answer.report async for answer in call]


async def import_users(client: Client, *batches: list[user_pb2.User], **options: bool) -> list[ImportReport]:
    """Send the batches and give what became of them."""
    requests = [ImportUsersRequest(users=batch, **options) for batch in batches]
    return await reports(client.bulk_import.ImportUsers(iter(requests), **client.options))


async def import_cards(client: Client, *batches: list[ImportedCard], **options: bool) -> list[ImportReport]:
    """Send the batches and give what became of them."""
    requests = [ImportCardsRequest(cards=batch, **options) for batch in batches]
    return await reports(client.bulk_import.ImportCards(iter(requests), **client.options))


async def refusal_of(call: Any) -> Refusal:
    """How the stream is refused."""
    with pytest.raises(aio.AioRpcError) as caught:
        await reports(call)
    return taken_apart(caught.value)


def card(system: str, number: int, user: str = "", **fields: Any) -> ImportedCard:
    """A row."""
    given = {"card_type": WIEGAND_37, "external_card_number": f"{number:08}"} | fields
    return ImportedCard(ac_system_id=system, internal_card_number=number, user_id=user, **given)


def refusals(report: ImportReport) -> list[tuple[int, str, str]]:
    """Row, reason and field; every one has a line for people."""
    assert all(one.description for one in report.refused)
    return [(one.row, one.reason, one.field) for one in report.refused]


async def test_users_of_several_batches(client: Client, people: People) -> None:
    occupancy = await people.occupancy(await people.system())
    one, two = new_id(), new_id()
    first = [
        user_pb2.User(user_id=one.upper(), name="Ærø", occupancy_id=occupancy.upper()),
        user_pb2.User(user_id="no UUID", name="x"),
        user_pb2.User(name="y" * 129),
        user_pb2.User(name="a\0b"),
    ]
    second = [
        user_pb2.User(user_id=one, name="Ærø", occupancy_id=occupancy),
        user_pb2.User(user_id=two, name="two", occupancy_id=new_id()),
        user_pb2.User(user_id=two, name="two"),
        user_pb2.User(user_id=two, name="2"),
        user_pb2.User(user_id=two, name="two", occupancy_id="x"),
    ]
    answers = await import_users(client, first, [], second)
    assert [(one.created, one.unchanged) for one in answers] == [(1, 0), (0, 0), (1, 1)]
    assert refusals(answers[0]) == [
        (1, "INVALID_FIELD", "user_id"),
        (2, "INVALID_FIELD", "name"),
        (3, "INVALID_FIELD", "name"),
    ]
    assert refusals(answers[2]) == [
        (5, "OCCUPANCY_NOT_FOUND", "occupancy_id"),
        (7, "USER_EXISTS", "user_id"),
        (8, "INVALID_FIELD", "occupancy_id"),
    ]
    request = user_pb2.GetUserRequest(user_id=one)
    stored = (await client.users.GetUser(request, **client.options)).user
    assert (stored.name, stored.occupancy_id) == ("Ærø", occupancy)


async def test_cards_with_and_without_holders(client: Client, people: People) -> None:
    system, user = await people.system(), await people.user()
    rows = [
        card(system.upper(), 1, user.upper()),
        card(system, 2),
        card(
            system,
            3,
            user,
            card_type=ABA_FACILITY_ISSUE,
            external_card_number="x",
            facility_code=0,
            issue_code=0,
        ),
        card(system, 4, card_type=SERIAL, card_serial_number=9),
    ]
    (answer,) = await import_cards(client, rows)
    assert (answer.created, answer.unchanged, refusals(answer)) == (4, 0, [])
    found = await people.cards(ac_system_id=system)
    assert [(one.internal_card_number, one.user_id) for one in found] == [
        (1, user),
        (2, ""),
        (3, user),
        (4, ""),
    ]
    assert [one.external_card_number for one in found] == ["00000001", "00000002", "x", "00000004"]
    assert (found[2].facility_code, found[2].issue_code, found[3].card_serial_number) == (0, 0, 9)
    assert all(one.status == card_pb2.CARD_STATUS_GOOD for one in found)
    again, batch = await import_cards(client, rows, [card(system, 2, user)])
    assert (again.created, again.unchanged, refusals(again)) == (0, 4, [])
    assert batch.created == 1
    events = []
    watch = client.user_cards.WatchUserCards(user_card_pb2.WatchUserCardsRequest(), **client.options)
    async for message in watch:
        events.append(message.event)
        if len(events) == 5:
            break
    watch.cancel()
    kinds = user_card_pb2.UserCardEvent
    assert [one.kind for one in events] == [
        kinds.KIND_ASSIGNED,
        kinds.KIND_CREATED,
        kinds.KIND_ASSIGNED,
        kinds.KIND_CREATED,
        kinds.KIND_ASSIGNED,
    ]
    assert {(one.subject, one.client) for one in events} == {("tester", "tests")}
    assert (events[4].card_id, events[4].after.user_id) == (found[1].card_id, user)


async def test_what_refuses_a_card(client: Client, people: People) -> None:
    system, user, other = await people.system(), await people.user(), await people.user()
    await import_cards(client, [card(system, 1, user), card(system, 2)])
    lost = (await people.cards(ac_system_id=system))[1]
    mark = card_pb2.MarkCardRequest(card_id=lost.card_id, status=card_pb2.CARD_STATUS_LOST)
    await client.cards.MarkCard(mark, **client.options)
    long = "9" * 65
    rows_and_refusals: list[tuple[ImportedCard, str, str]] = [
        (card("", 5), "INVALID_FIELD", "ac_system_id"),
        (card("x", 5), "INVALID_FIELD", "ac_system_id"),
        (card(new_id(), 5), "AC_SYSTEM_NOT_FOUND", "ac_system_id"),
        (card(system, 5, card_type=0), "INVALID_FIELD", "card_type"),
        (card(system, 5, card_type=-1), "INVALID_FIELD", "card_type"),
        (card(system, 5, card_type=77), "CARD_TYPE_NOT_FOUND", "card_type"),
        (card(system, 0), "INVALID_FIELD", "internal_card_number"),
        (card(system, -1), "INVALID_FIELD", "internal_card_number"),
        (card(system, 2**62), "INVALID_FIELD", "internal_card_number"),
        (card(system, 5, external_card_number=""), "INVALID_FIELD", "external_card_number"),
        (card(system, 5, external_card_number=long), "INVALID_FIELD", "external_card_number"),
        (card(system, 5, external_card_number="a\0"), "INVALID_FIELD", "external_card_number"),
        (card(system, 5, facility_code=1), "INVALID_FIELD", "facility_code"),
        (card(system, 5, facility_code=-1), "INVALID_FIELD", "facility_code"),
        (card(system, 5, card_type=ABA_FACILITY_ISSUE, facility_code=1), "INVALID_FIELD", "issue_code"),
        (card(system, 5, card_type=SERIAL), "INVALID_FIELD", "card_serial_number"),
        (card(system, 5, "nobody"), "INVALID_FIELD", "user_id"),
        (card(system, 5, new_id()), "USER_NOT_FOUND", "user_id"),
        (card(system, 1, user, external_card_number="other"), "CARD_EXISTS", "external_card_number"),
        (card(system, 1, other), "CARD_HELD", "user_id"),
        (card(system, 1), "CARD_HELD", "user_id"),
        (card(system, 2, user), "CARD_LOST_OR_STOLEN", ""),
    ]
    before = await people.cards(ac_system_id=system)
    rows = [row for row, _, _ in rows_and_refusals]
    (answer,) = await import_cards(client, [*rows, card(system, 6, user)])
    assert refusals(answer) == [
        (number, reason, field) for number, (_, reason, field) in enumerate(rows_and_refusals)
    ]
    assert (answer.created, answer.unchanged) == (1, 0)
    assert (await people.cards(ac_system_id=system))[:-1] == before


async def test_take_over(client: Client, people: People, where: Where) -> None:
    system, user, other = await people.system(), await people.user(), await people.user()
    held = [card(system, number, user) for number in range(1, 4)]
    await import_cards(client, held)
    rows = [
        card(system, 9, other),
        card(system, 1, other),
        card(system, 2, user),
        card(system, 3),
        card(system, 1, user),
    ]
    (answer,) = await import_cards(client, rows, take_over=True)
    assert (answer.created, answer.unchanged) == (3, 1)
    assert refusals(answer) == [(3, "CARD_HELD", "user_id")]
    kinds = look(where, "SELECT kind FROM user_card_event ORDER BY sequence")
    assert [kind for (kind,) in kinds] == ["ASSIGNED"] * 4 + ["REPLACED"] * 2
    assert look(where, "SELECT count(*) FROM user_card WHERE end_time IS NULL") == [(4,)]


async def test_a_dry_run_keeps_nothing(client: Client, people: People) -> None:
    system, user = await people.system(), await people.user()
    rows = [card(system, 1, user), card(system, 1, user), card(system, 2, new_id())]
    (answer,) = await import_cards(client, rows, validate_only=True)
    assert (answer.created, answer.unchanged) == (1, 1)
    assert refusals(answer) == [(2, "USER_NOT_FOUND", "user_id")]
    assert await people.cards(ac_system_id=system) == []
    gone = new_id()
    (answer,) = await import_users(client, [user_pb2.User(user_id=gone, name="x")], validate_only=True)
    assert answer.created == 1
    with pytest.raises(aio.AioRpcError):
        await client.users.GetUser(user_pb2.GetUserRequest(user_id=gone), **client.options)


async def test_one_answer_a_batch_before_the_next_is_sent(client: Client, people: People) -> None:
    call = client.bulk_import.ImportUsers(**client.options)
    for _ in range(3):
        await call.write(ImportUsersRequest(users=[user_pb2.User(name="x")]))
        answer = await call.read()
        assert answer.report.created == 1
    await call.done_writing()
    assert await call.read() is aio.EOF


async def test_bounds_of_a_stream(client: Client, people: People) -> None:
    system = await people.system()
    service, options = client.bulk_import, client.options
    many_users = ImportUsersRequest(users=[user_pb2.User(name="x")] * 2001)
    many_cards = ImportCardsRequest(cards=[card(system, 1)] * 2001)
    cases = [
        (service.ImportUsers(iter([many_users]), **options), "users"),
        (service.ImportCards(iter([many_cards]), **options), "cards"),
        (
            service.ImportUsers(
                iter([ImportUsersRequest(), ImportUsersRequest(validate_only=True)]), **options
            ),
            "validate_only",
        ),
        (
            service.ImportCards(
                iter([ImportCardsRequest(validate_only=True), ImportCardsRequest()]), **options
            ),
            "validate_only",
        ),
        (
            service.ImportCards(iter([ImportCardsRequest(), ImportCardsRequest(take_over=True)]), **options),
            "take_over",
        ),
    ]
    for call, field in cases:
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert refusal.metadata["field"] == field


async def test_what_was_answered_stays(client: Client, people: People) -> None:
    system = await people.system()
    call = client.bulk_import.ImportCards(**client.options)
    await call.write(ImportCardsRequest(cards=[card(system, 1)]))
    assert (await call.read()).report.created == 1
    call.cancel()
    assert len(await people.cards(ac_system_id=system)) == 1


async def test_a_token_is_needed(client: Client, people: People) -> None:
    refusal = await refusal_of(client.bulk_import.ImportUsers(iter([ImportUsersRequest()]), timeout=30))
    assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_ends_with_the_server(client: Client, people: People, server: Server) -> None:
    call = client.bulk_import.ImportUsers(**client.options)
    await call.write(ImportUsersRequest())
    await call.read()
    await server.stop()
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

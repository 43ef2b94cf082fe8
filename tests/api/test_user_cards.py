"""ReplaceCardIfExists over gRPC, field by field (the REST page api/v1/Users/{id}/UserCards/ReplaceCardIfExists)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc import aio

from swipegate.service.sealing import Sealer
from swipegate.settings import Settings
from swipegate.v1 import card_pb2, user_card_pb2
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ResultCode
from tests.conftest import Client
from tests.databases import Where, both, look, somebody_writes
from tests.people import (
    ABA,
    ABA_FACILITY_ISSUE,
    SERIAL,
    WIEGAND_26,
    WIEGAND_37,
    People,
    Refusal,
    new_id,
    refused,
)

STATUS = grpc.StatusCode
pytestmark = both


def assert_refused(
    refusal: Refusal, code: grpc.StatusCode, reason: str, result_code: int, **metadata: str
) -> None:
    """The code, the reason, the result code, and everything variable."""
    assert (refusal.code, refusal.reason) == (code, reason)
    assert refusal.metadata == {"result_code": str(result_code), **metadata}
    assert ResultCode.Name(result_code) == f"RESULT_CODE_{reason}"
    for value in metadata.values():
        assert value in refusal.message


def assert_invalid(refusal: Refusal, field: str, detail: str = "") -> None:
    """INVALID_FIELD that names the field in ErrorInfo and in BadRequest."""
    assert_refused(
        refusal,
        STATUS.INVALID_ARGUMENT,
        "INVALID_FIELD",
        user_card_pb2.RESULT_CODE_INVALID_FIELD,
        field=field,
        detail=refusal.metadata["detail"],
    )
    assert detail in refusal.metadata["detail"]
    (violation,) = refusal.detail(error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == (field, refusal.metadata["detail"])


async def test_a_new_card_is_created_and_assigned(people: People, where: Where) -> None:
    system, user = await people.system(), await people.user()
    answer = await people.replace(
        id=user.upper(),
        user_id=user,
        card_type=ABA_FACILITY_ISSUE,
        card_ac_system_id=system.upper(),
        internal_card_number=31337,
        external_card_number="00031337",
        facility_code=44,
        issue_code=3,
    )
    assert not answer.HasField("previous_user_id")
    assert answer.current_user_id == user
    assert (answer.card_type, answer.facility_code, answer.internal_card_number) == (6, 44, 31337)
    assert answer.external_card_number == "00031337"
    (card,) = await people.cards(user_id=user)
    assert (card.user_id, card.user_card_id, card.ac_system_id) == (user, answer.value, system)
    assert (card.issue_code, card.status) == (3, card_pb2.CARD_STATUS_GOOD)
    assert not card.HasField("card_serial_number")
    audit = look(where, "SELECT subject, client, kind, before, after FROM user_card_event")
    ((subject, client, kind, before, after),) = audit
    assert (subject, client, kind, before) == ("tester", "tests", "ASSIGNED", None)
    assert (json.loads(after)["user_card_id"], json.loads(after)["user_id"]) == (answer.value, user)


async def test_a_card_with_serial_number(people: People) -> None:
    user = await people.user()
    card = await people.card(user, card_type=SERIAL, card_serial_number=2**63 - 1)
    assert card.card_serial_number == 2**63 - 1
    assert not card.HasField("facility_code")


async def test_a_held_card_is_taken_from_its_holder(people: People, where: Where) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    answer = await people.replace(user_id=second, card_id=card.card_id.upper())
    assert (answer.previous_user_id, answer.current_user_id) == (first, second)
    assert answer.value != card.user_card_id
    assert "taken" in answer.description
    found = look(where, "SELECT user_card_id, user_id, end_time IS NULL FROM user_card ORDER BY row_id")
    assert found == [(card.user_card_id, first, 0), (answer.value, second, 1)]
    ((kind, before, after),) = look(
        where, "SELECT kind, before, after FROM user_card_event WHERE sequence = :n", n=answer.sequence
    )
    assert kind == "REPLACED"
    assert (json.loads(before)["user_card_id"], json.loads(before)["user_id"]) == (card.user_card_id, first)
    assert (json.loads(after)["user_card_id"], json.loads(after)["user_id"]) == (answer.value, second)


async def test_a_card_is_found_by_its_number(people: People) -> None:
    first, second = await people.user(), await people.user()
    system = await people.system()
    fields = people.named(system, card_type=WIEGAND_26, facility_code=0)
    given = await people.replace(user_id=first, **fields)
    taken = await people.replace(user_id=second, **fields)
    assert taken.previous_user_id == first
    assert taken.value != given.value
    assert len(await people.cards(ac_system_id=system)) == 1


async def test_the_same_number_with_another_facility_code_is_another_card(people: People) -> None:
    user, system = await people.user(), await people.system()
    fields = people.named(system, card_type=WIEGAND_26)
    await people.replace(user_id=user, **fields, facility_code=0)
    other = await people.replace(user_id=user, **fields, facility_code=255)
    assert not other.HasField("previous_user_id")
    assert len(await people.cards(ac_system_id=system)) == 2


async def test_the_same_holder_again_changes_only_what_is_given(people: People, where: Where) -> None:
    user = await people.user()
    card = await people.card(user)
    query = """SELECT user_card_id, end_time, activation_time, deactivation_time, card_user_flags, sealed_pin
        FROM user_card"""
    ((_, _, activation, deactivation, flags, pin),) = look(where, query)
    assert (activation, deactivation, flags, pin) == (None, None, 0, None)
    amended = await people.replace(
        user_id=user,
        card_id=card.card_id,
        card_user_flags=127,
        card_activation_start_date_time=Timestamp(seconds=5),
    )
    again = await people.replace(user_id=user, card_id=card.card_id, pin="1")
    for answer in (amended, again):
        assert (answer.previous_user_id, answer.current_user_id) == (user, user)
        assert answer.value == card.user_card_id
        assert "already" in answer.description
    ((_, end, activation, deactivation, flags, pin),) = look(where, query)
    assert (end, activation, deactivation, flags) == (None, 5_000_000, None, 127)
    assert pin is not None
    zeroed = await people.replace(user_id=user, card_id=card.card_id, card_user_flags=0)
    assert zeroed.value == card.user_card_id
    assert look(where, "SELECT card_user_flags, sealed_pin FROM user_card") == [(0, pin)]
    assert len(look(where, "SELECT 1 FROM user_card_event")) == 4


async def test_the_times_and_flags_are_kept(people: People, where: Where) -> None:
    user = await people.user()
    await people.card(
        user,
        card_activation_start_date_time=Timestamp(seconds=0, nanos=1_999),
        card_deactivation_start_date_time=Timestamp(seconds=253_402_300_799, nanos=999_999_999),
        card_user_flags=65,
    )
    assert look(where, "SELECT activation_time, deactivation_time, card_user_flags FROM user_card") == [
        (1, 253_402_300_799_999_999, 65)
    ]


NEEDED = ("card_type", "card_ac_system_id", "internal_card_number", "external_card_number")


@pytest.mark.parametrize("field", NEEDED)
async def test_a_card_named_by_number_needs_all_of(people: People, field: str) -> None:
    fields = people.named(new_id())
    del fields[field]
    assert_invalid(await people.refusal(user_id=new_id(), **fields), field, "required")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x"}, "user_id"),
        ({"user_id": "0x23456789012345678901234567890123"}, "user_id"),
        ({"user_id": "1234567890123456789012345678901_"}, "user_id"),
        ({"user_id": "{12345678-1234-1234-1234-123456789012}"}, "user_id"),
        ({"user_id": "\u0661" * 32}, "user_id"),
        ({"user_id": "1" * 100_000}, "user_id"),
        ({"id": "x"}, "id"),
        ({"id": "12345678-1234-1234-1234-123456789012"}, "id"),
        ({"card_id": ""}, "card_id"),
        ({"card_id": "nonsense"}, "card_id"),
        ({"card_ac_system_id": ""}, "card_ac_system_id"),
        ({"internal_card_number": -1}, "internal_card_number"),
        ({"internal_card_number": 34_359_738_368}, "internal_card_number"),
        ({"internal_card_number": 2**63 - 1}, "internal_card_number"),
        ({"external_card_number": ""}, "external_card_number"),
        ({"external_card_number": "x" * 65}, "external_card_number"),
        ({"external_card_number": "a\nb"}, "external_card_number"),
        ({"external_card_number": "a\0b"}, "external_card_number"),
        ({"card_serial_number": -1}, "card_serial_number"),
        ({"facility_code": -1}, "facility_code"),
        ({"issue_code": -(2**63)}, "issue_code"),
        ({"pin": ""}, "pin"),
        ({"pin": "12a4"}, "pin"),
        ({"pin": "1234\n"}, "pin"),
        ({"pin": "\u0661\u0662"}, "pin"),
        ({"pin": "1" * 17}, "pin"),
        ({"card_user_flags": 128}, "card_user_flags"),
        ({"card_user_flags": 2**32 - 1}, "card_user_flags"),
        ({"card_activation_start_date_time": Timestamp(seconds=-1)}, "card_activation_start_date_time"),
        ({"card_activation_start_date_time": Timestamp(nanos=-1)}, "card_activation_start_date_time"),
        (
            {"card_activation_start_date_time": Timestamp(nanos=1_000_000_000)},
            "card_activation_start_date_time",
        ),
        (
            {"card_deactivation_start_date_time": Timestamp(seconds=253_402_300_800)},
            "card_deactivation_start_date_time",
        ),
        (
            {
                "card_activation_start_date_time": Timestamp(seconds=7),
                "card_deactivation_start_date_time": Timestamp(seconds=7),
            },
            "card_deactivation_start_date_time",
        ),
        ({"request_id": "x" * 65}, "request_id"),
        ({"request_id": "a\tb"}, "request_id"),
    ],
)
async def test_a_field_out_of_bounds_is_named(people: People, fields: dict[str, Any], field: str) -> None:
    system, user = await people.system(), await people.user()
    given = {"user_id": user, **people.named(system), **fields}
    refusal = await people.refusal(**given)
    assert_invalid(refusal, field)
    assert await people.cards() == []
    if field == "pin" and fields["pin"]:
        assert fields["pin"] not in refusal.message


@pytest.mark.parametrize(
    ("card_type", "fields", "field", "detail"),
    [
        (WIEGAND_26, {}, "facility_code", "required"),
        (WIEGAND_26, {"facility_code": 256}, "facility_code", "at most 255"),
        (
            WIEGAND_26,
            {"facility_code": 1, "internal_card_number": 65_536},
            "internal_card_number",
            "at most 65535",
        ),
        (WIEGAND_26, {"facility_code": 1, "issue_code": 0}, "issue_code", "does not support"),
        (WIEGAND_26, {"facility_code": 1, "card_serial_number": 0}, "card_serial_number", "does not support"),
        (WIEGAND_37, {"facility_code": 0}, "facility_code", "does not support"),
        (SERIAL, {}, "card_serial_number", "required"),
        (ABA, {"issue_code": 1}, "issue_code", "does not support"),
        (ABA_FACILITY_ISSUE, {"facility_code": 1}, "issue_code", "required"),
        (ABA_FACILITY_ISSUE, {"facility_code": 1, "issue_code": 10}, "issue_code", "at most 9"),
        (ABA_FACILITY_ISSUE, {"facility_code": 10_000, "issue_code": 1}, "facility_code", "at most 9999"),
    ],
)
async def test_a_new_card_has_the_fields_of_its_type(
    people: People, card_type: int, fields: dict[str, int], field: str, detail: str
) -> None:
    system, user = await people.system(), await people.user()
    refusal = await people.refusal(user_id=user, **people.named(system, card_type=card_type, **fields))
    assert_invalid(refusal, field, detail)
    assert await people.cards() == []


async def test_an_unknown_user(people: People) -> None:
    nobody = new_id()
    refusal = await people.refusal(user_id=nobody, **people.named(await people.system()))
    assert_refused(refusal, STATUS.NOT_FOUND, "USER_NOT_FOUND", 2, user_id=nobody)
    assert await people.cards() == []  # the card that it would have created is gone again


async def test_an_unknown_card(people: People) -> None:
    card = new_id()
    refusal = await people.refusal(user_id=await people.user(), card_id=card)
    assert_refused(refusal, STATUS.NOT_FOUND, "CARD_NOT_FOUND", 3, card_id=card)


async def test_an_unknown_system(people: People) -> None:
    system = new_id()
    refusal = await people.refusal(user_id=await people.user(), **people.named(system))
    assert_refused(refusal, STATUS.NOT_FOUND, "AC_SYSTEM_NOT_FOUND", 4, ac_system_id=system)
    refusal = await people.refusal(
        user_id=await people.user(), **people.named(system, internal_card_number=0)
    )
    assert_refused(refusal, STATUS.NOT_FOUND, "AC_SYSTEM_NOT_FOUND", 4, ac_system_id=system)


@pytest.mark.parametrize("card_type", [0, 8, -1, 2**31 - 1])
async def test_an_unknown_card_type(people: People, card_type: int) -> None:
    fields = people.named(await people.system(), card_type=card_type)
    refusal = await people.refusal(user_id=await people.user(), **fields)
    assert_refused(refusal, STATUS.NOT_FOUND, "CARD_TYPE_NOT_FOUND", 5, card_type=str(card_type))


@pytest.mark.parametrize("status", ["LOST", "STOLEN"])
async def test_a_lost_or_stolen_card_stays_where_it_is(people: People, client: Client, status: str) -> None:
    holder = await people.user()
    card = await people.card(holder)
    mark = card_pb2.MarkCardRequest(card_id=card.card_id, status=f"CARD_STATUS_{status}")
    await client.cards.MarkCard(mark, **client.options)
    refusal = await people.refusal(user_id=await people.user(), card_id=card.card_id)
    assert_refused(
        refusal, STATUS.FAILED_PRECONDITION, "CARD_LOST_OR_STOLEN", 6, card_id=card.card_id, status=status
    )
    (violation,) = refusal.detail(error_details_pb2.PreconditionFailure).violations
    assert (violation.type, violation.description) == ("CARD_LOST_OR_STOLEN", refusal.message)
    (now,) = await people.cards()
    assert (now.user_id, now.status) == (holder, card_pb2.CardStatus.Value(f"CARD_STATUS_{status}"))


async def test_occupancy_is_enforced_when_asked(people: People) -> None:
    mine, other = await people.system(), await people.system()
    inside, outside, nowhere = await people.user(mine), await people.user(other), await people.user()
    card = await people.card(inside, card_ac_system_id=mine, enforce_occupancy_system=True)
    for user, occupancy in ((outside, other), (nowhere, "none")):
        refusal = await people.refusal(user_id=user, card_id=card.card_id, enforce_occupancy_system=True)
        assert_refused(
            refusal,
            STATUS.FAILED_PRECONDITION,
            "OCCUPANCY_SYSTEM_MISMATCH",
            7,
            card_ac_system_id=mine,
            occupancy=occupancy,
        )
        (violation,) = refusal.detail(error_details_pb2.PreconditionFailure).violations
        assert violation.type == "OCCUPANCY_SYSTEM_MISMATCH"
    assert (await people.cards())[0].user_id == inside
    await people.replace(user_id=outside, card_id=card.card_id, enforce_occupancy_system=False)
    await people.replace(user_id=nowhere, card_id=card.card_id)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("card_type", WIEGAND_26),
        ("card_ac_system_id", "11111111-1111-1111-1111-111111111111"),
        ("internal_card_number", 999),
        ("external_card_number", "other"),
        ("card_serial_number", 1),
        ("facility_code", 45),
        ("issue_code", 4),
    ],
)
async def test_a_card_that_differs_from_a_given_field_is_refused(
    people: People, field: str, other: Any
) -> None:
    user, system = await people.user(), await people.system()
    same = people.named(system, card_type=ABA_FACILITY_ISSUE, facility_code=44, issue_code=3)
    card = await people.card(user, **same)
    refusal = await people.refusal(user_id=user, card_id=card.card_id, **(same | {field: other}))
    assert_refused(refusal, STATUS.FAILED_PRECONDITION, "CARD_MISMATCH", 8, field=field, card_id=card.card_id)
    (violation,) = refusal.detail(error_details_pb2.PreconditionFailure).violations
    assert violation.type == "CARD_MISMATCH"
    assert (await people.replace(user_id=user, card_id=card.card_id, **same)).value == card.user_card_id


@pytest.mark.parametrize("field", ["external_card_number", "issue_code"])
async def test_a_card_found_by_number_must_be_the_same_too(people: People, field: str) -> None:
    user, system = await people.user(), await people.system()
    same = people.named(system, card_type=ABA_FACILITY_ISSUE, facility_code=44, issue_code=3)
    card = await people.card(user, **same)
    other = same | {field: "7" if field == "external_card_number" else 7}
    refusal = await people.refusal(user_id=user, **other)
    assert_refused(refusal, STATUS.FAILED_PRECONDITION, "CARD_MISMATCH", 8, field=field, card_id=card.card_id)
    del same["issue_code"]  # needed for a new card alone
    assert (await people.replace(user_id=user, **same)).value == card.user_card_id


async def test_number_zero_takes_the_next_free_one(people: People) -> None:
    user, system = await people.user(), await people.system()

    async def next_number(**fields: Any) -> int:
        fields = people.named(system, card_type=WIEGAND_26, facility_code=1, internal_card_number=0) | fields
        return (await people.replace(user_id=user, **fields)).internal_card_number

    assert await next_number() == 1
    assert await next_number(internal_card_number=7) == 7
    assert await next_number() == 8
    assert await next_number(facility_code=2) == 1  # numbers are free by facility code
    assert await next_number(internal_card_number=65_535) == 65_535
    assert [await next_number() for _ in range(6)] == [2, 3, 4, 5, 6, 9]  # past the largest: the gaps


async def test_no_free_number_is_left(people: People, where: Where) -> None:
    user, system = await people.user(), await people.system()
    look(
        where,
        """INSERT INTO card_type
            SELECT 99, 'tiny', 2, NULL, NULL, has_serial_number FROM card_type WHERE card_type = 1""",
    )
    fields = people.named(system, card_type=99, internal_card_number=0)
    assert [(await people.replace(user_id=user, **fields)).internal_card_number for _ in range(2)] == [1, 2]
    refusal = await people.refusal(user_id=user, **fields)
    assert_refused(
        refusal, STATUS.RESOURCE_EXHAUSTED, "NO_FREE_CARD_NUMBER", 9, card_type="99", ac_system_id=system
    )
    assert refusal.details == []  # another time would not help, so no RetryInfo
    assert len(await people.cards()) == 2


async def test_number_zero_with_a_card_id_is_no_mismatch(people: People) -> None:
    user = await people.user()
    card = await people.card(user)
    assert (
        await people.replace(user_id=user, card_id=card.card_id, internal_card_number=0)
    ).value == card.user_card_id


async def test_a_repeat_replays_the_answer(people: People, where: Where) -> None:
    first, second, third = await people.user(), await people.user(), await people.user()
    card = await people.card(first)
    call = {"user_id": second, "card_id": card.card_id, "request_id": "r" * 64, "pin": "0042"}
    answer = await people.replace(**call)
    await people.replace(user_id=third, card_id=card.card_id)
    before = look(where, "SELECT * FROM user_card")
    assert await people.replace(**call) == answer
    assert answer.previous_user_id == first
    assert look(where, "SELECT * FROM user_card") == before
    assert (await people.cards())[0].user_id == third


@pytest.mark.parametrize("change", [{"pin": "0043"}, {"card_user_flags": 0}, {"id": "same"}])
async def test_a_repeat_with_another_body_is_refused(people: People, change: dict[str, Any]) -> None:
    user = await people.user()
    card = await people.card(user)
    call = {"user_id": user, "card_id": card.card_id, "request_id": "once", "pin": "0042"}
    await people.replace(**call)
    if "id" in change:
        change = {"id": user}
    refusal = await people.refusal(**(call | change))
    assert_refused(refusal, STATUS.INVALID_ARGUMENT, "REQUEST_ID_REUSED", 10, request_id="once")
    assert "0042" not in refusal.message
    assert "0043" not in refusal.message


async def test_a_refused_call_is_not_remembered(people: People) -> None:
    system = await people.system()
    fields = people.named(system)
    missing = new_id()
    assert (await people.refusal(user_id=missing, request_id="again", **fields)).reason == "USER_NOT_FOUND"
    answer = await people.replace(user_id=await people.user(), request_id="again", **fields)
    assert not answer.HasField("previous_user_id")


async def test_a_request_id_belongs_to_its_caller(
    people: People, server: Any, bearer: Callable[..., Any]
) -> None:
    user, other = await people.user(), await people.user()
    card = await people.card(user)
    await people.replace(user_id=other, card_id=card.card_id, request_id="mine")
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stranger = People(Client(channel, bearer(subject="somebody else")))
        answer = await stranger.replace(user_id=user, card_id=card.card_id, request_id="mine")
        assert answer.previous_user_id == other


PIN = "8305719246031857"


async def test_the_pin_is_sealed_at_rest_and_in_no_answer(
    people: People, settings: Settings, where: Where, caplog: pytest.LogCaptureFixture
) -> None:
    user, other = await people.user(), await people.user()
    card = await people.card(user, pin=PIN)
    taken = await people.replace(user_id=other, card_id=card.card_id, pin=PIN, request_id="with a PIN")
    again = await people.replace(user_id=other, card_id=card.card_id, pin=PIN)
    assert PIN not in str((card, taken, again))
    key = (settings.data_dir / "sealing.key").read_bytes()
    found = look(where, "SELECT user_card_id, sealed_pin FROM user_card")
    assert [Sealer(key).unseal(sealed, f"pin:{which}") for which, sealed in found] == [PIN.encode()] * 2
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    if isinstance(where, Path):
        assert {"swipegate.db", "swipegate.db-wal"} <= {path.name for path in files}
    for path in files:
        assert PIN.encode() not in path.read_bytes(), path
    assert PIN not in caplog.text


async def test_a_pin_that_breaks_its_rule_is_not_repeated(
    people: People, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = await people.refusal(user_id=new_id(), card_id=new_id(), pin=PIN + "7")
    assert_invalid(refusal, "pin")
    assert PIN not in str(refusal)
    assert PIN not in caplog.text


async def test_every_field_of_the_contract_is_used(people: People) -> None:
    """A field added to the request must be looked at here and in the domain."""
    assert {field.name for field in ReplaceCardIfExistsRequest.DESCRIPTOR.fields} == {
        "id",
        "user_id",
        "card_id",
        *NEEDED,
        "card_serial_number",
        "facility_code",
        "issue_code",
        "pin",
        "enforce_occupancy_system",
        "card_activation_start_date_time",
        "card_deactivation_start_date_time",
        "card_user_flags",
        "request_id",
        "expected_holder",
        "validate_only",
    }


async def test_a_body_that_is_no_message(
    client: Client, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    call = client.channel.unary_unary("/swipegate.v1.UserCardService/ReplaceCardIfExists")
    refusal = await refused(call(b"\xff" + PIN.encode(), **client.options))
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")
    assert PIN not in caplog.text + refusal.message


async def test_a_deadline_that_passes_leaves_a_call_to_repeat(people: People, where: Where) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    request = ReplaceCardIfExistsRequest(user_id=second, card_id=card.card_id, request_id="late")
    with somebody_writes(where):
        options = people.client.options | {"timeout": 0.3}
        with pytest.raises(aio.AioRpcError) as caught:
            await people.client.user_cards.ReplaceCardIfExists(request, **options)
        assert caught.value.code() is STATUS.DEADLINE_EXCEEDED
    again = await people.client.user_cards.ReplaceCardIfExists(request, **people.client.options)
    assert (again.previous_user_id, again.current_user_id) == (first, second)
    assert len(look(where, "SELECT 1 FROM user_card")) == 2

"""docs/assignment.md: its tables are those of the protos and the domain, its order is the code's, its client works."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swipegate.api.server import Server
from swipegate.api.status import CODES
from swipegate.domain.errors import TABLE
from swipegate.settings import Settings
from swipegate.store.schema import CARD_TYPES
from swipegate.v1 import user_card_pb2 as pb
from swipegate.v1.error_pb2 import ErrorReason
from tests.api.user_card_calls import ACTIVATION, DEACTIVATION, GOOD, LOST, Calls, at
from tests.databases import Where, look
from tests.people import WIEGAND_26, People, new_id

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "assignment.md"
PROTO = ROOT / "protos" / "swipegate" / "v1" / "user_card.proto"
ENTRY = re.compile(r"((?:  //.*\n)+)  (?:optional )?(?:[\w.]+ )?(\w+) = \d+")
WAIT = 30.0
"""Seconds that anything may take."""

TO_DO = {
    "SUCCESS": "",
    "INVALID_FIELD": "correct the field that the metadata names",
    "USER_NOT_FOUND": "create the user first, or correct `user_id`",
    "CARD_NOT_FOUND": "correct `card_id`, or name the card by its number",
    "AC_SYSTEM_NOT_FOUND": "take one of `ListAcSystems`",
    "CARD_TYPE_NOT_FOUND": "take one of `ListCardTypes`",
    "CARD_LOST_OR_STOLEN": "give another card; `MarkCard` when it was found",
    "OCCUPANCY_SYSTEM_MISMATCH": "give a card of the user's system, or do not enforce it",
    "CARD_MISMATCH": "leave the field out, or correct it: another card was meant",
    "NO_FREE_CARD_NUMBER": "take another type or facility code, or widen the type",
    "REQUEST_ID_REUSED": "take a new `request_id` for a new call",
    "HOLDER_CHANGED": "look again who holds it, and ask again",
    "AUTOMATIC_NUMBERS_OFF": "give `internal_card_number`",
    "OVERLOADED": "repeat with the same `request_id`, a second or more later",
    "DATABASE_UNAVAILABLE": "repeat with the same `request_id`",
}


def explained(block: str) -> Iterator[tuple[str, str]]:
    """Names of the fields or values in a block of the proto, with their comments."""
    text = PROTO.read_text()
    body = text[text.index(f"{block} {{") : text.index("\n}", text.index(f"{block} {{"))]
    for comment, name in ENTRY.findall(body):
        lines = [line.removeprefix("  // ") for line in comment.splitlines() if "buf:lint" not in line]
        yield name, " ".join(lines)


def table(*rows: list[str]) -> str:
    """Rows as Markdown, the first the heads."""
    heads, *rest = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ["---"] * len(heads), *rest))


def fields() -> str:
    """The fields of the request."""
    rows = [[f"`{name}`", text] for name, text in explained("message ReplaceCardIfExistsRequest")]
    assert len(rows) == len(pb.ReplaceCardIfExistsRequest.DESCRIPTOR.fields)
    return table(["field", "meaning"], *rows)


def types() -> str:
    """What each card type asks for."""

    def asked(largest: int | None) -> str:
        return "refused" if largest is None else f"required, 0 to {largest:,}"

    heads = ["type", "name", "number up to", "`facility_code`", "`issue_code`", "`card_serial_number`"]
    rows = [
        [
            str(number),
            name,
            f"{largest:,}",
            asked(facility),
            asked(issue),
            "required" if serial else "refused",
        ]
        for number, name, largest, facility, issue, serial in CARD_TYPES
    ]
    return table(heads, *rows)


def codes() -> str:
    """The result codes."""
    rows = []
    for value, cause in explained("enum ResultCode"):
        name = value.removeprefix("RESULT_CODE_")
        status = "OK"
        if name != "SUCCESS":
            status = CODES[TABLE[ErrorReason.Value(f"ERROR_REASON_{name}")].kind].name
        cause = cause.partition(" (The zero")[0]
        rows.append([str(pb.ResultCode.Value(value)), f"`{name}`", f"`{status}`", cause, TO_DO[name]])
    assert [row[0] for row in rows] == [str(number) for number in range(len(TO_DO))]
    return table(["number", "name", "gRPC status", "cause", "what to do"], *rows)


PARTS = {"fields": fields, "types": types, "codes": codes}


def part(name: str) -> str:
    """What the page has between two marks."""
    return PAGE.read_text().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def test_the_tables_are_those_of_the_protos_and_the_domain() -> None:
    """`python -m tests.api.test_assignment_page` writes them."""
    for name, written in PARTS.items():
        assert part(name) == written(), name


async def test_the_order_of_checks_is_the_codes(people: People, where: Where) -> None:
    """A call with every fault, and one fault less each time."""
    calls = Calls(people.client)
    user, system = await people.user(), await people.system()
    look(
        where,
        """INSERT INTO card_type SELECT 99, 'tiny', 1, 1, NULL, has_serial_number FROM card_type
            WHERE card_type = 1""",
    )
    tiny = people.named(system, card_type=99, facility_code=1)
    held = await people.replace(user_id=user, request_id="used", **(tiny | {"internal_card_number": 1}))
    look(where, "UPDATE ac_system SET gives_card_numbers = :no", no=False)
    numberless = {**people.named(new_id(), card_type=77), "internal_card_number": 0}
    call: dict[str, Any] = {"user_id": new_id(), "pin": "x", "request_id": "used", **numberless}
    order = []

    async def refused_for(**less: Any) -> None:
        call.update(less)
        given = {name: value for name, value in call.items() if value is not None}
        order.append((await people.refusal(**given)).reason)

    await refused_for()
    await refused_for(pin=None)
    # a card by its id, of which the marks come later
    by_number = {name: call[name] for name in numberless}
    await refused_for(request_id=None, card_id=new_id(), **dict.fromkeys(numberless))
    await refused_for(card_id=held.card_id, card_type=WIEGAND_26)
    call["card_id"] = None
    await refused_for(**by_number)
    await refused_for(card_type=99)
    await refused_for(facility_code=1)
    await refused_for(card_ac_system_id=system)
    look(where, "UPDATE ac_system SET gives_card_numbers = :yes", yes=True)
    await refused_for()
    await calls.mark(held.card_id, LOST)
    call.update(dict.fromkeys((*numberless, "facility_code")))
    call.update({"expected_holder": "", "enforce_occupancy_system": True})
    window = {ACTIVATION: at(5), DEACTIVATION: None}
    await calls.update(held.value, DEACTIVATION, **{DEACTIVATION: at(5)})
    await refused_for(card_id=held.card_id, **window)
    target = await people.user()
    await refused_for(user_id=target)
    await calls.mark(held.card_id, GOOD)
    await refused_for()
    await refused_for(enforce_occupancy_system=None)
    call["user_id"] = user
    await refused_for(expected_holder=user)
    assert order == re.findall(r"`([A-Z_]{6,})`", part("order"))


async def test_the_client_sees_each_change_once_though_the_server_restarts(
    people: People, server: Server, settings: Settings, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 26
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    token = people.client.metadata[0][1].removeprefix("Bearer ")
    address, place = f"127.0.0.1:{server.port}", tmp_path / "place"
    handed: asyncio.Queue[pb.UserCardEvent] = asyncio.Queue()

    async def next_holder() -> str:
        return (await asyncio.wait_for(handed.get(), WAIT)).after.user_id

    @contextlib.asynccontextmanager
    async def following() -> Any:
        task = asyncio.create_task(names["follow"](address, token, place, handed.put_nowait))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    users = [await people.user() for _ in range(2)]
    card = await people.card(users[0])
    async with following():
        assert await next_holder() == users[0]
    await people.replace(user_id=users[1], card_id=card.card_id)
    async with following():  # another process, later
        assert await next_holder() == users[1]
        await server.stop()
        again = Server(settings.model_copy(update={"listen": address}))
        await again.start()
        last = await people.replace(user_id=users[0], card_id=card.card_id)
        assert await next_holder() == users[0]
        await again.stop()
    assert handed.empty()
    assert place.read_text() == str(last.sequence)


if __name__ == "__main__":
    for name, written in PARTS.items():
        head, rest = PAGE.read_text().split(f"<!-- {name} -->\n")
        tail = rest.split(f"<!-- /{name} -->")[1]
        PAGE.write_text(f"{head}<!-- {name} -->\n{written()}<!-- /{name} -->{tail}")

"""CardFormatService through gRPC, and the formats kept compiled."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from swipegate import core
from swipegate.service import card_formats as service
from swipegate.service.card_formats import CardFormats
from swipegate.store.database import Database
from swipegate.v1 import card_format_pb2 as pb
from tests.api.test_card_requests import refused
from tests.conftest import Client

NUMBER = pb.CardFormatPart(length=8)


async def create(client: Client, **fields: Any) -> pb.CardFormat:
    given = pb.CardFormat(**({"name": "ours", "track": 2, "card_number": NUMBER} | fields))
    request = pb.CreateCardFormatRequest(card_format=given)
    return (await client.card_formats.CreateCardFormat(request, **client.options)).card_format


async def names(client: Client) -> list[str]:
    answer = await client.card_formats.ListCardFormats(pb.ListCardFormatsRequest(), **client.options)
    return [one.name for one in answer.card_formats]


async def test_created_formats_are_listed_by_name_before_the_built_in_ones(client: Client) -> None:
    built_in = await names(client)
    for name in ("b", "a", "c"):
        assert not (await create(client, name=name, built_in=True)).built_in
    assert await names(client) == ["a", "b", "c", *built_in]
    assert built_in == list(core.FORMATS_BY_NAME)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "card_format.name"),
        ({"name": "Ours"}, "card_format.name"),
        ({"name": "a" * 65}, "card_format.name"),
        ({"description": "d" * 257}, "card_format.description"),
        ({"track": 0}, "card_format.track"),
        ({"track": 4}, "card_format.track"),
        ({"card_number": None}, "card_format.card_number"),
        ({"card_number": pb.CardFormatPart(length=2000)}, "card_format.card_number.length"),
        ({"fixed_parts": [pb.CardFormatFixedPart(text="1")] * 9}, "card_format.fixed_parts"),
        ({"fixed_parts": [pb.CardFormatFixedPart(text="1")]}, "card_format.fixed_parts[0].part"),
        ({"min_length": 9, "max_length": 8}, "card_format.max_length"),
        ({"check_digit": 99}, "card_format.check_digit"),
    ],
)
async def test_refusals_name_the_field(client: Client, fields: dict[str, Any], field: str) -> None:
    info = await refused(create(client, **fields), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert info.metadata["field"] == field
    assert "card_formats[" not in info.metadata["detail"]


async def test_missing_format_is_refused(client: Client) -> None:
    call = client.card_formats.CreateCardFormat(pb.CreateCardFormatRequest(), **client.options)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_taken_names(client: Client) -> None:
    await create(client)
    for name in ("ours", "paxton-net2"):
        await refused(create(client, name=name), grpc.StatusCode.ALREADY_EXISTS, "CARD_FORMAT_EXISTS")


async def test_an_installation_has_no_more_formats_than_can_be_tried(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_FORMATS", 3)
    for number in range(3):
        await create(client, name=f"f{number}")
    await refused(create(client), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")


def test_the_bound_is_that_of_the_core() -> None:
    formats = [
        pb.CardFormat(name=f"f{n}", track=2, card_number=NUMBER) for n in range(service.MAX_FORMATS + 1)
    ]
    assert len(core.compile_formats(formats[1:])) == service.MAX_FORMATS
    with pytest.raises(ValueError, match="at most"):
        core.compile_formats(formats)


async def test_set_compiled_while_a_format_is_created_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "swipegate.db")
    database.open()
    formats = CardFormats(database)
    read, created = database.read, asyncio.Event()

    async def slow(unit: Any) -> Any:
        value = await read(unit)
        await created.wait()  # the snapshot is of before the creation, and is used after it
        return value

    monkeypatch.setattr(database, "read", slow)
    compiling = asyncio.create_task(formats.compiled([]))
    await asyncio.sleep(0.05)
    await formats.create(pb.CardFormat(name="ours", track=2, card_number=NUMBER))
    created.set()
    await compiling
    assert (await formats.compiled([])).names == ("ours",)
    await asyncio.to_thread(database.close)

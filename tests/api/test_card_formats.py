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
from swipegate.v1 import track_pb2
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
        ({"check_digit": 2}, "card_format.check_digit"),
        ({"card_number": pb.CardFormatPart(bits={"first": 1, "last": 1})}, "card_format.card_number.bits"),
        ({"conditions": [{"part": {}}]}, "card_format.conditions[0].test"),
        ({"checks": [{"scheme": 2}]}, "card_format.checks[0].weights"),
        ({"word": {"part": {}, "bit_count": 65}}, "card_format.word.bit_count"),
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


SWIPE = track_pb2.Swipe(tracks=[track_pb2.RawTrack(text=b";0012304567?")])


async def tried(client: Client, **fields: Any) -> list[pb.CardFormatVerdict]:
    request = pb.TestCardFormatsRequest(**({"swipe": SWIPE} | fields))
    return list((await client.card_formats.TestCardFormats(request, **client.options)).verdicts)


async def test_every_format_is_tried_unless_some_are_named(client: Client) -> None:
    await create(client, name="ours", card_number=pb.CardFormatPart(length=4))
    every = await tried(client)
    assert [one.name for one in every] == ["ours", *core.FORMATS_BY_NAME]
    assert [one.name for one in every if one.first] == ["ours"]
    named = await tried(client, names=["farpointe-pyramid", "ours"])
    assert [(one.name, one.fits, one.first) for one in named] == [
        ("farpointe-pyramid", True, True),
        ("ours", True, False),
    ]
    drafts = [pb.CardFormat(name="ours", track=2, card_number=NUMBER, min_length=11)]
    (draft, stored) = await tried(client, card_formats=drafts, names=["ours"])
    assert (draft.fits, stored.fits, stored.first) == (False, True, True)
    assert draft.mismatch.reason == pb.CARD_FORMAT_MISMATCH_REASON_LENGTH
    assert draft.mismatch.description == (
        "track 2 has 10 characters between the sentinels, the format wants at least 11"
    )


async def test_no_track_data_comes_back_unasked(client: Client) -> None:
    answer = await tried(client)
    assert not any("04567" in str(one) for one in answer)
    shown = {one.name: one for one in await tried(client, reveal=True)}
    assert shown["farpointe-pyramid"].card_number.card_number == "04567"
    assert shown["wiegand-26"].mismatch.text == "0012304567"
    assert shown["stanley-field"].mismatch.text == ""  # its length is enough, no part was looked at


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"swipe": None}, "swipe.tracks"),
        ({"swipe": {"tracks": [{"number": 4, "text": b"1"}]}}, "swipe.tracks[0].number"),
        ({"card_formats": [{"name": "a"}]}, "card_formats[0].track"),
        ({"card_formats": [{"name": "a", "track": 2, "card_number": {}}] * 2}, "card_formats[1].name"),
        ({"card_formats": [{"name": "a"}] * 33}, "card_formats"),
        ({"names": ["paxton-net2"] * 2}, "names"),
        ({"names": [f"n{n}" for n in range(33)]}, "names"),
    ],
)
async def test_bad_trials_name_the_field(client: Client, fields: dict[str, Any], field: str) -> None:
    info = await refused(tried(client, **fields), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert info.metadata["field"] == field


async def test_trial_of_an_unknown_format(client: Client) -> None:
    await refused(tried(client, names=["nope"]), grpc.StatusCode.NOT_FOUND, "CARD_FORMAT_NOT_FOUND")


async def suggested(client: Client, *samples: Any) -> pb.SuggestCardFormatsResponse:
    request = pb.SuggestCardFormatsRequest(samples=samples)
    return await client.card_formats.SuggestCardFormats(request, **client.options)


def sample(text: str, number: str, facility: str = "") -> pb.CardFormatSample:
    swipe = track_pb2.Swipe(tracks=[track_pb2.RawTrack(text=text.encode())])
    return pb.CardFormatSample(swipe=swipe, card_number=number, facility_code=facility)


async def test_a_suggestion_can_be_stored_and_decodes(client: Client) -> None:
    answer = await suggested(
        client,
        sample(";0012304567?", "4567", "123"),
        sample(";0012300089?", "89", "123"),
        sample(";0012401230?", "1230", "124"),
    )
    assert answer.distinct_numbers == 3
    proposed = answer.suggestions[0].card_format
    proposed.name = "campus"
    stored = await create(client, **{field.name: value for field, value in proposed.ListFields()})
    assert stored == proposed
    decoded = await client.tracks.DecodeSwipe(track_pb2.DecodeSwipeRequest(swipe=SWIPE), **client.options)
    number = decoded.swipe.card_number
    assert (number.card_format, number.card_number, number.facility_code) == ("campus", "4567", "123")


@pytest.mark.parametrize(
    ("samples", "field"),
    [
        ([], "samples"),
        ([sample(";1?", "1")] * 65, "samples"),
        ([sample(";1?", "1"), sample(";1?", "")], "samples[1].card_number"),
        ([sample(";1?", "1"), pb.CardFormatSample(card_number="1")], "samples[1].swipe.tracks"),
    ],
)
async def test_bad_samples_name_the_field(client: Client, samples: list[Any], field: str) -> None:
    info = await refused(suggested(client, *samples), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert info.metadata["field"] == field


async def test_formats_with_every_kind_of_rule_are_stored(client: Client) -> None:
    given = core.FORMATS_BY_NAME["wiegand-26"]
    fields = {field.name: value for field, value in given.ListFields()} | {"name": "ours", "built_in": False}
    fields["conditions"] = [pb.CardFormatCondition(track_absent=1)]
    fields["checks"] = [pb.CardFormatCheck(scheme=pb.CHECK_DIGIT_WEIGHTED_MOD10, weights=[1])]
    stored = await create(client, **fields)
    listed = await client.card_formats.ListCardFormats(pb.ListCardFormatsRequest(), **client.options)
    assert listed.card_formats[0] == stored


@pytest.mark.parametrize("rpc", ["TestCardFormats", "SuggestCardFormats"])
async def test_trials_need_a_token(client: Client, rpc: str) -> None:
    call = getattr(client.card_formats, rpc)(getattr(pb, f"{rpc}Request")(), timeout=10)
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")

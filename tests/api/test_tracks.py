"""TrackService through gRPC."""

import asyncio
import random
from typing import Any

import grpc
import pytest
from grpc import aio

from swipegate import core
from swipegate.api.server import Server
from swipegate.v1 import card_format_pb2, track_pb2
from tests.api.test_card_requests import refusal, refused
from tests.conftest import Client

TEXTS = (
    b"%B4111111111111111^DOE/JANE^30121010000000000?;4111111111111111=30121010000012300000?",
    b";98949188?",
    b"",
    b"\xff?%;",
    b";4111111111111112=3012",
)
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def swipe(text: bytes, number: int = 0) -> track_pb2.Swipe:
    return track_pb2.Swipe(id=number, tracks=[track_pb2.RawTrack(text=text)])


def batch(*texts: bytes, **fields: Any) -> track_pb2.DecodeSwipesRequest:
    swipes = [swipe(text, number) for number, text in enumerate(texts)]
    return track_pb2.DecodeSwipesRequest(swipes=swipes, **fields)


def config(*names: str) -> track_pb2.DecodeSwipesConfig:
    return track_pb2.DecodeSwipesConfig(card_formats=names)


async def decode(client: Client, one: track_pb2.Swipe | None, *names: str) -> track_pb2.DecodedSwipe:
    request = track_pb2.DecodeSwipeRequest(swipe=one, card_formats=names)
    return (await client.tracks.DecodeSwipe(request, **client.options)).swipe


async def stream(client: Client, *requests: track_pb2.DecodeSwipesRequest) -> list[Any]:
    """The answers, and at the end the error if there was one."""
    answers: list[Any] = []
    try:
        async for answer in client.tracks.DecodeSwipes(iter(requests), **client.options):
            answers.append(answer)
    except aio.AioRpcError as error:
        answers.append(error)
    return answers


async def add_format(client: Client, name: str, **fields: Any) -> None:
    part = card_format_pb2.CardFormatPart(length=8)
    format_ = card_format_pb2.CardFormat(**({"name": name, "track": 2, "card_number": part} | fields))
    request = card_format_pb2.CreateCardFormatRequest(card_format=format_)
    await client.card_formats.CreateCardFormat(request, **client.options)


async def test_stream_and_unary_agree(client: Client) -> None:
    answers = await stream(client, batch(*TEXTS), batch(), batch(*TEXTS[::-1]))
    one_by_one = [await decode(client, swipe(text, number)) for number, text in enumerate(TEXTS)]
    assert list(answers[0].swipes) == one_by_one
    assert list(answers[1].swipes) == []
    assert [answer.tracks for answer in answers[2].swipes] == [answer.tracks for answer in one_by_one[::-1]]
    assert one_by_one[0].card_number.card_number == "4111111111111111"


async def test_config_belongs_in_the_first_message(client: Client) -> None:
    answers = await stream(client, batch(TEXTS[1], config=config("paxton-net2")), batch(config=config()))
    assert answers[0].swipes[0].card_number.card_format == "paxton-net2"
    info = refusal(answers[1])
    assert (answers[1].code(), info.reason, info.metadata["field"]) == (INVALID, "INVALID_FIELD", "config")


async def test_answers_before_a_wrong_message_are_delivered(client: Client) -> None:
    wrong = batch(b";1?", b"x" * 1025)
    answers = await stream(client, batch(*TEXTS), batch(TEXTS[1]), wrong, batch(TEXTS[0]))
    assert [len(answer.swipes) for answer in answers[:2]] == [len(TEXTS), 1]
    info = refusal(answers[2])
    assert (info.reason, info.metadata["field"]) == ("INVALID_FIELD", "swipes[1].tracks[0].text")


@pytest.mark.parametrize(
    ("tracks", "field"),
    [
        ([], "swipe.tracks"),
        ([track_pb2.RawTrack(text=b";1?")] * 9, "swipe.tracks"),
        (
            [track_pb2.RawTrack(text=b";1?"), track_pb2.RawTrack(number=4, text=b";1?")],
            "swipe.tracks[1].number",
        ),
        ([track_pb2.RawTrack(text=b"x" * 1025)], "swipe.tracks[0].text"),
        ([track_pb2.RawTrack(bits=track_pb2.BitString(data=bytes(1025)))], "swipe.tracks[0].bits.data"),
        (
            [track_pb2.RawTrack(samples=track_pb2.SampledSignal(pcm=bytes(8), sample_rate=7999))],
            "swipe.tracks[0].samples.sample_rate",
        ),
        (
            [track_pb2.RawTrack(intervals=track_pb2.FluxIntervals(nanoseconds=[1] * 16385))],
            "swipe.tracks[0].intervals.nanoseconds",
        ),
    ],
)
async def test_bounds_name_the_field(client: Client, tracks: Any, field: str) -> None:
    wrong = track_pb2.Swipe(tracks=tracks)
    info = await refused(decode(client, wrong), INVALID, "INVALID_FIELD")
    assert info.metadata["field"] == field
    (error,) = await stream(client, track_pb2.DecodeSwipesRequest(swipes=[wrong]))
    assert refusal(error).metadata["field"] == field.replace("swipe.", "swipes[0].")


async def test_missing_swipe_and_too_many(client: Client) -> None:
    info = await refused(decode(client, None), INVALID, "INVALID_FIELD")
    assert info.metadata["field"] == "swipe.tracks"
    (error,) = await stream(client, batch(*[b"1"] * 10_001))
    assert refusal(error).metadata["field"] == "swipes"


async def test_card_formats_that_are_not_there_or_too_many(client: Client) -> None:
    code = grpc.StatusCode.NOT_FOUND
    await refused(decode(client, swipe(b";1?"), "nope"), code, "CARD_FORMAT_NOT_FOUND")
    (error,) = await stream(client, batch(config=config("nope")))
    assert (error.code(), refusal(error).reason) == (code, "CARD_FORMAT_NOT_FOUND")
    for names in (["paxton-net2"] * 33, ["paxton-net2"] * 2):
        info = await refused(decode(client, swipe(b";1?"), *names), INVALID, "INVALID_FIELD")
        assert info.metadata["field"] == "card_formats"
        (error,) = await stream(client, batch(config=config(*names)))
        assert refusal(error).metadata["field"] == "config.card_formats"


async def test_without_names_the_formats_of_the_installation_count(client: Client) -> None:
    assert (await decode(client, swipe(TEXTS[1]))).card_number.card_format == ""
    assert (await decode(client, swipe(TEXTS[4]))).card_number.card_format == ""  # its check digit is wrong
    built_in = {one.name for one in core.DEFAULT_FORMATS}
    assert (await decode(client, swipe(TEXTS[0]))).card_number.card_format in built_in
    await add_format(client, "ours")
    assert (await decode(client, swipe(TEXTS[1]))).card_number.card_format == "ours"
    answers = await stream(client, batch(TEXTS[1]))
    assert answers[0].swipes[0].card_number.card_format == "ours"


async def test_malformed_message_is_refused(client: Client) -> None:
    call = client.channel.stream_stream("/swipegate.v1.TrackService/DecodeSwipes")
    for data in (b"\x12\x7f", b"\x0a\x02\xff\xff"):
        with pytest.raises(aio.AioRpcError) as caught:
            await call(iter([data]), **client.options).read()
        assert (caught.value.code(), refusal(caught.value).reason) == (INVALID, "INVALID_FIELD")


async def test_shutdown_ends_an_idle_stream(client: Client, server: Server) -> None:
    call = client.tracks.DecodeSwipes(**client.options)
    await call.write(batch(TEXTS[1]))
    assert len((await call.read()).swipes) == 1
    stopping = asyncio.create_task(server.stop())
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert (caught.value.code(), refusal(caught.value).reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "SHUTTING_DOWN",
    )
    await stopping


async def test_a_long_signal_holds_nobody_up(client: Client) -> None:
    chance = random.Random(
        1
    )  # bursts of noise as long as swipes read as nothing, and that takes long to find out
    noise = b"".join(chance.randbytes(6_000) + bytes(5_000) for _ in range(64))
    signal = track_pb2.RawTrack(samples=track_pb2.SampledSignal(pcm=noise, sample_rate=44100))
    long = track_pb2.DecodeSwipeRequest(swipe=track_pb2.Swipe(tracks=[signal]))
    quick = track_pb2.DecodeSwipeRequest(swipe=swipe(b";98949188?"))
    slow = client.tracks.DecodeSwipe(long, **client.options)
    await asyncio.sleep(0.1)  # it is with the server now
    answered = 0
    while not slow.done():
        await client.tracks.DecodeSwipe(quick, **client.options)
        answered += 1
    assert not (await slow).swipe.tracks[0].text
    assert answered > 10, "other calls went on meanwhile"

"""What stands before every handler: tokens, and that no exception text leaves the process."""

import base64
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import grpc
import jwt
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from swipegate.api.server import Server
from swipegate.service.tokens import tokens_of
from swipegate.settings import Settings, load
from swipegate.store import user_cards as user_cards_store
from swipegate.v1 import card_pb2
from tests.conftest import CALL_TIMEOUT, Client
from tests.people import People, Refusal, new_id, refused

SECRET = "4929 5053 4498 7113"


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"sub": "s", "client": "c", "aud": "swipegate", "iat": now, "exp": now + 600}
    return {key: value for key, value in (claims | changes).items() if value is not None}


def _key(settings: Settings) -> bytes:
    return (settings.data_dir / "token.key").read_bytes()


BAD_TOKENS: dict[str, Callable[[bytes], str]] = {
    "none": lambda key: "",
    "garbage": lambda key: "garbage",
    "dots": lambda key: "....",
    "expired": lambda key: jwt.encode(_claims(exp=int(time.time()) - 60), key, "HS256"),
    "not yet": lambda key: jwt.encode(_claims(iat=int(time.time()) + 600), key, "HS256"),
    "other key": lambda key: jwt.encode(_claims(), b"k" * 32, "HS256"),
    "other algorithm": lambda key: jwt.encode(_claims(), key + b"k" * 32, "HS512"),
    "no algorithm": lambda key: f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(_claims())}.",
    "no signature": lambda key: jwt.encode(_claims(), key, "HS256").rpartition(".")[0] + ".",
    "wrong audience": lambda key: jwt.encode(_claims(aud="other"), key, "HS256"),
    "no audience": lambda key: jwt.encode(_claims(aud=None), key, "HS256"),
    "no expiry": lambda key: jwt.encode(_claims(exp=None), key, "HS256"),
    "no subject": lambda key: jwt.encode(_claims(sub=None), key, "HS256"),
    "claim of the wrong type": lambda key: jwt.encode(_claims(client=7), key, "HS256"),
    "claim too long": lambda key: jwt.encode(_claims(client="c" * 257), key, "HS256"),
    "too many permissions": lambda key: jwt.encode(_claims(permissions=["p"] * 65), key, "HS256"),
    "too long": lambda key: jwt.encode(_claims(padding="p" * 4700), key, "HS256"),
    "header nested too deep": lambda key: base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.x",
    "embedded key": lambda key: jwt.encode(_claims(), b"k" * 32, "HS256", headers={"jwk": {"kty": "oct"}}),
}


async def _call(server: Server, *metadata: tuple[str, str]) -> Any:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        client = Client(channel, metadata)
        return await client.cards.ListCardTypes(card_pb2.ListCardTypesRequest(), **client.options)


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_bad_token_is_refused(
    server: Server, settings: Settings, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    token = BAD_TOKENS[name](_key(settings))
    refusal = await refused(_call(server, ("authorization", f"Bearer {token}")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert refusal.metadata["detail"] in refusal.message
    assert "incident" not in caplog.text
    if token:
        assert token not in refusal.message + caplog.text


@pytest.mark.parametrize(
    "header", [(), (("authorization", "Basic dXNlcjpwYXNz"),), (("authorization", "Bearer"),)]
)
async def test_no_token_is_refused(server: Server, header: tuple[tuple[str, str], ...]) -> None:
    assert (await refused(_call(server, *header))).code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_good_token_lets_through(server: Server, settings: Settings, scheme: str) -> None:
    token = tokens_of(settings).mint("s", "c", [], 60)
    assert (await _call(server, ("authorization", f"{scheme} {token}"))).card_types
    assert (await _call(server, ("jwt", token))).card_types  # the original's header


@pytest.mark.parametrize(("subject", "client"), [("tester", "other"), ("barred", "tests"), ("tester", "")])
async def test_an_unlicensed_client_or_a_switched_off_user(
    settings: Settings, subject: str, client: str
) -> None:
    limited = load(
        **settings.model_dump() | {"licensed_clients": {"tests"}, "switched_off_users": {"barred"}}
    )
    server = Server(limited)
    await server.start()
    try:
        good = tokens_of(limited).mint("tester", "tests", [], 60)
        assert (await _call(server, ("jwt", good))).card_types
        refusal = await refused(_call(server, ("jwt", tokens_of(limited).mint(subject, client, [], 60))))
    finally:
        await server.stop()
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "NOT_AUTHORIZED_FOR_CLIENT",
    )
    assert refusal.metadata == {"client": client, "exception": "NotAuthorizedForClientException"}


async def test_health_and_reflection_need_no_token(server: Server) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "swipegate.v1.UserCardService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=CALL_TIMEOUT)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (listed,) = [found async for found in stub.ServerReflectionInfo(iter([asked]), timeout=CALL_TIMEOUT)]
        names = {service.name for service in listed.list_services_response.service}
        assert {"swipegate.v1.UserCardService", "swipegate.v1.CardService", "grpc.health.v1.Health"} <= names


async def test_an_unknown_method(client: Client) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await client.channel.unary_unary("/swipegate.v1.UserCardService/Nothing")(b"", **client.options)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_over_the_bound(client: Client, people: People) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await people.replace(user_id="x" * (4 * 1024 * 1024 + 1))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def assert_internal(refusal: Refusal, log: str) -> None:
    """A fault that tells the client an incident and no more, and the log its place and no value."""
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert set(refusal.metadata) <= {"incident", "result_code"}
    incident = refusal.metadata["incident"]
    assert refusal.message == f"a fault of the server; its log names incident {incident}"
    assert refusal.details == []
    assert f"incident {incident}" in log
    assert SECRET not in log + str(refusal)


async def test_the_text_of_an_exception_stays_inside(
    people: People, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    card = await people.card(await people.user())
    user = await people.user()

    def fails(*_args: object) -> None:
        raise RuntimeError(SECRET)

    with caplog.at_level(logging.DEBUG):
        monkeypatch.setattr(user_cards_store, "assign", fails)
        refusal = await people.refusal(user_id=user, card_id=card.card_id)
        assert_internal(refusal, caplog.text)
        assert "RuntimeError" in caplog.text
    monkeypatch.undo()
    assert (await people.replace(user_id=user, card_id=card.card_id)).previous_user_id == card.user_id


async def test_a_broken_database_is_a_fault_that_tells_nothing(
    people: People, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    user, system = await people.user(), await people.system()
    connection = sqlite3.connect(settings.data_dir / "swipegate.db")
    connection.execute("DROP TABLE user_card")
    connection.close()
    with caplog.at_level(logging.DEBUG):
        refusal = await people.refusal(
            user_id=user, **people.named(system, external_card_number=SECRET), pin="5837402916"
        )
        assert_internal(refusal, caplog.text)
        assert "5837402916" not in caplog.text
        listing = people.client.cards.ListCards(card_pb2.ListCardsRequest(), **people.client.options)
        assert_internal(await refused(listing), caplog.text)


async def test_a_stream_of_nonsense_to_reflection(server: Server) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")

        async def nonsense() -> None:
            async for _ in call(iter([b"\xff\xff"]), timeout=CALL_TIMEOUT):
                pass

        refusal = await refused(nonsense())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == "request"


async def test_a_wrong_identifier_is_named(people: People) -> None:
    call = people.client.cards.ListCards(card_pb2.ListCardsRequest(user_id="x"), **people.client.options)
    refusal = await refused(call)
    assert refusal.metadata == {"field": "user_id", "detail": "must be a UUID"}
    assert (await people.cards(user_id=new_id())) == []

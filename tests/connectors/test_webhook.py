"""The webhook connector against a real HTTP server."""

import asyncio
import base64
import datetime
import gzip
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

from swipegate.connectors import webhook
from swipegate.connectors.base import DeliveryError
from swipegate.connectors.webhook import MAX_ANSWER, MAX_BODY, WebhookConnector, body_of, new_client
from swipegate.domain.card import Card, CardStatus
from swipegate.domain.outbox import CardChange
from swipegate.domain.user_card import UserCard
from tests.connectors.receiver import (
    DEADLINE,
    OK,
    SECRET,
    Answer,
    Received,
    accept,
    eventually,
    local,
    receiving,
    serving,
    status,
)

CARD, SYSTEM, USER, USER_CARD = (f"0000000{n}-0000-4000-8000-000000000000" for n in range(4))
HELD = Card(
    CARD,
    SYSTEM,
    6,
    2**53 + 1,
    "ext \u00e4\n",
    4,
    0,
    2**63 - 1,
    CardStatus.GOOD,
    1,
    UserCard(USER_CARD, CARD, USER, 1_700_000_000_000_001, None, None, 2_000_000_000_000_000, 3, True),
)
CHANGE = CardChange(42, 1_700_000_000_000_000, HELD)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def always(answer: bytes) -> Answer:
    async def say(_request: Received) -> bytes:
        return answer

    return say


async def failure(client: httpx.AsyncClient, url: str) -> str:
    """Why a delivery fails."""
    with pytest.raises(DeliveryError) as caught:
        await WebhookConnector(client, url, SECRET).deliver(CHANGE)
    assert caught.value.__cause__ is None
    text = str(caught.value)
    assert SECRET.decode() not in text
    return text


async def test_what_is_sent(client: httpx.AsyncClient) -> None:
    async with receiving() as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        (request,) = receiver.received
    assert request.path == "/cards?at=here"
    assert request.headers["content-type"] == "application/json"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 100
    assert request.identifier == f"{CARD}-42"
    assert request.message == {
        "type": "user_card.changed",
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "data": {
            "sequence": 42,
            "card": {
                "card_id": CARD,
                "ac_system_id": SYSTEM,
                "card_type": 6,
                "internal_card_number": "9007199254740993",
                "external_card_number": "ext \u00e4\n",
                "facility_code": "4",
                "issue_code": "0",
                "card_serial_number": "9223372036854775807",
                "status": "GOOD",
            },
            "assignment": {
                "user_card_id": USER_CARD,
                "user_id": USER,
                "start_time": "2023-11-14T22:13:20.000001Z",
                "activation_time": None,
                "deactivation_time": "2033-05-18T03:33:20.000000Z",
                "card_user_flags": 3,
            },
        },
    }


async def test_a_card_that_nobody_holds(client: httpx.AsyncClient) -> None:
    card = replace(HELD, holding=None, facility_code=None, issue_code=None, card_serial_number=None)
    async with receiving() as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(replace(CHANGE, card=card))
        data = receiver.received[0].message["data"]
    assert data["assignment"] is None
    assert [data["card"][name] for name in ("facility_code", "issue_code", "card_serial_number")] == [
        None
    ] * 3


async def test_the_signature_counts_for_its_body_and_key_alone(client: httpx.AsyncClient) -> None:
    async with receiving() as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        (request,) = receiver.received
    changed = request.body.replace(b'"GOOD"', b'"LOST"')
    for key, body, headers in (
        (SECRET[::-1], request.body, request.headers),
        (SECRET, changed, request.headers),
        (SECRET, request.body, request.headers | {"webhook-id": f"{CARD}-43"}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers)


async def test_a_repeat_has_the_same_id_and_body(client: httpx.AsyncClient) -> None:
    async with receiving(always(status(500))) as receiver:
        assert await failure(client, receiver.url) == "HTTP 500"
        receiver.answer = accept
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        first, second = receiver.received
        assert receiver.connections == 1
    assert (first.identifier, first.body) == (second.identifier, second.body)
    assert second.message


def test_the_longest_message_fits() -> None:
    digits = 2**63 - 1
    card = replace(
        HELD,
        internal_card_number=digits,
        facility_code=digits,
        issue_code=digits,
        external_card_number="\U0001f4b3" * 64,
    )
    assert len(body_of(CardChange(digits, 253_402_300_799_999_999, card))) < MAX_BODY


async def test_what_does_not_fit_is_not_sent(client: httpx.AsyncClient) -> None:
    change = replace(CHANGE, card=replace(HELD, external_card_number="x" * MAX_BODY))
    async with receiving() as receiver:
        with pytest.raises(DeliveryError, match="over 8192 bytes to send"):
            await WebhookConnector(client, receiver.url, SECRET).deliver(change)
        assert not receiver.received


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_every_2xx_is_delivered(client: httpx.AsyncClient, code: int) -> None:
    async with receiving(always(status(code))) as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert len(receiver.received) == 1


@pytest.mark.parametrize("code", [300, 304, 400, 401, 404, 410, 429, 500, 503, 599])
async def test_every_other_code_is_a_failure(client: httpx.AsyncClient, code: int) -> None:
    async with receiving(always(status(code))) as receiver:
        assert await failure(client, receiver.url) == f"HTTP {code}"
        assert len(receiver.received) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: httpx.AsyncClient, code: int) -> None:
    async with receiving() as other, receiving() as receiver:
        receiver.answer = always(status(code, f"Location: {other.url}"))
        assert await failure(client, receiver.url) == f"HTTP {code}"
        assert (len(receiver.received), len(other.received)) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "connection closed without an answer"),
        (b"HTTP/1.1 200", "connection closed without an answer"),
        (b"\x00\xff" * 100 + b"\r\n\r\n", "the answer is not HTTP"),
        (b"SSH-2.0-OpenSSH_9.6 secret-of-the-receiver\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "the answer is not HTTP"),
    ],
)
async def test_an_answer_that_is_none(client: httpx.AsyncClient, answer: bytes, text: str) -> None:
    async with receiving(always(answer)) as receiver:
        receiver.hangs_up = True
        assert await failure(client, receiver.url) == text


async def test_silence_ends_in_time(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_TIMEOUT", 0.2)
    async with receiving() as receiver:

        async def never(_request: Received) -> bytes:
            await asyncio.Event().wait()
            return OK

        receiver.answer = never
        assert await failure(client, receiver.url) == "no answer in 0.2 s"


async def test_an_endless_prelude_ends_in_time(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TOTAL_TIMEOUT", 0.5)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(serve) as port:
        assert await failure(client, local(port)) == "no answer in 0.5 s"


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked", b"Content-Length: 1000000000", b"X: y"])
async def test_an_endless_answer_is_cut(client: httpx.AsyncClient, head: bytes) -> None:
    sent = 0
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
                sent += 4096
        finally:
            over.set()

    async with serving(serve) as port:
        await WebhookConnector(client, local(port), SECRET).deliver(CHANGE)
        async with asyncio.timeout(DEADLINE):
            await over.wait()  # what was on its way fits in the buffers of two sockets
    assert sent > MAX_ANSWER


async def test_an_answer_that_stops_in_the_middle_counts(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "DRAIN_TIMEOUT", 0.1)
    async with receiving(always(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert len(receiver.received) == 1


async def test_a_compressed_answer_is_not_unpacked(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "DRAIN_TIMEOUT", DEADLINE)
    packed = gzip.compress(bytes(50_000_000))[:MAX_ANSWER]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with receiving(always(head.encode() + packed)) as receiver:
        for _ in range(2):
            await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert receiver.connections == 1


async def test_nobody_listens(client: httpx.AsyncClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await failure(client, local(taken.getsockname()[1])) == "connection refused"


async def test_a_name_that_is_none(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    assert await failure(client, "https://nowhere.invalid/") == "host name not found"


@pytest.mark.parametrize("url", ["https://[::1", "nothing", "https://\udce4/"])
async def test_what_cannot_be_called(client: httpx.AsyncClient, url: str) -> None:
    assert await failure(client, url) == "not a URL that can be called"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with new_client() as client, receiving() as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert len(receiver.received) == 1


async def test_cookies_are_not_kept(client: httpx.AsyncClient) -> None:
    async with receiving(always(status(200, "Set-Cookie: a=b; Path=/"))) as receiver:
        for _ in range(2):
            await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert [request.headers.get("cookie") for request in receiver.received] == [None, None]
    assert len(client.cookies) == 0


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate of its own for that name, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names[:1]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


async def test_tls_with_a_trusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, file = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with new_client() as client, receiving(tls=tls) as receiver:
        await WebhookConnector(client, receiver.url, SECRET).deliver(CHANGE)
        assert len(receiver.received) == 1


async def test_tls_with_a_foreign_certificate(client: httpx.AsyncClient, tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, "localhost")
    async with receiving(tls=tls) as receiver:
        text = await failure(client, receiver.url)
        assert text.startswith("TLS certificate not accepted: self")
        assert not receiver.received


async def test_tls_with_the_certificate_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, file = certificate(tmp_path, "elsewhere")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with new_client() as client, receiving(tls=tls) as receiver:
        text = await failure(client, receiver.url)
        assert text.startswith("TLS certificate not accepted: Hostname mismatch")
        assert not receiver.received


async def test_tls_where_there_is_none(client: httpx.AsyncClient) -> None:
    async with receiving() as receiver:
        url = receiver.url.replace("http:", "https:")
        assert await failure(client, url) == "TLS failed"


async def test_no_secret_is_logged(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving() as receiver:
        connector = WebhookConnector(client, receiver.url, SECRET)
        await connector.deliver(CHANGE)
        receiver.answer = always(status(500))
        with pytest.raises(DeliveryError):
            await connector.deliver(CHANGE)
    shown = caplog.text + repr(connector)
    for secret in (SECRET.decode(), SECRET.hex(), base64.b64encode(SECRET).decode(), "at=here"):
        assert secret not in shown
    assert json.loads(receiver.received[0].body)["data"]["card"]["external_card_number"] not in shown


async def test_many_at_once(client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()

    async def wait(_request: Received) -> bytes:
        await gate.wait()
        return OK

    async with receiving(wait) as receiver:
        connector = WebhookConnector(client, receiver.url, SECRET)
        running = [asyncio.create_task(connector.deliver(replace(CHANGE, sequence=n))) for n in range(50)]
        await eventually(lambda: receiver.open_now == 50)
        gate.set()
        await asyncio.gather(*running)
    assert len({request.identifier for request in receiver.received}) == 50

"""Changes of cards as webhooks: HTTP POST of JSON, signed as Standard Webhooks 1.0.0 says."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from swipegate.connectors.base import DeliveryError
from swipegate.domain.outbox import CardChange
from swipegate.domain.user_card import UserCard

CONNECT_TIMEOUT = 5.0
"""Seconds to a connection, TLS included."""
TOTAL_TIMEOUT = 10.0
"""Seconds to the status of the answer."""
DRAIN_TIMEOUT = 0.5
"""Seconds for the rest of an answer, which is worth reading only to use the connection again."""
MAX_ANSWER = 16 * 1024
"""Bytes of an answer's body that are read; what has more loses the connection."""
MAX_BODY = 8 * 1024
"""Bytes of what is sent."""
MAX_CONNECTIONS = 256
"""Open at the same time, all receivers together."""
EVENT_TYPE = "user_card.changed"
_REFUSALS = frozenset((400, 409, 413, 422))
"""RFC 9110, 15.5: what is wrong is in the request itself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CAUSES = 16

# its line about every request repeats the whole URL, which a receiver may keep a key in
logging.getLogger("httpx").setLevel(logging.WARNING)


def new_client() -> httpx.AsyncClient:
    """The HTTP client that connectors share: nothing of the environment but the certificates to trust."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        verify=ssl.create_default_context(),
        timeout=httpx.Timeout(TOTAL_TIMEOUT, connect=CONNECT_TIMEOUT),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


class WebhookConnector:
    """One receiver of webhooks."""

    def __init__(self, client: httpx.AsyncClient, url: str, secret: bytes) -> None:
        self._client = client
        self._url = url
        self._secret = secret

    async def deliver(self, change: CardChange) -> None:
        """POST the change; delivered when a 2xx status comes within TOTAL_TIMEOUT. Raises DeliveryError."""
        body = body_of(change)
        if len(body) > MAX_BODY:
            raise DeliveryError(f"over {MAX_BODY} bytes to send")
        headers = {
            "content-type": "application/json",
            "user-agent": "swipegate",
            **signed(self._secret, message_id(change), int(time.time()), body),
        }
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                request = self._client.build_request("POST", self._url, content=body, headers=headers)
                response = await self._client.send(request, stream=True)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise DeliveryError(_why(error)) from None
        await _drain(response)
        if not response.is_success:
            code = response.status_code
            raise DeliveryError(f"HTTP {code}", refused=code in _REFUSALS)


def message_id(change: CardChange) -> str:
    """The same for every try of a change, so that a receiver can drop repeats."""
    return f"{change.card.card_id}-{change.sequence}"


def signed(secret: bytes, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks, "Signature scheme" and "Webhook headers"."""
    content = b".".join((identifier.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def body_of(change: CardChange) -> bytes:
    """The message as JSON, the same bytes for the same change. Numbers on a card are strings: they need 64 bits."""
    card = change.card
    data = {
        "sequence": change.sequence,
        "card": {
            "card_id": card.card_id,
            "ac_system_id": card.ac_system_id,
            "card_type": card.card_type,
            "internal_card_number": str(card.internal_card_number),
            "external_card_number": card.external_card_number,
            "facility_code": _digits(card.facility_code),
            "issue_code": _digits(card.issue_code),
            "card_serial_number": _digits(card.card_serial_number),
            "status": card.status.value,
        },
        "assignment": _assignment(card.holding) if card.holding else None,
    }
    message = {"type": EVENT_TYPE, "timestamp": _text(change.time), "data": data}
    return json.dumps(message, separators=(",", ":")).encode()


def _assignment(holding: UserCard) -> dict[str, Any]:
    return {
        "user_card_id": holding.user_card_id,
        "user_id": holding.user_id,
        "start_time": _text(holding.start_time),
        "activation_time": None if holding.activation_time is None else _text(holding.activation_time),
        "deactivation_time": None if holding.deactivation_time is None else _text(holding.deactivation_time),
        "card_user_flags": holding.card_user_flags,
    }


def _digits(number: int | None) -> str | None:
    return None if number is None else str(number)


def _text(microseconds: int) -> str:
    """RFC 3339, UTC."""
    when = _EPOCH + timedelta(microseconds=microseconds)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def _drain(response: httpx.Response) -> None:
    """Read a short answer to its end, so that the connection stays; close the rest. The status has come: no error."""
    try:
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                size = 0
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size > MAX_ANSWER:
                        break
    finally:
        with contextlib.suppress(httpx.HTTPError):
            await response.aclose()


def _why(error: BaseException) -> str:
    """In words of our own: a library's text may repeat what the receiver sent."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS certificate not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, socket.gaierror):
            return "host name not found"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection in {CONNECT_TIMEOUT:g} s"
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return f"no answer in {TOTAL_TIMEOUT:g} s"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    if isinstance(error, httpx.RemoteProtocolError):
        closed = "disconnected" in str(error) or "closed connection" in str(error)
        return "connection closed without an answer" if closed else "the answer is not HTTP"
    if isinstance(error, httpx.NetworkError):
        return "connection broken"
    return "not a URL that can be called"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, groups taken apart."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < _MAX_CAUSES:
        one = waiting.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found

"""Access control systems: what cards belong to."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from swipegate.domain.errors import invalid

MAX_URL = 2048
"""Characters."""
MIN_SECRET, MAX_SECRET = 24, 64
"""Bytes of a key that signs; Standard Webhooks, "Signature scheme"."""
_PLAIN = re.compile(rf"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{{1,{MAX_URL}}}")
"""RFC 3986, 2: what may stand in a URL. Readers disagree about the rest, above all about the backslash."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where changes of a system's cards are delivered to."""

    url: str
    sealed_secret: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class AcSystem:
    """An access control system."""

    ac_system_id: str
    name: str
    gives_card_numbers: bool = True
    """Whether a card without a number gets the next free one."""
    webhook: Webhook | None = None


def check_webhook_url(field_name: str, url: str) -> None:
    """Raise INVALID_FIELD unless changes may be sent there: over TLS, or no further than this machine."""
    if not _PLAIN.fullmatch(url):
        raise invalid(field_name, f"must be a URL of at most {MAX_URL} characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or "%" in host:  # a zone of IPv6, or an escape that not every reader undoes
        raise invalid(field_name, "must be a URL")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise invalid(field_name, "must have no user, password or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise invalid(field_name, "must be https, or http on this machine's loopback")


def check_webhook_secret(field_name: str, secret: bytes) -> None:
    """Raise INVALID_FIELD for a key that is too short or too long."""
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise invalid(field_name, f"must be {MIN_SECRET} to {MAX_SECRET} bytes")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

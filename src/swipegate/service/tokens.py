"""Tokens: JWTs (RFC 7519) signed with HMAC-SHA-256."""

import time
from collections.abc import Collection
from typing import Any

import jwt

from swipegate.domain.authority import Licences, Principal
from swipegate.domain.errors import SwipegateError
from swipegate.service import keys
from swipegate.settings import Settings
from swipegate.v1 import error_pb2

AUDIENCE = "swipegate"
ALGORITHM = "HS256"
MAX_TOKEN = 6144
"""Characters; what is longer is not even parsed. gRPC may refuse calls with more than 8 KiB of metadata in all."""
LEEWAY = 30
"""Seconds by which clocks may differ."""
MAX_PERMISSIONS = 64
MAX_REMEMBERED = 4096
"""Tokens whose signature need not be checked again."""
MAX_NAME = 256
"""Characters of a subject or client."""
KEY_FILE = "token.key"
"""In the data folder."""


class Tokens:
    """Mints tokens and tells whose a token is."""

    def __init__(self, key: bytes, licences: Licences) -> None:
        self._key = key
        self._licences = licences
        self._remembered: dict[str, tuple[Principal, float]] = {}
        """Verified tokens, the oldest first, with when they expire."""

    def mint(self, subject: str, client: str, permissions: Collection[str], seconds: int) -> str:
        """A token for that long. Claims: sub, client, permissions, aud, iat, exp."""
        now = int(time.time())
        claims = {
            "sub": subject,
            "client": client,
            "permissions": sorted(permissions),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + seconds,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Whose token it is. Raises UNAUTHENTICATED, and NOT_AUTHORIZED_FOR_CLIENT when it may not be used."""
        if not token:
            raise _refused("there is none (send `authorization: Bearer ...`)")
        if len(token) > MAX_TOKEN:
            raise _refused("it is too long")
        known = self._remembered.get(token)
        if known is not None and time.time() < known[1] + LEEWAY:
            return known[0]
        claims = self._claims(token)
        principal = _principal_of(claims)
        self._licences.demand(principal)
        if len(self._remembered) >= MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = principal, float(claims["exp"])
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=LEEWAY,
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise _refused("it is expired") from None
        except (
            jwt.InvalidTokenError,
            RecursionError,
        ):  # the header is parsed before the signature is checked
            raise _refused("it is malformed, for somebody else, or signed by another key") from None


def tokens_of(settings: Settings) -> Tokens:
    """The tokens of an installation; its key is made at first use. Raises KeyFileError and OSError."""
    licences = Licences(settings.licensed_clients, settings.switched_off_users)
    return Tokens(keys.load_or_create(settings.data_dir / KEY_FILE), licences)


def _principal_of(claims: dict[str, object]) -> Principal:
    subject, client, permissions = claims["sub"], claims.get("client", ""), claims.get("permissions", [])
    if not isinstance(subject, str) or not isinstance(client, str) or not isinstance(permissions, list):
        raise _refused("a claim has the wrong type")
    if len(subject) > MAX_NAME or len(client) > MAX_NAME or len(permissions) > MAX_PERMISSIONS:
        raise _refused("a claim is too long")
    if "\0" in subject + client:  # which PostgreSQL does not store
        raise _refused("a claim holds U+0000")
    return Principal(subject, client, frozenset(p for p in permissions if isinstance(p, str)))


def _refused(detail: str) -> SwipegateError:
    return SwipegateError(error_pb2.ERROR_REASON_UNAUTHENTICATED, detail=detail)

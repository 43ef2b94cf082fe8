"""Sealing: what must be stored and must not be read (track data, PINs)."""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
"""Bytes; NIST SP 800-38D, 8.2.2: random, far fewer than 2**32 a key."""
_MAC = 32
"""Bytes."""


class Sealer:
    """AES-256-GCM with one key. What is sealed for one context opens for no other."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._mac_key = hmac.digest(key, b"swipegate request bodies", hashlib.sha256)

    def seal(self, secret: bytes, context: str) -> bytes:
        """The secret, encrypted and bound to its context."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, secret, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The secret. Raises cryptography.exceptions.InvalidTag for another key, context or content."""
        return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())

    def mac(self, body: bytes) -> bytes:
        """A fingerprint of a body that tells nothing about a short secret in it."""
        # RFC 7693, keyed; for short bodies hashlib keeps the GIL, which the writer would have to wait for again
        return hashlib.blake2b(body, key=self._mac_key, digest_size=_MAC).digest()

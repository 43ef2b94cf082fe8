"""Keys, seals and tokens."""

import os
import stat
import threading
import time
from pathlib import Path

import jwt
import pytest
from cryptography.exceptions import InvalidTag

from swipegate.domain.authority import Licences
from swipegate.domain.errors import SwipegateError, name
from swipegate.service import tokens as module
from swipegate.service.keys import KEY_BYTES, KeyFileError, load_or_create
from swipegate.service.sealing import Sealer
from swipegate.service.tokens import MAX_REMEMBERED, Tokens


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.key"
    old = os.umask(0)
    try:
        key = load_or_create(path)
    finally:
        os.umask(old)
    assert len(key) == KEY_BYTES
    assert load_or_create(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert load_or_create(tmp_path / "b.key") != key


def test_many_that_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    path, found = tmp_path / "a.key", set()
    threads = [threading.Thread(target=lambda: found.add(load_or_create(path))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=r"a\.key: others can read this key"):
        load_or_create(path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.key"
    path.touch(0o600)
    path.write_bytes(b"k" * size)
    with pytest.raises(KeyFileError, match=f"this file {size}"):
        load_or_create(path)


def test_a_seal_opens_for_its_key_and_context_alone() -> None:
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal(b"4711", "pin:a")
    assert b"4711" not in sealed
    assert sealer.unseal(sealed, "pin:a") == b"4711"
    assert sealer.seal(b"4711", "pin:a") != sealed
    for other, context, what in (
        (Sealer(b"l" * 32), "pin:a", sealed),
        (sealer, "pin:b", sealed),
        (sealer, "pin:a", sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ):
        with pytest.raises(InvalidTag):
            other.unseal(what, context)


def test_a_fingerprint_depends_on_the_key() -> None:
    assert Sealer(b"k" * 32).mac(b"body") == Sealer(b"k" * 32).mac(b"body")
    assert Sealer(b"k" * 32).mac(b"body") != Sealer(b"l" * 32).mac(b"body")
    assert Sealer(b"k" * 32).mac(b"body") != Sealer(b"k" * 32).mac(b"bodY")


def test_a_token_says_who_bears_it() -> None:
    tokens = Tokens(b"k" * 32, Licences())
    token = tokens.mint("subject", "client", ["ReadTrackData"], 60)
    for _ in range(2):
        bearer = tokens.verify(token)
        assert (bearer.subject, bearer.client, bearer.permissions) == ("subject", "client", {"ReadTrackData"})


def test_a_remembered_token_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(b"k" * 32, Licences())
    token = tokens.mint("s", "c", [], 60)
    tokens.verify(token)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 + module.LEEWAY - 2)
    tokens.verify(token)
    monkeypatch.setattr(time, "time", lambda: now + 60 + module.LEEWAY + 1)
    tokens._key = b"l" * 32  # PyJWT looks at a clock of its own; what matters is that the memory is not used
    with pytest.raises(SwipegateError) as caught:
        tokens.verify(token)
    assert name(caught.value.reason) == "UNAUTHENTICATED"


def test_a_remembered_token_does_not_vouch_for_a_changed_one() -> None:
    tokens = Tokens(b"k" * 32, Licences())
    token = tokens.mint("s", "c", [], 60)
    tokens.verify(token)
    for changed in (token[:-1], token + "x", token.swapcase(), f" {token}"):
        with pytest.raises(SwipegateError):
            tokens.verify(changed)


def test_the_memory_is_bounded_and_holds_no_refused_token() -> None:
    tokens = Tokens(b"k" * 32, Licences(switched_off={"barred"}))
    barred = tokens.mint("barred", "c", [], 60)
    for _ in range(2):
        with pytest.raises(SwipegateError):
            tokens.verify(barred)
    assert tokens._remembered == {}
    first = tokens.mint("0", "c", [], 60)
    for number in range(MAX_REMEMBERED + 10):
        tokens.verify(tokens.mint(str(number), "c", [], 60))
    assert len(tokens._remembered) == MAX_REMEMBERED
    assert first not in tokens._remembered
    assert tokens.verify(first).subject == "0"


def test_a_token_of_another_key_is_refused() -> None:
    token = jwt.encode({"sub": "s", "aud": "swipegate", "exp": time.time() + 60}, b"l" * 32, "HS256")
    with pytest.raises(SwipegateError):
        Tokens(b"k" * 32, Licences()).verify(token)

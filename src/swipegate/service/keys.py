"""Secret keys in files of their own."""

import contextlib
import os
import secrets
from pathlib import Path

KEY_BYTES = 32
"""256 bits, for HMAC-SHA-256 and AES-256-GCM alike."""


class KeyFileError(Exception):
    """A key file cannot be used; the text names the file and the reason."""


def load_or_create(path: Path) -> bytes:
    """The key in the file; made with 256 random bits, readable by its owner alone, when there is none.

    Raises KeyFileError when the file holds no key of that size or can be read by others.
    """
    try:
        return load(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # made whole under another name: a crash leaves no half key, a race leaves one winner
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        _sync_folder(path.parent)
    finally:
        draft.unlink()
    return load(path)


def _sync_folder(folder: Path) -> None:
    """Make a new name in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(path: Path) -> bytes:
    """The key in the file. Raises KeyFileError as above, FileNotFoundError where there is none."""
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path}: others can read this key; chmod 600 it, or better make a new one")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path}: a key has {KEY_BYTES} bytes, this file {len(key)}")
    return key

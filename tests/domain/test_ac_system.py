"""Where changes of cards may be sent to."""

import string
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swipegate.domain.ac_system import (
    MAX_SECRET,
    MAX_URL,
    MIN_SECRET,
    check_webhook_secret,
    check_webhook_url,
)
from swipegate.domain.errors import SwipegateError


@pytest.mark.parametrize(
    "url",
    [
        "https://controller.example",
        "https://controller.example:8443/cards?site=1&key=%20x",
        "HTTPS://CONTROLLER.EXAMPLE/",
        "https://10.0.0.5/",
        "https://[2001:db8::1]:8443/",
        "http://localhost/",
        "http://LOCALHOST:1/",
        "http://127.0.0.1:9000/",
        "http://127.255.255.254/",
        "http://[::1]:9000/",
        "https://h/" + "x" * (MAX_URL - 10),
    ],
)
def test_what_may_be_called(url: str) -> None:
    check_webhook_url("url", url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "https:controller.example",
        "//controller.example/",
        "controller.example",
        "ftp://controller.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://controller.example/",
        "http://10.0.0.5/",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "http://localhost@controller.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0.0.0.0/",
        "https://user@controller.example/",
        "https://:word@controller.example/",
        "https://@controller.example/",
        "https://controller.example/#here",
        "https://controller.example:x/",
        "https://controller.example:65536/",
        "https://controller.example:-1/",
        "https://[::1",
        "http://[::1%25a]/",
        "https://[not-an-address]/",
        "https://contr\u00f6ller.example/",
        "https://controller.example/a b",
        "https://controller.example/\n",
        "https://controller.example/\x00",
        "http://localhost\\@controller.example/",
        "https://controller.example\\.localhost/",
        "\thttps://controller.example/",
        "https://h/" + "x" * (MAX_URL - 9),
        "x" * 4_000_000,
    ],
)
def test_what_may_not(url: str) -> None:
    with pytest.raises(SwipegateError) as caught:
        check_webhook_url("ac_system.webhook.url", url)
    assert caught.value.metadata["field"] == "ac_system.webhook.url"
    assert "word@" not in str(caught.value)


_PARTS = [
    "http",
    "https",
    "://",
    "//",
    ":",
    "@",
    "/",
    "?",
    "#",
    "[",
    "]",
    "\\",
    "%",
    "%2e",
    ".",
    "::1",
    "80",
    "localhost",
]
_URLS = st.lists(st.sampled_from([*_PARTS, "127.0.0.1", "a.example", "xn--", "user"]), max_size=10).map(
    "".join
)


@given(st.one_of(_URLS, _URLS.map("http://{}".format), st.text(string.printable, max_size=40)))
@example("http://localhost%2ea.example/")
@example("http://127.0.0.1%00.a.example/")
@example("http://[::1%25a]/")
def test_who_calls_reads_a_url_as_who_checks(url: str) -> None:
    try:
        check_webhook_url("url", url)
    except SwipegateError:
        return
    try:
        called = httpx.URL(url)
    except httpx.InvalidURL:  # a delivery fails, to nowhere
        return
    checked = urlsplit(url)
    assert (called.scheme, called.host) == (checked.scheme.lower(), checked.hostname)
    assert called.port in (checked.port, None)
    assert called.userinfo == b""
    if called.scheme == "http":
        assert called.host in ("localhost", "::1") or called.host.startswith("127.")


@pytest.mark.parametrize("size", [MIN_SECRET, MAX_SECRET])
def test_a_good_secret(size: int) -> None:
    check_webhook_secret("secret", bytes(size))


@pytest.mark.parametrize("size", [0, MIN_SECRET - 1, MAX_SECRET + 1])
def test_a_bad_secret(size: int) -> None:
    with pytest.raises(SwipegateError) as caught:
        check_webhook_secret("secret", b"s" * size)
    assert "ss" not in caught.value.metadata["detail"]

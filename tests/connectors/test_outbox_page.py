"""docs/outbox.md: its receiver runs, its message is what is sent, its numbers are those of the code."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from swipegate.connectors import webhook
from swipegate.connectors.base import DeliveryError
from swipegate.connectors.webhook import WebhookConnector, body_of, new_client
from swipegate.domain.ac_system import MAX_SECRET, MIN_SECRET
from swipegate.service import deliveries, receivers
from tests.conftest import ROOT
from tests.connectors.receiver import SECRET
from tests.connectors.test_webhook import CARD, CHANGE, HELD

PAGE = (ROOT / "docs" / "outbox.md").read_text()
LAST_LINE = 'HTTPServer(("127.0.0.1", 8000), Cards).serve_forever()\n'


def block(name: str) -> str:
    """The code between the marks of that name."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- /{name} -->", PAGE, re.DOTALL)
    assert found
    return found[1]


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The page's receiver, at a port of its own, in its own thread."""
    code = block("receiver")
    assert code.endswith(LAST_LINE)
    names: dict[str, Any] = {"SECRET": SECRET}
    exec(code.removesuffix(LAST_LINE) + 'server = HTTPServer(("127.0.0.1", 0), Cards)\n', names)
    names["Cards"].log_message = lambda *_: None
    thread = threading.Thread(target=names["server"].serve_forever)
    thread.start()
    try:
        yield names
    finally:
        names["server"].shutdown()
        thread.join()
        names["server"].server_close()


async def test_the_receiver_of_the_page() -> None:
    with running() as names:
        url = f"http://127.0.0.1:{names['server'].server_port}/"
        async with new_client() as client:
            good, bad = (WebhookConnector(client, url, key) for key in (SECRET, SECRET[::-1]))
            await good.deliver(CHANGE)
            await good.deliver(replace(CHANGE, sequence=43, card=replace(HELD, holding=None)))
            await good.deliver(CHANGE)
            with pytest.raises(DeliveryError, match="HTTP 401"):
                await bad.deliver(replace(CHANGE, sequence=44))
        ((card, (sequence, data)),) = names["known"].items()
    assert (card, sequence, data["assignment"]) == (CARD, 43, None)


def test_the_receiver_is_short() -> None:
    assert len([line for line in block("receiver").splitlines() if line]) <= 20


def test_the_message_of_the_page_is_what_is_sent() -> None:
    card = replace(
        HELD,
        internal_card_number=31337,
        external_card_number="00031337",
        facility_code=44,
        issue_code=3,
        card_serial_number=None,
    )
    assert json.loads(block("message")) == json.loads(body_of(replace(CHANGE, card=card)))


def test_the_numbers_of_the_page() -> None:
    for text in (
        f"({MIN_SECRET} to {MAX_SECRET} bytes)",
        f"At most {webhook.MAX_BODY // 1024} KiB",
        f"over {webhook.MAX_BODY} bytes to send",
        f"up to {receivers.MAX_PER_RECEIVER} requests",
        f"2xx within {webhook.TOTAL_TIMEOUT:g} s",
        f"no connection in {webhook.CONNECT_TIMEOUT:g} s",
        f"after {deliveries.FIRST_DELAY:g} to {2 * deliveries.FIRST_DELAY:g} s",
        f"at most {deliveries.LONGEST_DELAY / 120:g} to {deliveries.LONGEST_DELAY / 60:g} minutes",
        f"alone for {receivers.FIRST_PAUSE:g} s, then up to {receivers.LONGEST_PAUSE:g} s",
        "refusing a card with 400, 409, 413 or 422",
        f"leases an entry for {deliveries.LEASE:g} s",
        f"may differ by {deliveries.MAX_SKEW:g} s",
    ):
        assert text in " ".join(PAGE.split()), text

"""What a person sees of a decoded swipe."""

import pytest
from rich.console import Console

from swipegate import core
from swipegate.cli import render
from swipegate.v1.card_format_pb2 import CardFormat, CardFormatPart

STANLEY = ";1576=3492657182=0=060113?"


def lines(text: str, card_format: CardFormat | None = None, *, reveal: bool = False) -> list[str]:
    """What is shown of a text, line by line."""
    formats = core.compile_formats([card_format]) if card_format else None
    swipe = render.shown(core.decode(text, formats), reveal=reveal)
    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        console.print(render.as_rich(swipe))
    return [line.strip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("reveal", [False, True])
def test_an_access_card_is_no_broken_payment_card(reveal: bool) -> None:
    assert lines(STANLEY, reveal=reveal) == [
        "track 2",
        STANLEY if reveal else ";1576=3******************?",
        "card number  3492657182  facility 1576  issue 0  (format stanley-field)",
    ]


@pytest.mark.parametrize("text", [";1576=9999=1?", ";123456=30121010000?", STANLEY])
def test_a_number_shorter_than_any_pan_is_none(text: str) -> None:
    shown = lines(text, core.FORMATS_BY_NAME["paxton-net2"])  # takes nothing from it
    assert shown[0] == "track 2"
    assert len(shown) == 2


def test_a_number_from_a_payment_card_leaves_it_one() -> None:
    campus = CardFormat(name="campus", track=2, card_number=CardFormatPart(field=2, position=8, length=10))
    shown = lines(";4111111111111111=30121010123456789?", campus)
    assert "luhn ok  yes" in shown
    assert "card number  0123456789  (format campus)" in shown


def test_a_payment_card_with_faults_shows_them() -> None:
    shown = lines(";4111111111111112=3099101?")
    assert "wrong: the expiry date is no YYMM" in shown
    assert "luhn ok  no" in shown

"""Brands by number, against ranges as plain sets of prefixes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import brands
from swipegate.v1 import track_pb2 as v1
from tests.reference.brands import PREFIXES, brand_of

PUBLISHED = {
    "4111111111111111": v1.CARD_BRAND_VISA,
    "5555555555554444": v1.CARD_BRAND_MASTERCARD,
    "2223003122003222": v1.CARD_BRAND_MASTERCARD,
    "378282246310005": v1.CARD_BRAND_AMERICAN_EXPRESS,
    "36070500001376": v1.CARD_BRAND_DINERS_CLUB,
    "6011111111111117": v1.CARD_BRAND_DISCOVER,
    "3569990010082211": v1.CARD_BRAND_JCB,
    "6210947000000021": v1.CARD_BRAND_UNIONPAY,
    "6799990200000001114": v1.CARD_BRAND_MAESTRO,
    "67030010054610102": v1.CARD_BRAND_BANCONTACT,
    "6362970000457013": v1.CARD_BRAND_ELO,
    "5019717010103742": v1.CARD_BRAND_DANKORT,
    "2200000000000053": v1.CARD_BRAND_MIR,
    "6135320000000122": v1.CARD_BRAND_UNSPECIFIED,
}


@pytest.mark.parametrize(("pan", "brand"), PUBLISHED.items())
def test_published_test_numbers(pan: str, brand: int) -> None:
    assert brands.brand(pan) == brand_of(pan) == brand


@pytest.mark.parametrize(
    "pan", ["", "4", "41111111111111111", "34111111111111111", "4a11111111111111", "1" * 40]
)
def test_no_brand(pan: str) -> None:
    assert brands.brand(pan) == v1.CARD_BRAND_UNSPECIFIED


def test_every_edge_of_a_range() -> None:
    for prefix in PREFIXES:
        for step in (-1, 0, 1):
            edge = str(int(prefix.ljust(6, "0")) + step).zfill(6)
            for length in (13, 15, 16, 19):
                pan = edge.ljust(length, "7")
                assert brands.brand(pan) == brand_of(pan), pan[:6]


@settings(max_examples=300)
@given(st.from_regex("[0-9]{12,19}", fullmatch=True))
def test_any_number(pan: str) -> None:
    assert brands.brand(pan) == brand_of(pan)

"""Check digits, on both implementations; the numbers are published ones of each scheme."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.core import check_digits
from swipegate.v1 import card_format_pb2 as pb
from tests.reference import check_digits as reference


@pytest.fixture(params=[reference.agrees, check_digits.agrees], ids=["reference", "compiled"])
def agrees(request: pytest.FixtureRequest) -> Any:
    return request.param


ISBN = [2, 3, 4, 5, 6, 7, 8, 9, 10]
RIGHT = [
    ("4111111111111111", pb.CHECK_DIGIT_LUHN, []),
    ("4006381333931", pb.CHECK_DIGIT_GS1, []),  # an EAN-13
    ("73513537", pb.CHECK_DIGIT_GS1, []),  # an EAN-8
    ("021000021", pb.CHECK_DIGIT_ABA_ROUTING, []),
    ("011401533", pb.CHECK_DIGIT_ABA_ROUTING, []),
    ("988077917", pb.CHECK_DIGIT_MOD11_2_TO_7, []),  # a Norwegian organisation number
    ("0306406152", pb.CHECK_DIGIT_WEIGHTED_MOD11, ISBN),  # ISBN-10
    ("080442957X", pb.CHECK_DIGIT_WEIGHTED_MOD11, ISBN),
    ("4006381333931", pb.CHECK_DIGIT_WEIGHTED_MOD10, [3, 1]),
    ("07940", pb.CHECK_DIGIT_ISO7064_MOD11_2, []),
    ("079X", pb.CHECK_DIGIT_ISO7064_MOD11_2, []),
    ("0000000218250097", pb.CHECK_DIGIT_ISO7064_MOD11_2, []),  # an ORCID
    ("07945", pb.CHECK_DIGIT_ISO7064_MOD11_10, []),
    ("79444", pb.CHECK_DIGIT_ISO7064_MOD97_10, []),
    ("A12425GABC1234002M", pb.CHECK_DIGIT_ISO7064_MOD37_36, []),  # a GRid
]


@pytest.mark.parametrize(("text", "scheme", "weights"), RIGHT)
def test_published_numbers(agrees: Any, text: str, scheme: int, weights: list[int]) -> None:
    assert agrees(text, scheme, weights)
    assert agrees(text.lower(), scheme, weights)
    for place, character in enumerate(text):  # every scheme finds every single wrong digit
        wrong = str((int(character, 36) + 1) % 10)
        if wrong != character:
            assert not agrees(text[:place] + wrong + text[place + 1 :], scheme, weights)


@pytest.mark.parametrize("text", ["", "0", "X", "12=4", "1X2", "é1"])
def test_no_number_proves_itself(agrees: Any, text: str) -> None:
    for scheme in range(1, 11):
        weights = [1] if scheme in (2, 3) else []
        assert not agrees(text, scheme, weights)


def test_a_routing_number_has_nine_digits(agrees: Any) -> None:
    assert not agrees("000021000021", pb.CHECK_DIGIT_ABA_ROUTING, [])


@given(
    st.text("0123456789X", max_size=20) | st.text("0123456789ABCXYZxz=", max_size=12),
    st.sampled_from(sorted(set(pb.CheckDigit.values()) - {0})),
    st.lists(st.integers(0, 99), min_size=1, max_size=16),
)
def test_both_agree(text: str, scheme: int, weights: list[int]) -> None:
    if scheme not in (pb.CHECK_DIGIT_WEIGHTED_MOD10, pb.CHECK_DIGIT_WEIGHTED_MOD11):
        weights = []
    assert check_digits.agrees(text, scheme, weights) == reference.agrees(text, scheme, weights)


@given(
    st.text("0123456789", min_size=1, max_size=12), st.sampled_from(sorted(set(pb.CheckDigit.values()) - {0}))
)
def test_some_check_digits_are_right(digits: str, scheme: int) -> None:
    weights = [2, 3] if scheme in (2, 3) else []
    if scheme == pb.CHECK_DIGIT_ABA_ROUTING:
        digits = digits[:8].zfill(8)
    last = [f"{n:02}" for n in range(100)] if scheme == pb.CHECK_DIGIT_ISO7064_MOD97_10 else "0123456789X"
    if scheme == pb.CHECK_DIGIT_ISO7064_MOD37_36:
        last = reference.ALPHABET
    right = [one for one in last if check_digits.agrees(digits + one, scheme, weights)]
    assert 1 <= len(right) <= 2


@pytest.mark.parametrize(
    ("scheme", "weights", "reason"),
    [
        (0, [], "scheme"),
        (11, [], "scheme"),
        (pb.CHECK_DIGIT_WEIGHTED_MOD10, [], "weights"),
        (pb.CHECK_DIGIT_LUHN, [1], "weights"),
        (pb.CHECK_DIGIT_WEIGHTED_MOD11, [1] * 17, "weights"),
        (pb.CHECK_DIGIT_WEIGHTED_MOD11, [100], "weights"),
    ],
)
def test_bad_schemes_are_named(scheme: int, weights: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_digits.agrees("1234", scheme, weights)

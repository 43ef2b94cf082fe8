"""The reference check digits: each scheme as its definition has it, over whole numbers."""

import re

from swipegate.v1 import card_format_pb2 as pb
from tests.reference import tracks

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def weighted(text: str, weights: list[int], modulus: int) -> bool:
    """The check digit is what the weighted sum of the others lacks of a multiple."""
    if not re.fullmatch("[0-9]+[0-9X]" if modulus == 11 else "[0-9]{2,}", text):
        return False
    digits = [int(digit) for digit in reversed(text[:-1])]
    total = sum(digit * weights[place % len(weights)] for place, digit in enumerate(digits))
    return ALPHABET.index(text[-1].replace("X", "A")) == -total % modulus


def mod11_2(text: str) -> bool:
    if not re.fullmatch("[0-9]+[0-9X]", text):
        return False
    values = [10 if character == "X" else int(character) for character in reversed(text)]
    return sum(value * 2**place for place, value in enumerate(values)) % 11 == 1


def hybrid(text: str, modulus: int) -> bool:
    if any(character not in ALPHABET[:modulus] for character in text):
        return False
    product = modulus
    for character in text[:-1]:
        total = (product + ALPHABET.index(character)) % modulus or modulus
        product = total * 2 % (modulus + 1)
    return (product + ALPHABET.index(text[-1])) % modulus == 1


def agrees(text: str, scheme: int, weights: list[int]) -> bool:
    text = text.upper()
    if len(text) < 2:
        return False
    digits = re.fullmatch("[0-9]+", text) is not None
    return {
        pb.CHECK_DIGIT_LUHN: lambda: tracks.luhn_ok(text),
        pb.CHECK_DIGIT_WEIGHTED_MOD10: lambda: weighted(text, weights, 10),
        pb.CHECK_DIGIT_WEIGHTED_MOD11: lambda: weighted(text, weights, 11),
        pb.CHECK_DIGIT_GS1: lambda: weighted(text, [3, 1], 10),
        pb.CHECK_DIGIT_ABA_ROUTING: lambda: len(text) == 9 and weighted(text, [7, 3, 1], 10),
        pb.CHECK_DIGIT_MOD11_2_TO_7: lambda: weighted(text, [2, 3, 4, 5, 6, 7], 11),
        pb.CHECK_DIGIT_ISO7064_MOD11_2: lambda: mod11_2(text),
        pb.CHECK_DIGIT_ISO7064_MOD11_10: lambda: hybrid(text, 10),
        pb.CHECK_DIGIT_ISO7064_MOD97_10: lambda: digits and len(text) > 2 and int(text) % 97 == 1,
        pb.CHECK_DIGIT_ISO7064_MOD37_36: lambda: hybrid(text, 36),
    }[scheme]()

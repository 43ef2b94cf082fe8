"""Responses that begin with a verdict."""

import pytest

from swipegate.devices.protocols import responses


@pytest.mark.parametrize("text", [b"", b"P", b"P10", b"P100", b"C1000", b"P10\xff0", b"\x00" * 9])
def test_what_is_no_response_is_refused_without_its_data(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a response has no head$"):
        responses.parse(text)


def test_a_response_hides_its_data() -> None:
    response = responses.parse(b"P6202;4111")
    assert (response.positive, response.code, response.data) == (True, "02", b";4111")
    assert "4111" not in repr(response)


def test_a_response_is_built_as_it_is_parsed() -> None:
    assert responses.build(b"C621", "43", positive=False) == b"N6243"
    assert responses.answers(b"C62", b"N6243")
    assert not responses.answers(b"C62", b"N6143")
    assert not responses.answers(b"C62", b"C6243")

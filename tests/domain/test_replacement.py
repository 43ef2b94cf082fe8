"""The nouns of assignment against the contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.domain.authority import PERMISSIONS, READ_TRACK_DATA, Licences, Principal
from swipegate.domain.card import CardStatus
from swipegate.domain.errors import SwipegateError, name
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.replacement import ReplaceCard, ResultCode
from swipegate.domain.user_card import CARD_USER_FLAGS_MASK
from swipegate.v1 import card_pb2, user_card_pb2

UUID = "0123abcd-4567-4890-abcd-ef0123456789"


def test_result_codes_are_those_of_the_contract() -> None:
    contract = {key.removeprefix("RESULT_CODE_"): value for key, value in user_card_pb2.ResultCode.items()}
    assert {code.name: code.value for code in ResultCode} == contract
    assert ResultCode.SUCCESS == 0


def test_card_states_are_those_of_the_contract() -> None:
    contract = {key.removeprefix("CARD_STATUS_") for key in dict(card_pb2.CardStatus.items())}
    assert {status.value for status in CardStatus} == contract - {"UNSPECIFIED"}


def test_the_flags_are_those_of_the_contract() -> None:
    assert sum(user_card_pb2.CardUserFlags.values()) == CARD_USER_FLAGS_MASK
    assert user_card_pb2.CARD_USER_FLAGS_ACTIVE_CARDHOLDER_RECORD == 1


def test_a_pin_is_in_no_repr() -> None:
    assert "8305719246" not in repr(ReplaceCard(UUID, card_id=UUID, pin="8305719246"))


@pytest.mark.parametrize("text", [UUID, UUID.upper(), UUID.replace("-", "")])
def test_a_uuid_is_brought_to_one_form(text: str) -> None:
    assert canonical_uuid("f", text) == UUID


@given(st.text(max_size=60))
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(SwipegateError) as caught:
        canonical_uuid("field", text)
    assert caught.value.metadata["field"] == "field"


@given(
    numbers=st.tuples(*[st.none() | st.integers(-(2**63), 2**63 - 1)] * 4),
    external=st.none() | st.text(max_size=70),
    pin=st.none() | st.text(alphabet="0123456789x", max_size=18),
    flags=st.none() | st.integers(0, 2**32 - 1),
    times=st.tuples(*[st.none() | st.integers(0, 10)] * 2),
)
def test_a_check_passes_or_names_a_field(
    numbers: tuple[int | None, ...],
    external: str | None,
    pin: str | None,
    flags: int | None,
    times: tuple[int | None, ...],
) -> None:
    internal, serial, facility, issue = numbers
    numbers_and_text = (internal, external, serial, facility, issue)
    command = ReplaceCard(UUID, UUID, None, None, *numbers_and_text, pin, False, *times, flags)
    good = (
        all(number is None or number >= 0 for number in numbers)
        and (external is None or (1 <= len(external) <= 64 and external.isprintable()))
        and (pin is None or (1 <= len(pin) <= 16 and "x" not in pin))
        and (flags is None or flags <= 127)
        and (None in times or times[0] < times[1])  # type: ignore[operator]
    )
    if good:
        command.check()
        return
    with pytest.raises(SwipegateError) as caught:
        command.check()
    assert name(caught.value.reason) == "INVALID_FIELD"
    assert hasattr(command, caught.value.metadata["field"])


def test_authority() -> None:
    reader = Principal("s", "c", frozenset(PERMISSIONS))
    reader.demand(READ_TRACK_DATA)
    with pytest.raises(SwipegateError) as caught:
        Principal("s", "c").demand(READ_TRACK_DATA)
    assert name(caught.value.reason) == "READ_CARD_NOT_AUTHORIZED"
    assert caught.value.metadata == {"permission": READ_TRACK_DATA}
    Licences().demand(reader)
    Licences(clients={"c"}, switched_off={"t"}).demand(reader)
    for licences in (Licences(clients=set()), Licences(clients={"d"}), Licences(switched_off={"s"})):
        with pytest.raises(SwipegateError) as caught:
            licences.demand(reader)
        assert name(caught.value.reason) == "NOT_AUTHORIZED_FOR_CLIENT"

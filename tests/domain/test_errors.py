"""The table of refusals against the contract."""

import string

import grpc
import pytest

from swipegate.api.status import CODES, status_of
from swipegate.domain.errors import TABLE, Kind, SwipegateError, invalid, name
from swipegate.v1.error_pb2 import ErrorReason

IN_REQUEST = 100
"""Reasons from this number on stand inside a card request; the others end a call."""
EXCEPTIONS = {
    "NOT_AUTHORIZED_FOR_CLIENT": "NotAuthorizedForClientException",
    "READ_CARD_NOT_AUTHORIZED": "ReadCardNotAuthorizedException",
    "PC_NAME_NOT_FOUND": "PCNameNotFoundException",
    "CARD_FORMAT_CMC_NOT_CONFIGURED": "CardFormatCMCNotConfiguredException",
}
"""The original's, by our reason."""


def test_every_reason_that_ends_a_call_is_in_the_table() -> None:
    assert set(TABLE) == {number for number in ErrorReason.values() if 0 < number < IN_REQUEST}


def test_the_originals_exceptions_are_named() -> None:
    assert {name(reason): entry.exception for reason, entry in TABLE.items() if entry.exception} == EXCEPTIONS


@pytest.mark.parametrize("reason", TABLE, ids=name)
def test_a_refusal_says_in_metadata_all_that_varies_in_its_message(reason: ErrorReason) -> None:
    names = {field for _, field, _, _ in string.Formatter().parse(TABLE[reason].message) if field}
    error = SwipegateError(reason, **{field: f"<{field}>" for field in names})
    status = status_of(error)
    assert status.code == CODES[TABLE[reason].kind].value[0]
    for field in names:
        assert f"<{field}>" in status.message
    assert sum(detail.TypeName() == "google.rpc.ErrorInfo" for detail in status.details) == 1


def test_every_kind_has_a_status_code_of_its_own() -> None:
    assert set(CODES) == set(Kind)
    assert len(set(CODES.values())) == len(Kind)
    assert grpc.StatusCode.UNKNOWN not in CODES.values()


def test_braces_in_a_value_are_no_placeholders() -> None:
    assert str(invalid("field", "{secret} {0}")) == "field: {secret} {0}"

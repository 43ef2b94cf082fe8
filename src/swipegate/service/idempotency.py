"""A call with a request_id is done once, however often it comes."""

from collections.abc import Callable

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import MAX_REQUEST_ID
from swipegate.service.sealing import Sealer
from swipegate.store import idempotency
from swipegate.v1 import error_pb2


def check_request_id(request_id: str) -> None:
    """Raise INVALID_FIELD for what is too long or cannot be printed; empty is no request_id and allowed."""
    if len(request_id) > MAX_REQUEST_ID or not request_id.isprintable():
        raise invalid("request_id", f"must be at most {MAX_REQUEST_ID} printable characters")


class Repeats:
    """Runs units of work at most once a request_id."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def once(
        self,
        connection: Connection,
        principal: Principal,
        method: str,
        request_id: str,
        body: bytes,
        now: int,
        work: Callable[[], bytes],
    ) -> bytes:
        """The answer of `work`, or of the first call with this request_id; part of the caller's transaction.

        Raises REQUEST_ID_REUSED when the body is another one. A refused call is not remembered.
        """
        if not request_id:
            return work()
        check_request_id(request_id)
        key = idempotency.Key(principal.subject, method, request_id)
        mac = self._sealer.mac(body)
        found = idempotency.find(connection, key)
        if found is None:
            answer = work()
            idempotency.keep(connection, key, mac, answer, now)
            return answer
        if found[0] != mac:
            raise SwipegateError(error_pb2.ERROR_REASON_REQUEST_ID_REUSED, request_id=request_id)
        return found[1]

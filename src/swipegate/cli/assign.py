"""`swipegate assign`: read a card at a device of a server and give it to a user, with questions where there are any."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from swipegate.cli import client
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import Exit, complain, console, fail, print_json
from swipegate.cli.token import mint
from swipegate.domain.card_request import MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE
from swipegate.v1 import card_assignment_pb2 as pb
from swipegate.v1 import card_assignment_pb2_grpc
from swipegate.v1.card_request_pb2 import CARD_REQUEST_USER_ACTION_RETRY, CardRequest

S = pb.CardAssignment
_TERMINAL = (S.STATE_SUCCEEDED, S.STATE_FAILED, S.STATE_CANCELLED, S.STATE_EXPIRED)
_LATE = ("HOLDER_CHANGED", "WRONG_ASSIGNMENT_STATE", "WRONG_STATE")
"""Refusals of an answer that came too late; what happened meanwhile is among the events."""


class IfHeld(StrEnum):
    """What becomes of a card that another user holds."""

    TAKE_OVER = "take-over"
    REFUSE = "refuse"
    ASK = "ask"


def assign(
    device_id: Annotated[int, typer.Argument(help="The device; `swipegate devices list` shows all.")],
    user_id: Annotated[str, typer.Argument(help="The user who gets the card.")],
    system: Annotated[str, typer.Option(help="The access control system of the card.")],
    card_type: Annotated[int, typer.Option("--type", help="The card type's number.")],
    if_held: Annotated[
        IfHeld | None,
        typer.Option(
            help="What becomes of a card that another user holds. [default: ask on a terminal, else refuse]",
            show_default=False,
        ),
    ] = None,
    facility_code: Annotated[int | None, typer.Option(help="Where the card format finds none.")] = None,
    issue_code: Annotated[int | None, typer.Option(help="Where the card format finds none.")] = None,
    card_serial_number: Annotated[int | None, typer.Option(help="Of a card that is new.")] = None,
    external_card_number: Annotated[
        str | None, typer.Option(help="The printed number of a card that is new, if not as read.")
    ] = None,
    ask_pin: Annotated[bool, typer.Option("--ask-pin", help="Ask for a PIN, without showing it.")] = False,
    seconds: Annotated[
        float,
        typer.Option(min=MIN_TIME_TO_LIVE, max=MAX_TIME_TO_LIVE, help="How long all of it may take."),
    ] = 120,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Read a card at a device of a server, and give it to a user.

    Follows it to its end, and asks what a person must say: whether to read again, and whether to take a card from
    the user who holds it. Without a terminal, or with --json, nothing is asked: an unreadable card ends it. Ctrl-C
    gives it up.
    """
    asks = sys.stdin.isatty() and not json
    if if_held is IfHeld.ASK and not asks:
        fail(Exit.USAGE, "--if-held ask: needs a terminal, and no --json")
    policy = if_held or (IfHeld.ASK if asks else IfHeld.REFUSE)
    pin = typer.prompt("PIN", hide_input=True, confirmation_prompt=True) if ask_pin else None
    limit = Duration()
    limit.FromNanoseconds(int(seconds * 1e9))
    request = pb.AssignFromDeviceRequest(
        device_id=device_id,
        user_id=user_id,
        card_ac_system_id=system,
        card_type=card_type,
        if_held=f"HELD_CARD_POLICY_{policy.name}",
        external_card_number=external_card_number,
        facility_code=facility_code,
        issue_code=issue_code,
        card_serial_number=card_serial_number,
        pin=pin,
        time_to_live=limit,
    )
    ended = _Desk(server, server_ca, mint(data_dir), asks=asks, json=json).run(request)
    if ended.state != S.STATE_SUCCEEDED:
        was_read = ended.card_request.state == CardRequest.STATE_SUCCEEDED
        raise typer.Exit(Exit.UNAVAILABLE if was_read else Exit.UNREADABLE)


class _Desk:
    """Follows one assignment and asks. No event loop runs while a person thinks, so that Ctrl-C ends a question."""

    def __init__(self, server: str, ca: Path | None, token: str, *, asks: bool, json: bool) -> None:
        self._server = server
        self._ca = ca
        self._metadata = client.bearer(token)
        self._asks = asks
        self._json = json

    def run(self, request: pb.AssignFromDeviceRequest) -> pb.CardAssignment:
        """The assignment once it has ended."""
        made = asyncio.run(self._call("AssignFromDevice", request))
        assert made is not None
        try:
            self._show(made)
            assignment = made
            while assignment.state not in _TERMINAL:
                assignment = asyncio.run(self._follow(assignment))
                if assignment.state == S.STATE_NEEDS_ACTION:
                    self._act(assignment)
                elif assignment.state == S.STATE_NEEDS_DECISION:
                    self._decide(assignment)
        except (KeyboardInterrupt, typer.Abort):
            self._cancel(made)
            raise
        return assignment

    def _act(self, assignment: pb.CardAssignment) -> None:
        reading = assignment.card_request
        again = CARD_REQUEST_USER_ACTION_RETRY in reading.failure.allowed_actions and self._asks
        if again and typer.confirm("Read again?", default=True):
            request = pb.RetryCardAssignmentRequest(
                card_assignment_id=assignment.card_assignment_id, attempt=reading.attempt
            )
            asyncio.run(self._call("RetryCardAssignment", request))
        else:
            self._cancel(assignment)

    def _decide(self, assignment: pb.CardAssignment) -> None:
        holder = assignment.previous_user_id
        take = typer.confirm(f"User {holder} holds this card. Take it over?", default=False)
        request = pb.DecideCardAssignmentRequest(
            card_assignment_id=assignment.card_assignment_id,
            decision=pb.HELD_CARD_POLICY_TAKE_OVER if take else pb.HELD_CARD_POLICY_REFUSE,
            previous_user_id=holder,
        )
        asyncio.run(self._call("DecideCardAssignment", request))

    def _cancel(self, assignment: pb.CardAssignment) -> None:
        request = pb.CancelCardAssignmentRequest(card_assignment_id=assignment.card_assignment_id)
        asyncio.run(self._call("CancelCardAssignment", request))

    async def _call(self, method: str, request: Any) -> pb.CardAssignment | None:
        """The assignment after the call; None where the call came too late."""
        async with client.connected(self._server, self._ca) as channel:
            stub = card_assignment_pb2_grpc.CardAssignmentServiceStub(channel)
            try:
                answer = await getattr(stub, method)(
                    request, metadata=self._metadata, timeout=client.CALL_TIMEOUT
                )
            except aio.AioRpcError as error:
                if client.reason_of(error) not in _LATE:
                    raise
                complain(f"{client.reason_of(error)}: {error.details()}")
                return None
        found: pb.CardAssignment = answer.card_assignment
        return found

    async def _follow(self, assignment: pb.CardAssignment) -> pb.CardAssignment:
        """Show every event until a person must say something, or the end."""
        async with client.connected(self._server, self._ca) as channel:
            stub = card_assignment_pb2_grpc.CardAssignmentServiceStub(channel)
            request = pb.WatchCardAssignmentRequest(
                card_assignment_id=assignment.card_assignment_id, after_sequence=assignment.sequence
            )
            # it expires, and the stream ends with it
            async for event in stub.WatchCardAssignment(request, metadata=self._metadata):
                assignment = event.card_assignment
                self._show(assignment)
                if assignment.state != S.STATE_READING:
                    break
        return assignment

    def _show(self, assignment: pb.CardAssignment) -> None:
        if self._json:
            print_json(_as_json(assignment))
            return
        reading = assignment.card_request
        if assignment.state == S.STATE_READING:
            waits = reading.state == CardRequest.STATE_WAITING_FOR_CARD
            hint = ": swipe or insert the card now" if waits else ""
            console.print(f"[dim]{_plain(CardRequest.State.Name(reading.state))}{hint}[/]")
        elif assignment.state == S.STATE_SUCCEEDED:
            console.print(f"[bold green]SUCCEEDED[/]  {_said(assignment)}", soft_wrap=True)
        else:
            why = f"  {assignment.reason}: {assignment.description}" if assignment.reason else ""
            console.print(f"[bold]{_plain(S.State.Name(assignment.state))}[/]", end="")
            console.print(why, markup=False, soft_wrap=True)


def _said(assignment: pb.CardAssignment) -> str:
    card, user, before = assignment.card_id, assignment.user_id, assignment.previous_user_id
    if before == user:
        return f"user {user} already held card {card}"
    return f"card {card} is user {user}'s" + (f"; it was user {before}'s" if before else "")


def _as_json(assignment: pb.CardAssignment) -> dict[str, Any]:
    reading = assignment.card_request
    return {
        "card_assignment_id": assignment.card_assignment_id,
        "sequence": assignment.sequence,
        "state": _plain(S.State.Name(assignment.state)),
        "reading": _plain(CardRequest.State.Name(reading.state)),
        "attempt": reading.attempt,
        "device_id": assignment.device_id,
        "user_id": assignment.user_id,
        "card_id": assignment.card_id,
        "previous_user_id": assignment.previous_user_id,
        "user_card_id": assignment.user_card_id,
        "reason": assignment.reason,
        "description": assignment.description,
    }


def _plain(name: str) -> str:
    return name.removeprefix("STATE_")

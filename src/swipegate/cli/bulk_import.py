"""`swipegate import`: users and cards from CSV files into a server."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from grpc import aio
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from swipegate.cli import client
from swipegate.cli.batches import ANSWER_TIMEOUT, Job, RefusedLine, Run, Tally, knock
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import Exit, complain, console, fail, print_json, printable, problems
from swipegate.cli.tables import Kind, TableError, whole
from swipegate.cli.token import mint
from swipegate.v1 import bulk_import_pb2 as pb
from swipegate.v1 import bulk_import_pb2_grpc, user_pb2

USERS = Kind(
    user_pb2.User,
    {"user_id": str.strip, "name": str, "occupancy_id": str.strip},
    frozenset({"name"}),
)
CARDS = Kind(
    pb.ImportedCard,
    {
        "ac_system_id": str.strip,
        "card_type": whole,
        "internal_card_number": whole,
        "external_card_number": str,
        "facility_code": whole,
        "issue_code": whole,
        "card_serial_number": whole,
        "user_id": str.strip,
    },
    frozenset({"ac_system_id", "card_type", "internal_card_number", "external_card_number"}),
)

_LOST = "Internal error from Core"
"""What grpc.aio makes of the server's own answer where that comes while a message is being written."""

app = typer.Typer(
    add_completion=False,
    help="Import users and cards from CSV files. An import that was cut off can be run again.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="CSV in UTF-8; the first line names the columns.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check every row, keep nothing.")]
RefusedFile = Annotated[
    Path | None, typer.Option("--refused", help="Write every row that is refused to this CSV file.")
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="SWIPEGATE_TOKEN", help="A token of the server. [default: minted with the key of --data-dir]"
    ),
]


@app.command("users")
def users(
    file: File,
    dry_run: DryRun = False,
    refused: RefusedFile = None,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    token: Token = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create the users of a file.

    Columns: user_id, [bold]name[/], occupancy_id. A user that is there already is passed over; a row without user_id
    makes a new user each time.
    """

    def request(rows: list[user_pb2.User]) -> pb.ImportUsersRequest:
        return pb.ImportUsersRequest(users=rows, validate_only=dry_run)

    job = Job(file, USERS, request, refused)
    said = _Said(file, dry_run, json)
    asyncio.run(_import(job, "ImportUsers", said, server, server_ca, token or mint(data_dir)))


@app.command("cards")
def cards(
    file: File,
    dry_run: DryRun = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take cards from users who hold them.")
    ] = False,
    refused: RefusedFile = None,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    token: Token = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create the cards of a file and give them to their holders.

    Columns: [bold]ac_system_id[/], [bold]card_type[/], [bold]internal_card_number[/], [bold]external_card_number[/],
    facility_code, issue_code, card_serial_number, user_id. A card that is there already, in the same hands, is
    passed over.
    """

    def request(rows: list[pb.ImportedCard]) -> pb.ImportCardsRequest:
        return pb.ImportCardsRequest(cards=rows, validate_only=dry_run, take_over=take_over)

    job = Job(file, CARDS, request, refused)
    said = _Said(file, dry_run, json)
    asyncio.run(_import(job, "ImportCards", said, server, server_ca, token or mint(data_dir)))


async def _import(job: Job, method: str, said: "_Said", server: str, ca: Path | None, token: str) -> None:
    with ExitStack() as files:
        try:
            run = Run(job, files, said.progress)
        except OSError as error:
            fail(Exit.USAGE, f"{error.filename}: {error.strerror}")
        except TableError as error:
            fail(Exit.USAGE, f"{job.file}: {error}")
        async with client.connected(server, ca) as channel:
            stub = bulk_import_pb2_grpc.BulkImportServiceStub(channel)
            try:
                with said.bar(run.size), _interruptible(run):
                    await _through(run, getattr(stub, method), client.bearer(token))
            except TimeoutError:
                fail(Exit.UNAVAILABLE, f"a batch was not answered within {ANSWER_TIMEOUT:g} seconds")
            finally:
                said.result(run.tally)
    if run.broken is not None:
        fail(Exit.USAGE, f"{job.file}: {run.broken}")
    if run.stopping:
        raise typer.Exit(Exit.INTERRUPTED)
    if run.tally.refused:
        raise typer.Exit(Exit.REFUSED)


async def _through(run: Run, method: Any, metadata: client.Metadata) -> None:
    try:
        await run.through(method(metadata=metadata))
    except aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.INTERNAL and error.details() == _LOST:
            # an empty import fails as that one did, where the cause still stands
            await knock(method(metadata=metadata))
        raise


@contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """The first Ctrl-C stops the import between two batches, the second one at once."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        run.stop()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class _Said:
    """What is told of an import, on the way and at its end."""

    def __init__(self, file: Path, dry_run: bool, json: bool) -> None:
        self._file = file
        self._dry_run = dry_run
        self._json = json
        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=problems,
            transient=True,
            disable=json or not problems.is_terminal,
        )
        self._bar = self._progress.add_task("", total=None)

    @contextmanager
    def bar(self, size: int) -> Iterator[None]:
        """Show how much of the file, of `size` bytes, is settled."""
        if self._progress.disable:  # some versions of Rich end even a bar that was never shown with a line
            yield
            return
        self._progress.update(self._bar, total=size)
        with self._progress:
            yield

    def progress(self, tally: Tally) -> None:
        """Show how far it got."""
        rate = tally.rows / self._seconds
        text = f"{tally.rows:,} rows, {rate:,.0f} a second, {tally.refused:,} refused"
        self._progress.update(self._bar, completed=tally.position, description=text)

    def result(self, tally: Tally) -> None:
        """Say what came of it."""
        if self._json:
            print_json(self._object(tally))
            return
        for one in tally.first:
            complain(_line(one))
        if tally.refused > len(tally.first):
            complain(f"and {tally.refused - len(tally.first):,} more; --refused FILE.csv keeps them all")
        verb = "would be new or change hands" if self._dry_run else "new or changed hands"
        console.print(
            f"[bold]{tally.rows:,}[/] rows in {self._seconds:.1f} s: {tally.created:,} {verb}, "
            f"{tally.unchanged:,} were there already, {tally.refused:,} refused",
            soft_wrap=True,
        )
        if not tally.complete:
            name = escape(printable(str(self._file)))
            console.print(
                f"{name} is settled up to its line {tally.line}, the rest not known; "
                "what is settled stays. Run the same command again to go on.",
                soft_wrap=True,
            )

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._began, 0.001)

    def _object(self, tally: Tally) -> dict[str, Any]:
        return {
            "file": str(self._file),
            "dry_run": self._dry_run,
            "complete": tally.complete,
            "rows": tally.rows,
            "created": tally.created,
            "unchanged": tally.unchanged,
            "refused": tally.refused,
            "last_line": tally.line,
            "seconds": round(self._seconds, 3),
        }


def _line(one: RefusedLine) -> str:
    field = f" {one.field}" if one.field and not one.description.startswith(one.field) else ""
    return f"line {one.row.line}: {one.reason}{field}: {one.description}"

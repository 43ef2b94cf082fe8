"""What many tests need: a real server in this process and clients to it."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from grpc import aio

from swipegate.api.server import Server
from swipegate.domain.authority import PERMISSIONS
from swipegate.service.tokens import tokens_of
from swipegate.settings import Settings, load
from swipegate.v1 import (
    ac_system_pb2_grpc,
    bulk_import_pb2_grpc,
    card_assignment_pb2_grpc,
    card_format_pb2_grpc,
    card_pb2_grpc,
    card_request_pb2_grpc,
    device_pb2_grpc,
    occupancy_pb2_grpc,
    outbox_pb2_grpc,
    track_pb2_grpc,
    user_card_pb2_grpc,
    user_pb2_grpc,
)

if TYPE_CHECKING:
    from tests.databases import Postgres, Where
    from tests.people import People

# Parallel workers set these, and a console keeps for ever the width it finds when it is made.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# how long an example takes says something about the machine, not about the code
hypothesis.settings.register_profile("swipegate", deadline=None)
hypothesis.settings.load_profile("swipegate")

ROOT = Path(__file__).parent.parent
CALL_TIMEOUT = 30.0
"""Seconds for any call of a test."""


@pytest.fixture
def shared() -> Path:
    """The folder of other people's cases and recordings, which lies beside the checkout; skips where it does not."""
    folder = Path(os.environ.get("SWIPEGATE_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the shared cases and recordings are not beside this checkout")
    return folder


@dataclass
class Client:
    """Stubs of every service, and how to call them."""

    channel: aio.Channel
    metadata: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        self.tracks = track_pb2_grpc.TrackServiceStub(self.channel)
        self.card_requests = card_request_pb2_grpc.CardRequestServiceStub(self.channel)
        self.card_assignments = card_assignment_pb2_grpc.CardAssignmentServiceStub(self.channel)
        self.devices = device_pb2_grpc.DeviceServiceStub(self.channel)
        self.card_formats = card_format_pb2_grpc.CardFormatServiceStub(self.channel)
        self.user_cards = user_card_pb2_grpc.UserCardServiceStub(self.channel)
        self.cards = card_pb2_grpc.CardServiceStub(self.channel)
        self.ac_systems = ac_system_pb2_grpc.AcSystemServiceStub(self.channel)
        self.occupancies = occupancy_pb2_grpc.OccupancyServiceStub(self.channel)
        self.outbox = outbox_pb2_grpc.OutboxServiceStub(self.channel)
        self.bulk_import = bulk_import_pb2_grpc.BulkImportServiceStub(self.channel)
        self.users = user_pb2_grpc.UserServiceStub(self.channel)

    @property
    def options(self) -> dict[str, Any]:
        """Keywords of every call."""
        return {"metadata": self.metadata, "timeout": CALL_TIMEOUT}


@pytest.fixture(scope="session")
def postgresql() -> Iterator["Postgres"]:
    """A real PostgreSQL server, started by the first test that needs it."""
    from tests.databases import Postgres

    # a test's own crashes leave the system's cache whole
    server = Postgres("fsync = off", "max_connections = 200")
    yield server
    server.remove()


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; `tests.databases.both` gives it both."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def where(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator["Where"]:
    """A database of the test's own."""
    if kind == "sqlite":
        yield tmp_path / "data" / "swipegate.db"
        return
    with request.getfixturevalue("postgresql").database() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, where: "Where") -> Settings:
    """Of a server with its own data and port."""
    (tmp_path / "data").mkdir(mode=0o700)
    url = None if isinstance(where, Path) else where.render_as_string(hide_password=False)
    return load(
        data_dir=tmp_path / "data",
        database_url=url,
        listen="127.0.0.1:0",
        pc_name="test-pc",
        drain_delay=0,
        shutdown_grace=1,
    )


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Server]:
    """A whole server, ended in good order."""
    running = Server(settings)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def bearer(settings: Settings) -> Callable[..., tuple[tuple[str, str], ...]]:
    """Mints a token: bearer(subject=..., permissions=[...]) gives the metadata of a call."""

    def mint(
        subject: str = "tester",
        client: str = "tests",
        permissions: tuple[str, ...] = PERMISSIONS,
        seconds: int = 600,
    ) -> tuple[tuple[str, str], ...]:
        token = tokens_of(settings).mint(subject, client, permissions, seconds)
        return (("authorization", f"Bearer {token}"),)

    return mint


@pytest.fixture
async def client(server: Server, bearer: Callable[..., tuple[tuple[str, str], ...]]) -> AsyncIterator[Client]:
    """A client with every permission."""
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Client(channel, bearer())


@pytest.fixture
def people(client: Client) -> "People":
    """Makes users, systems and cards."""
    from tests.people import People

    return People(client)

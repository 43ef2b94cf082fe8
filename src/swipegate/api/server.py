"""The server: `build` puts the floors together, `Server` starts them and brings them down in order."""

import asyncio
import contextlib
import fcntl
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from swipegate.api import tracks as tracks_api
from swipegate.api.ac_systems import AcSystemServicer
from swipegate.api.bulk_import import BulkImportServicer
from swipegate.api.card_assignments import CardAssignmentServicer
from swipegate.api.card_formats import CardFormatServicer
from swipegate.api.card_requests import CardRequestServicer
from swipegate.api.cards import CardServicer
from swipegate.api.devices import DeviceServicer
from swipegate.api.interceptors import Border
from swipegate.api.occupancies import OccupancyServicer
from swipegate.api.outbox import OutboxServicer
from swipegate.api.user_cards import UserCardServicer
from swipegate.api.users import UserServicer
from swipegate.connectors import webhook
from swipegate.domain.authority import Licences
from swipegate.host.local import LocalHost
from swipegate.service import clock, keys
from swipegate.service.ac_systems import AcSystems
from swipegate.service.bell import Bell
from swipegate.service.bulk_import import BulkImport
from swipegate.service.card_assignments import CardAssignments
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests
from swipegate.service.card_types import CardTypes
from swipegate.service.cards import Cards
from swipegate.service.deliveries import Deliveries
from swipegate.service.devices import Devices
from swipegate.service.housekeeping import Housekeeping
from swipegate.service.installation import demand_key
from swipegate.service.occupancies import Occupancies
from swipegate.service.outbox import Outbox
from swipegate.service.receivers import Receivers
from swipegate.service.sealing import Sealer
from swipegate.service.tokens import Tokens
from swipegate.service.tracks import Tracks
from swipegate.service.user_card_events import UserCardEvents
from swipegate.service.user_cards import UserCards
from swipegate.service.users import Users
from swipegate.settings import Settings
from swipegate.store.database import Database
from swipegate.v1 import (
    ac_system_pb2,
    ac_system_pb2_grpc,
    bulk_import_pb2,
    bulk_import_pb2_grpc,
    card_assignment_pb2,
    card_assignment_pb2_grpc,
    card_format_pb2,
    card_format_pb2_grpc,
    card_pb2,
    card_pb2_grpc,
    card_request_pb2,
    card_request_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    occupancy_pb2,
    occupancy_pb2_grpc,
    outbox_pb2,
    outbox_pb2_grpc,
    track_pb2,
    user_card_pb2,
    user_card_pb2_grpc,
    user_pb2,
    user_pb2_grpc,
)

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message; gRPC's own default, which every client shares."""
TOKEN_KEY = "token.key"  # noqa: S105 - a file name
SEALING_KEY = "sealing.key"
DATABASE = "swipegate.db"
_SERVICES = (
    track_pb2.DESCRIPTOR,
    card_request_pb2.DESCRIPTOR,
    card_assignment_pb2.DESCRIPTOR,
    device_pb2.DESCRIPTOR,
    card_format_pb2.DESCRIPTOR,
    user_card_pb2.DESCRIPTOR,
    card_pb2.DESCRIPTOR,
    ac_system_pb2.DESCRIPTOR,
    user_pb2.DESCRIPTOR,
    occupancy_pb2.DESCRIPTOR,
    outbox_pb2.DESCRIPTOR,
    bulk_import_pb2.DESCRIPTOR,
)

log = logging.getLogger(__name__)


class ServerError(Exception):
    """The server cannot start; the text says why and what to do."""


class FilesError(ServerError):
    """A file that the server needs cannot be used: the data folder, a key, the database, a certificate."""


def tokens_of(settings: Settings) -> Tokens:
    """The tokens of an installation; its key is made at first use."""
    licences = Licences(settings.licensed_clients, settings.switched_off_users)
    return Tokens(keys.load_or_create(settings.data_dir / TOKEN_KEY), licences)


def database_of(settings: Settings) -> Path | URL:
    """Where the database of an installation is."""
    if settings.database_url is None:
        return settings.data_dir / DATABASE
    try:
        return make_url(settings.database_url.get_secret_value())
    except (ArgumentError, ValueError):  # their texts would repeat the URL
        raise ServerError("database_url must be postgresql://USER@HOST/DATABASE") from None


class Server:
    """A whole Swipegate in this process: database, devices of this PC, gRPC."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exit = contextlib.AsyncExitStack()
        self._grpc: aio.Server | None = None
        self._health = HealthServicer()
        self._bell = Bell()
        self.port = 0
        """The port it listens on."""

    async def start(self) -> None:
        """Open the database, take over the devices, then listen. Raises ServerError."""
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise

    async def stop(self) -> None:
        """NOT_SERVING, a moment for balancers to see it, then the calls, the devices and the database."""
        if self._grpc is None:
            return
        server, self._grpc = self._grpc, None
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_delay)
        self._bell.close()
        await server.stop(self._settings.shutdown_grace)
        await self._exit.aclose()

    async def _start(self) -> None:
        settings = self._settings
        with _files_of(settings.data_dir):
            settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._exit.callback(lock_data_dir(settings.data_dir))
            sealer = Sealer(keys.load_or_create(settings.data_dir / SEALING_KEY))
            tokens = tokens_of(settings)
            database = Database(database_of(settings))
            database.open(upgrade=settings.upgrade_database)
        self._exit.push_async_callback(asyncio.to_thread, database.close)
        await demand_key(database, sealer)
        bell = self._bell
        formats = CardFormats(database)
        devices = Devices(database, bell, clock.now, settings.pc_name)
        requests = CardRequests(database, sealer, bell, clock.now, settings.track_data_time_to_live)
        assignments = CardAssignments(database, sealer, bell, clock.now, requests)

        server = self._grpc_server(tokens)
        self.port = self._bind(
            server
        )  # before a device is touched: a port that is taken must cost no request
        host = LocalHost(settings.pc_name, devices, requests, formats, bell, clock.now)
        await host.start()
        self._exit.push_async_callback(host.stop)
        housekeeping = Housekeeping(database, requests, assignments, clock.now)
        housekeeping.start()
        self._exit.push_async_callback(housekeeping.stop)
        receivers = Receivers(clock.now)
        http = webhook.new_client()
        self._exit.push_async_callback(http.aclose)
        deliveries = Deliveries(
            database, sealer, receivers, bell, clock.now, partial(webhook.WebhookConnector, http)
        )
        deliveries.start()
        self._exit.push_async_callback(deliveries.stop)

        tracks_api.add_to_server(tracks_api.TrackServicer(Tracks(formats), bell), server)
        card_request_pb2_grpc.add_CardRequestServiceServicer_to_server(CardRequestServicer(requests), server)
        card_assignment_pb2_grpc.add_CardAssignmentServiceServicer_to_server(
            CardAssignmentServicer(assignments), server
        )
        device_pb2_grpc.add_DeviceServiceServicer_to_server(DeviceServicer(devices), server)
        card_format_pb2_grpc.add_CardFormatServiceServicer_to_server(CardFormatServicer(formats), server)
        user_cards = UserCards(database, sealer, bell, clock.now)
        user_card_pb2_grpc.add_UserCardServiceServicer_to_server(
            UserCardServicer(user_cards, UserCardEvents(database, bell)), server
        )
        card_pb2_grpc.add_CardServiceServicer_to_server(
            CardServicer(Cards(database, bell, clock.now), CardTypes(database)), server
        )
        occupancy_pb2_grpc.add_OccupancyServiceServicer_to_server(
            OccupancyServicer(Occupancies(database)), server
        )
        ac_system_pb2_grpc.add_AcSystemServiceServicer_to_server(
            AcSystemServicer(AcSystems(database, sealer, receivers, bell, clock.now)), server
        )
        outbox_pb2_grpc.add_OutboxServiceServicer_to_server(
            OutboxServicer(Outbox(database, receivers, bell, clock.now)), server
        )
        user_pb2_grpc.add_UserServiceServicer_to_server(UserServicer(Users(database, clock.now)), server)
        bulk_import = BulkImport(database, sealer, bell, clock.now)
        bulk_import_pb2_grpc.add_BulkImportServiceServicer_to_server(
            BulkImportServicer(bulk_import, bell), server
        )
        names = [name for file in _SERVICES for name in _full_names(file)]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*names, "grpc.health.v1.Health", reflection.SERVICE_NAME], server
        )

        await server.start()
        self._grpc = server
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def _grpc_server(self, tokens: Tokens) -> aio.Server:
        return aio.server(
            interceptors=(Border(tokens),),
            maximum_concurrent_rpcs=self._settings.max_concurrent_rpcs,
            options=(
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.so_reuseport", 0),
                # kiosks keep streams open for days: notice the dead, allow pings
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ),
        )

    def _bind(self, server: aio.Server) -> int:
        settings = self._settings
        try:
            if settings.tls_certificate is None or settings.tls_key is None:
                port = server.add_insecure_port(settings.listen)
            else:
                credentials = _tls(settings.tls_certificate, settings.tls_key)
                port = server.add_secure_port(settings.listen, credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            raise ServerError(f"cannot listen on {settings.listen}: taken, or not an address of this machine")
        return port


def _full_names(file: FileDescriptor) -> list[str]:
    return [service.full_name for service in file.services_by_name.values()]


@contextlib.contextmanager
def _files_of(folder: Path) -> Iterator[None]:
    """What the operating system says against the folder, as a FilesError."""
    try:
        yield
    except OSError as error:
        raise FilesError(f"cannot use the data folder {folder}: {error}") from None


def _tls(certificate: Path, key: Path) -> grpc.ServerCredentials:
    try:
        # gRPC does not say what is wrong with them, and would ask for a passphrase
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
        return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    except ssl.SSLError as error:
        raise FilesError(f"{certificate} and {key} are no TLS certificate and key: {error}") from None
    except OSError as error:
        raise FilesError(f"cannot read the TLS files {certificate} and {key}: {error}") from None


def lock_data_dir(folder: Path) -> Callable[[], None]:
    """Keep a second server from the same data; the answer lets go of it. The lock ends with the process.

    Raises ServerError where there is one.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ServerError(
            f"another swipegate server works on {folder}: stop it, or give a data_dir"
        ) from None
    return partial(os.close, descriptor)

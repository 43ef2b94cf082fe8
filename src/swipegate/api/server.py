"""The server: `Server` puts the floors together, starts them and brings them down in order."""

import asyncio
import contextlib
import fcntl
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from swipegate.api.border import Border
from swipegate.api.servicers import UseCases, add_all
from swipegate.connectors import webhook
from swipegate.host.local import LocalHost
from swipegate.service import clock, keys
from swipegate.service.bell import Bell
from swipegate.service.deliveries import Deliveries
from swipegate.service.housekeeping import Housekeeping
from swipegate.service.installation import demand_key
from swipegate.service.sealing import Sealer
from swipegate.service.tokens import tokens_of
from swipegate.settings import Settings
from swipegate.store.database import Database

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message; gRPC's own default, which every client shares."""
SEALING_KEY = "sealing.key"
DATABASE = "swipegate.db"
log = logging.getLogger(__name__)


class ServerError(Exception):
    """The server cannot start; the text says why and what to do."""


class FilesError(ServerError):
    """A file that the server needs cannot be used: the data folder, a key, the database, a certificate."""


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
        self._health = health.aio.HealthServicer()
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
        use = UseCases(database, sealer, self._bell, settings)
        border = Border(tokens)
        server = self._grpc_server(border)
        # before a device is touched: a port that is taken must cost no request
        self.port = self._bind(server)
        await self._start_workers(database, sealer, use)
        names = add_all(use, border)
        self._add_standard_services(border, names)

        await server.start()
        self._grpc = server
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def _start_workers(self, database: Database, sealer: Sealer, use: UseCases) -> None:
        """What works though nobody asks: the devices of this PC, what is due, what is to be delivered."""
        bell, now = self._bell, clock.now
        host = LocalHost(self._settings.pc_name, use.devices, use.card_requests, use.card_formats, bell, now)
        await host.start()
        self._exit.push_async_callback(host.stop)
        housekeeping = Housekeeping(database, use.card_requests, use.card_assignments, now)
        housekeeping.start()
        self._exit.push_async_callback(housekeeping.stop)
        http = webhook.new_client()
        self._exit.push_async_callback(http.aclose)
        connector = partial(webhook.WebhookConnector, http)
        deliveries = Deliveries(database, sealer, use.receivers, bell, now, connector)
        deliveries.start()
        self._exit.push_async_callback(deliveries.stop)

    def _grpc_server(self, border: Border) -> aio.Server:
        return aio.server(
            handlers=(border,),
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

    def _add_standard_services(self, border: Any, names: list[str]) -> None:
        """Health and reflection; the types of their own code ask for a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, border)
        reflector = reflection.aio.ReflectionServicer([*names, health.SERVICE_NAME, reflection.SERVICE_NAME])
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflector, border)  # type: ignore[no-untyped-call]

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

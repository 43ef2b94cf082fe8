"""Settings: flags over environment (SWIPEGATE_...) over a TOML file over the defaults here."""

import os
import socket
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

MAX_PORT = 65_535
_PORT_DIGITS = len(str(MAX_PORT))


def default_data_dir() -> Path:
    """Where a server keeps its database and keys (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "swipegate"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(env_prefix="SWIPEGATE_", extra="forbid", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the keys, and of the database unless database_url names another."""
    database_url: SecretStr | None = None
    """`postgresql://...`, for several servers on one database; None: SQLite in data_dir."""
    upgrade_database: bool = False
    """Bring an older database up to this version's schema at the start."""
    listen: str = "127.0.0.1:50551"
    """Address of the gRPC server; port 0 takes a free one."""
    pc_name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=253)
    """Name of this PC, as devices name their host."""
    tls_certificate: Path | None = None
    """PEM certificate chain; with tls_key the server speaks TLS."""
    tls_key: Path | None = None
    """PEM private key."""
    licensed_clients: frozenset[str] | None = None
    """Client applications that hold a licence; None licenses all."""
    switched_off_users: frozenset[str] = frozenset()
    """Token subjects for whom every client application is switched off."""
    track_data_time_to_live: float = Field(default=120, ge=1, le=3600)
    """Seconds for which track data waits, sealed, to be fetched."""
    drain_delay: float = Field(default=0.5, ge=0, le=60)
    """Seconds between NOT_SERVING and the end of service at shutdown."""
    shutdown_grace: float = Field(default=5, ge=0, le=300)
    """Seconds that running calls get at shutdown."""
    max_concurrent_rpcs: int = Field(default=10_000, ge=1, le=1_000_000)
    """Calls handled at the same time; the next is refused with RESOURCE_EXHAUSTED."""

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, listen: str) -> str:
        """gRPC takes a port over the largest modulo 65,536."""
        _, colon, port = listen.rpartition(":")
        if not listen.startswith("unix:") and not (
            colon
            and port.isascii()
            and port.isdigit()
            and len(port) <= _PORT_DIGITS
            and int(port) <= MAX_PORT
        ):
            raise ValueError(f"must be HOST:PORT, the port 0 to {MAX_PORT}")
        return listen

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        """What stands in the URL is not repeated: it may hold a password."""
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://USER@HOST/DATABASE")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, then the file that SWIPEGATE_CONFIG names."""
        chosen = [init_settings, env_settings]
        path = os.environ.get("SWIPEGATE_CONFIG")
        if path:
            with Path(path).open("rb"):  # the source itself passes over a file that is not there
                pass
            chosen.append(TomlConfigSettingsSource(settings_cls, Path(path)))
        return tuple(chosen)


def load(**flags: Any) -> Settings:
    """The settings; a flag that is None was not given. Raises pydantic.ValidationError."""
    return Settings(**{name: value for name, value in flags.items() if value is not None})

"""What `swipegate` says to settings, files and addresses that are wrong: one line, and the right exit code."""

import datetime
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.settings import load
from tests.adversity.serving import ServeProcess

USAGE, UNAVAILABLE = int(Exit.USAGE), int(Exit.UNAVAILABLE)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("SWIPEGATE_DATA_DIR", str(folder))
    monkeypatch.setenv("SWIPEGATE_LISTEN", "127.0.0.1:0")
    return folder


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code, and what stands on stderr."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


def refused(code: int, words: str, *arguments: str | Path) -> None:
    """The command ends with this code and one line on stderr that holds the words."""
    found, line = run(*arguments)
    assert found == code, line
    assert words in line
    assert line.count("\n") == 1
    assert line.startswith("swipegate: ")


def test_flags_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "swipegate.toml"
    file.write_text('pc_name = "file"\ndrain_delay = 7\nlicensed_clients = ["a", "b"]\nshutdown_grace = 9\n')
    monkeypatch.setenv("SWIPEGATE_CONFIG", str(file))
    monkeypatch.setenv("SWIPEGATE_DRAIN_DELAY", "3")
    monkeypatch.setenv("SWIPEGATE_SWITCHED_OFF_USERS", '["eve"]')
    settings = load(pc_name="flag", shutdown_grace=None)
    assert (settings.pc_name, settings.drain_delay, settings.shutdown_grace) == ("flag", 3, 9)
    assert settings.licensed_clients == {"a", "b"}
    assert settings.switched_off_users == {"eve"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"listen = ", "settings file"),
        (b"\xff\xfe", "settings file"),
        (b'listn = "x"', "listn"),
        (b"drain_delay = 'soon'", "drain_delay"),
        (b"max_concurrent_rpcs = 0", "max_concurrent_rpcs"),
    ],
)
def test_wrong_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, words: str) -> None:
    file = tmp_path / "swipegate.toml"
    file.write_bytes(text)
    monkeypatch.setenv("SWIPEGATE_CONFIG", str(file))
    refused(USAGE, words, "token")


def test_file_that_is_not_there_or_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        monkeypatch.setenv("SWIPEGATE_CONFIG", str(path))
        refused(USAGE, str(path), "token")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRAIN_DELAY", "nan"),
        ("SHUTDOWN_GRACE", "-1"),
        ("TRACK_DATA_TIME_TO_LIVE", "0"),
        ("PC_NAME", ""),
        ("LICENSED_CLIENTS", "abc"),
        ("LISTEN", "nonsense"),
        ("LISTEN", "127.0.0.1:65536"),
        ("LISTEN", "127.0.0.1:"),
    ],
)
def test_wrong_environment(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SWIPEGATE_{name}", value)
    refused(USAGE, name.lower(), "serve")


def test_data_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a file")
    for folder in (file, file / "below", Path("/proc/nope")):
        for command in ("serve", "token"):
            refused(USAGE, str(folder), command, "--data-dir", folder)


def test_files_in_the_data_folder_that_are_wrong(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "sealing.key").write_bytes(b"short")
    (data_dir / "sealing.key").chmod(0o600)
    refused(USAGE, "sealing.key", "serve")
    (data_dir / "sealing.key").unlink()
    (data_dir / "swipegate.db").write_text("this is no database, and long enough to show it" * 9)
    refused(USAGE, "swipegate.db", "serve")


def test_port_taken_or_of_another_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(UNAVAILABLE, address, "serve", "--listen", address)
    refused(UNAVAILABLE, "192.0.2.1", "serve", "--listen", "192.0.2.1:50551")


def test_second_server_on_the_same_data(data_dir: Path) -> None:
    with ServeProcess(data_dir):
        refused(UNAVAILABLE, "another swipegate server", "serve")


def test_tls_files(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    public, key = certificate
    bad = tmp_path / "bad.pem"
    bad.write_text("no PEM")
    refused(USAGE, "both", "serve", "--tls-key", key)
    refused(USAGE, "missing", "serve", "--tls-key", tmp_path / "missing", "--tls-certificate", public)
    refused(USAGE, "bad.pem", "serve", "--tls-key", bad, "--tls-certificate", public)
    refused(USAGE, "bad.pem", "serve", "--tls-key", key, "--tls-certificate", bad)
    refused(USAGE, "certificate", "serve", "--tls-key", public, "--tls-certificate", key)


def test_tls_server_answers(
    data_dir: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIPEGATE_TLS_CERTIFICATE", str(certificate[0]))
    monkeypatch.setenv("SWIPEGATE_TLS_KEY", str(certificate[1]))
    with ServeProcess(data_dir) as serving:
        trusted = grpc.ssl_channel_credentials(certificate[0].read_bytes())
        named = (("grpc.ssl_target_name_override", "localhost"),)
        with grpc.secure_channel(f"127.0.0.1:{serving.port}", trusted, options=named) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        address = f"127.0.0.1:{serving.port}"
        trusting = ["--server", address, "--server-ca", certificate[0], "--data-dir", data_dir]
        assert run("devices", "add", "desk", "/dev/null", *trusting)[0] == 0
        assert run("devices", "list", *trusting)[0] == 0
        refused(
            USAGE,
            "--server-ca",
            "devices",
            "list",
            "--server-ca",
            data_dir / "missing",
            "--data-dir",
            data_dir,
        )
        assert serving.terminate() == 0


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("Foo", ["--permission", "Foo"]),
        ("--subject", ["--subject", "s" * 257]),
        ("--subject", ["--subject", ""]),
        ("--client", ["--client", "c" * 257]),
    ],
)
def test_tokens_that_no_server_would_take(words: str, arguments: list[str]) -> None:
    refused(USAGE, words, "token", *arguments)


def test_devices_commands_that_are_wrong() -> None:
    nobody = ("--server", "127.0.0.1:1")
    refused(UNAVAILABLE, "127.0.0.1:1", "devices", "list", *nobody)
    refused(UNAVAILABLE, "''", "devices", "list", "--server", "")
    refused(USAGE, "KEY=VALUE", "devices", "add", "desk", "loop://", "--setting", "mode", *nobody)
    refused(USAGE, "UTF-8", "devices", "add", "desk\udcff", "loop://", *nobody)
    assert run("devices", "add", "desk", "loop://", "--device-id", str(2**31), *nobody)[0] == USAGE
    refused(UNAVAILABLE, "PORT_OPEN", "devices", "read", "/dev/nope")
    refused(UNAVAILABLE, "No such file", "devices", "read", "/dev/nope")
    refused(USAGE, "nope", "devices", "read", "loop://", "--driver", "nope")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    with ServeProcess(tmp_path_factory.mktemp("serving")) as process:
        yield process


def test_devices_are_added_and_listed(serving: ServeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIPEGATE_DATA_DIR", str(serving.data_dir))
    server = ("--server", f"127.0.0.1:{serving.port}")
    assert run("devices", "add", "desk", "loop://", "--device-id", "7", *server) == (0, "")
    refused(UNAVAILABLE, "DEVICE_EXISTS", "devices", "add", "desk", "loop://", "--device-id", "7", *server)
    listed = CliRunner().invoke(app, ["devices", "list", "--json", *server])
    assert listed.stdout.count('"device_id": 7') == 1


def test_token_of_another_installation_is_refused(serving: ServeProcess) -> None:
    refused(UNAVAILABLE, "UNAUTHENTICATED", "devices", "list", "--server", f"127.0.0.1:{serving.port}")

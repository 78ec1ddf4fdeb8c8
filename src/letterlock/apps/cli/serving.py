"""What the commands that run a service have in common: where it listens, its certificate, its database, its accounts."""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from ...errors import InputError, TransportError
from ...ids import number
from ...services.credentials import derived_passwords
from ...services.database import is_url
from .account import LAB_PASSWORD

__all__ = [
    "add_accounts",
    "add_database",
    "add_listening",
    "database",
    "listening",
    "operator_secret",
    "passwords",
    "port",
    "server_tls",
]


def add_listening(parser: argparse.ArgumentParser, default_port: int) -> None:
    """--host, --port, --certificate, --key."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=port, default=default_port, help="default %(default)s; 0 takes a free one")
    parser.add_argument("--certificate", metavar="FILE", help="PEM chain; with --key, speak TLS")
    parser.add_argument("--key", metavar="FILE", help="PEM private key of the certificate")


def add_database(parser: argparse.ArgumentParser, default: str) -> None:
    """--database."""
    parser.add_argument(
        "--database",
        metavar="FILE|URL",
        help=f"default: {default}; or postgresql://USER@HOST/NAME, with its password in PGPASSWORD or a PGPASSFILE",
    )


def database(arguments: argparse.Namespace, file: str) -> str:
    """What a service is to keep its rows in: --database, or a file of the data directory."""
    if arguments.database and is_url(arguments.database):
        return str(arguments.database)
    path = Path(arguments.database.removeprefix("sqlite:")) if arguments.database else arguments.data_dir / file
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(path)


def add_accounts(parser: argparse.ArgumentParser) -> None:
    """--account, --secret-file, --password: whom `passwords` admits."""
    parser.add_argument(
        "--account", action="append", default=[], metavar="NUMBER:PASSWORD", help="admit only these; may be repeated"
    )
    parser.add_argument(
        "--secret-file",
        metavar="FILE",
        help="derive each number's password from this secret, as the provisioning server does; made if it is not there",
    )
    parser.add_argument("--password", default=LAB_PASSWORD, help="the one password of a lab (default: %(default)s)")


def passwords(arguments: argparse.Namespace, service: str) -> Callable[[str], str | None]:
    """The accounts of a service: those listed, those of the operator's secret, or any number with the lab's password."""
    if arguments.account:
        pairs = [item.partition(":") for item in arguments.account]
        return {str(number(name)): password for name, _, password in pairs}.get
    if arguments.secret_file:
        return derived_passwords(operator_secret(Path(arguments.secret_file)), service)
    given: str = arguments.password

    def lab(username: str) -> str | None:
        try:
            number(username)
        except InputError:
            return None
        return given

    return lab


def operator_secret(path: Path) -> bytes:
    """The secret in a file that its owner alone can read; made when there is none."""
    try:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(os.urandom(32).hex().encode() + b"\n")
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise InputError(f"others can read {path}", code="input.secret", hint=f"chmod 600 {path}")
            return file.read(4096).strip()
    except OSError as error:
        raise InputError(f"the secret {path} cannot be read: {error.strerror}", code="input.secret") from error


def server_tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """The context of --certificate and --key; None without them."""
    if bool(arguments.certificate) != bool(arguments.key):
        raise InputError(
            "a certificate and its key go together", code="input.tls", hint="give both --certificate and --key"
        )
    if not arguments.certificate:
        return None
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        tls.load_cert_chain(arguments.certificate, arguments.key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"the certificate cannot be used: {error}", code="input.tls") from error
    return tls


def port(text: str) -> int:
    """The type of an argument that is a port."""
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


async def listening(starting: Awaitable[None], arguments: argparse.Namespace) -> None:
    """Start a service; why it cannot listen, in words, when it cannot."""
    try:
        await starting
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror or str(error)
        raise TransportError(
            f"cannot listen on {arguments.host}:{arguments.port}: {reason}",
            code="transport.listen",
            hint="another program has the port, or it is not yours to take; choose another with --port",
        ) from error

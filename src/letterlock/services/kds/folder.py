"""A folder with what a key distribution server is made of: keys in PEM, the certificates of its authority, its number.

`make_folder` writes all of it once. Two files are not needed by the running server and belong elsewhere: `root.key` to
where nobody reaches it over a network, `acs.key` to the configuration server.
"""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...crypto.key_files_pyca import public_key_pem, read_public_key
from ...errors import DecodeError, InputError
from ...ids import Instant, Rng
from ..signer import Signer, key_from_file, write_new_key
from .authority import Authority, make_authorities

__all__ = ["MAX_KDS", "OUR_VENDOR", "Folder", "make_folder", "open_folder"]

OUR_VENDOR: Final = 76
"""Our choice: of the GSMA's numbers only Apple's 1 and Google's 2 are known (rcc16.md 1.2)."""
MAX_KDS: Final = 2**31 - 1

_SETTINGS: Final = "kds.json"
_ROOT: Final = "root"
_ISSUING: Final = "issuing"
_ANCHORS: Final = "anchors"
_FEDERATION: Final = "federation"
_ACS: Final = "acs"


@dataclass(frozen=True, slots=True)
class Folder:
    """What `KeyDistributionServer` is given."""

    authority: Authority
    anchors: Signer = field(repr=False)
    federation: Signer = field(repr=False)


def make_folder(
    path: Path, *, kds: int, vendor: int, name: str, passphrase: bytes | None, now: Instant, rng: Rng
) -> None:
    """Make all keys and both certificates. `passphrase` None leaves keys in the clear: for whoever said so (SR-11).

    Raises InputError when there is such a folder already: nothing is ever written over.
    """
    if not 1 <= kds <= MAX_KDS or not 0 <= vendor <= MAX_KDS:
        raise InputError("a server has a number from 1, a vendor one from 0", code="input.kds")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {part: write_new_key(path / f"{part}.key", passphrase) for part in (_ROOT, _ISSUING, _ANCHORS, _FEDERATION)}
    acs = write_new_key(path / f"{_ACS}.key", passphrase)
    issuing, root = make_authorities(name, vendor, keys[_ROOT], keys[_ISSUING], now, rng)
    _write(path / f"{_ISSUING}.pem", ssl.DER_cert_to_PEM_cert(issuing).encode())
    _write(path / f"{_ROOT}.pem", ssl.DER_cert_to_PEM_cert(root).encode())
    _write(path / f"{_ACS}.pub", public_key_pem(acs.spki))
    _write(path / f"{_ANCHORS}.pub", public_key_pem(keys[_ANCHORS].spki))
    # Last: a folder without it was interrupted, and is none.
    _write(path / _SETTINGS, json.dumps({"kds": kds}).encode() + b"\n")


def open_folder(path: Path, passphrase: bytes | None) -> Folder:
    """Raises InputError for what is no such folder, a key that others can read, a wrong passphrase."""
    try:
        kds = json.loads(_read(path / _SETTINGS))["kds"]
        chain = [ssl.PEM_cert_to_DER_cert(_read(path / f"{part}.pem").decode()) for part in (_ISSUING, _ROOT)]
        if not isinstance(kds, int) or not 1 <= kds <= MAX_KDS:
            raise ValueError("its number is none")
        authority = Authority.of(
            kds,
            chain,
            key_from_file(path / f"{_ISSUING}.key", passphrase),
            read_public_key(_read(path / f"{_ACS}.pub")),
        )
    except (ValueError, KeyError, TypeError, DecodeError) as error:
        raise InputError(f"not the folder of a key distribution server: {path}", code="input.kds_folder") from error
    return Folder(
        authority,
        key_from_file(path / f"{_ANCHORS}.key", passphrase),
        key_from_file(path / f"{_FEDERATION}.key", passphrase),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65_536)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", code="input.kds_folder", hint="make one: letterlock kds init"
        ) from error


def _write(path: Path, data: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}", code="input.kds_folder") from error

"""A private key of a service, held by reference: a file here, a security module in whatever else has these methods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from ..crypto.key_files_pyca import FileKey, generate_key, read_key
from ..errors import InputError

__all__ = ["Signer", "key_from_file", "write_new_key"]


class Signer(Protocol):
    """A P-256 key that signs and stays where it is. `sign` may take its time: it is called off the event loop."""

    @property
    def spki(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 65-byte point."""
        ...

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER."""
        ...


def key_from_file(path: Path, passphrase: bytes | None) -> FileKey:
    """The key of a PEM file. Raises InputError when others can read the file, or it holds no such key (SR-11)."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise InputError(f"others can read {path}", code="input.key", hint=f"chmod 600 {path}")
            return read_key(file.read(16_384), passphrase)
    except OSError as error:
        raise InputError(f"the key {path} cannot be read: {error.strerror}", code="input.key") from error


def write_new_key(path: Path, passphrase: bytes | None) -> FileKey:
    """Make a key and its file. `passphrase` None writes it in the clear: for whoever said so by name (SR-11)."""
    pem = generate_key(passphrase)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(pem)
    except OSError as error:
        raise InputError(f"the key {path} cannot be made: {error.strerror}", code="input.key") from error
    return read_key(pem, passphrase)

"""A random 32-byte store key, wrapped under what the user has (SR-11).

The store key never changes with the passphrase: changing that wraps the same key anew, in one file
replacement. Somebody who kept the old file and the old passphrase can therefore still unwrap the key; to
shut him out, set up a new profile.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from ..crypto.provider import CryptoProvider
from ..errors import BadMac, InputError, StoreError, WrongStoreKey
from ..ids import Rng
from .files import read_file, replace_file, write_new
from .keyfile import KeyFile
from .wrapped import Argon2Parameters, WrappedKey

__all__ = ["Keystore", "Passphrase", "Unlock"]

_FILE_LABEL = b"\xff\x80letterlock/store-key-file/v1\x00"


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Unlock with what the user types; normalised, so that the keyboard's composition does not matter."""

    text: str = field(repr=False)

    def secret(self) -> bytes:
        if not self.text:
            raise InputError(
                "the passphrase is empty",
                code="input.passphrase",
                hint="choose one, or name a key file to do without (anybody who reads that file can open the profile)",
            )
        return unicodedata.normalize("NFC", self.text).encode()


Unlock = Passphrase | KeyFile


class Keystore:
    """The wrapped key of one profile, in the file at `path`. Methods take long by design: call them off the event loop."""

    def __init__(self, path: Path, crypto: CryptoProvider, rng: Rng) -> None:
        self.path = path
        self._crypto = crypto
        self._rng = rng

    def exists(self) -> bool:
        """Whether a key was made for this profile."""
        return self.path.exists()

    def create(self, unlock: Unlock, cost: Argon2Parameters | None = None) -> bytes:
        """Make and wrap a new store key. Raises InputError when the profile has one already."""
        key = self._rng(32)
        data = self._wrap(key, unlock, cost).encode()
        try:
            write_new(self.path, data)
        except FileExistsError:
            raise InputError("this profile is set up already", code="input.profile_exists") from None
        except OSError as error:
            raise StoreError(f"the key cannot be written: {error.strerror}", code="keystore.io") from error
        return key

    def unwrap(self, unlock: Unlock) -> bytes:
        """The store key. Raises WrongStoreKey on a wrong passphrase or key file, StoreError when there is none."""
        try:
            wrapped = WrappedKey.decode(read_file(self.path, 65536))
        except FileNotFoundError:
            raise StoreError("this profile is not set up", code="store.missing", hint="letterlock setup") from None
        except OSError as error:
            raise StoreError(f"the key cannot be read: {error.strerror}", code="keystore.io") from error
        given = "passphrase" if isinstance(unlock, Passphrase) else "file"
        if given != wrapped.wrap:
            needs = "a passphrase" if wrapped.wrap == "passphrase" else "its key file"
            raise WrongStoreKey(f"this profile opens with {needs}")
        try:
            return self._crypto.aes_gcm_siv_open(
                self._wrapping_key(unlock, wrapped), wrapped.nonce, wrapped.ciphertext, wrapped.bound()
            )
        except BadMac:
            name = "passphrase" if given == "passphrase" else "key file"
            raise WrongStoreKey(f"the {name} does not open this profile", hint=f"check the {name}") from None

    def change(self, old: Unlock, new: Unlock, cost: Argon2Parameters | None = None) -> None:
        """Wrap the same key under `new`. Raises as `unwrap` does; then nothing was changed."""
        data = self._wrap(self.unwrap(old), new, cost).encode()
        try:
            replace_file(self.path, data)
        except OSError as error:
            raise StoreError(f"the key cannot be written: {error.strerror}", code="keystore.io") from error

    def _wrap(self, key: bytes, unlock: Unlock, cost: Argon2Parameters | None) -> WrappedKey:
        passphrase = isinstance(unlock, Passphrase)
        bare = WrappedKey(
            wrap="passphrase" if passphrase else "file",
            argon2=(cost or Argon2Parameters()) if passphrase else None,
            salt=self._rng(16),
            nonce=self._rng(12),
            ciphertext=b"",
        )
        sealed = self._crypto.aes_gcm_siv_seal(self._wrapping_key(unlock, bare), bare.nonce, key, bare.bound())
        return WrappedKey(bare.wrap, bare.argon2, bare.salt, bare.nonce, sealed)

    def _wrapping_key(self, unlock: Unlock, wrapped: WrappedKey) -> bytes:
        if wrapped.argon2 is None:
            return self._crypto.hkdf_sha256(unlock.secret(), wrapped.salt, _FILE_LABEL, 32)
        cost = wrapped.argon2
        return self._crypto.argon2id(
            unlock.secret(),
            wrapped.salt,
            memory_kib=cost.memory_kib,
            iterations=cost.iterations,
            lanes=cost.lanes,
            length=32,
        )

    def __repr__(self) -> str:
        return f"Keystore({self.path})"

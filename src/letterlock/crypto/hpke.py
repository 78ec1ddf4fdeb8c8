"""Hybrid public key encryption (RFC 9180) in base mode: one message for one key, and exported secrets.

MLS encrypts exactly one message in every context, so there is no sequence number here. One `info` often
serves many messages (all path secrets of a commit, all joiners of a Welcome, and there it has megabytes):
`Hpke.prepare` hashes it once. The pre-shared-key and authenticated modes are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from ..errors import InputError
from ..ids import Rng
from .hkdf import SHA256, SHA384, SHA512, Hkdf
from .provider import CryptoProvider

__all__ = [
    "AES_128_GCM",
    "AES_256_GCM",
    "CHACHA20_POLY1305",
    "HKDF_SHA256",
    "HKDF_SHA384",
    "HKDF_SHA512",
    "Hpke",
    "Info",
    "Kem",
    "Labelled",
]

HKDF_SHA256: Final = 0x0001
HKDF_SHA384: Final = 0x0002
HKDF_SHA512: Final = 0x0003

AES_128_GCM: Final = 0x0001
AES_256_GCM: Final = 0x0002
CHACHA20_POLY1305: Final = 0x0003

_KDFS: Final = {HKDF_SHA256: SHA256, HKDF_SHA384: SHA384, HKDF_SHA512: SHA512}
_KEY_LENGTHS: Final = {AES_128_GCM: 16, AES_256_GCM: 32, CHACHA20_POLY1305: 32}
_NONCE_LENGTH: Final = 12
_MODE_BASE: Final = b"\x00"


class Kem(Protocol):
    """A key encapsulation mechanism (RFC 9180 section 4). Keys are raw bytes, public keys as they are sent."""

    @property
    def id(self) -> int: ...

    @property
    def n_enc(self) -> int:
        """Size of an encapsulated secret."""

    @property
    def n_pk(self) -> int:
        """Size of a public key."""

    def generate(self, rng: Rng) -> tuple[bytes, bytes]:
        """(private, public)."""
        ...

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        """(private, public), always the same from the same secret."""
        ...

    def public_of(self, private: bytes) -> bytes:
        """The public key of a private one."""
        ...

    def check(self, public: bytes) -> None:
        """Raises BadPublicKey for a key of a wrong length, and for others with which `encap` is bound to fail."""
        ...

    def encap(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """(shared secret, encapsulated secret). Raises BadPublicKey."""
        ...

    def decap(self, enc: bytes, private: bytes) -> bytes:
        """The shared secret. Raises BadPublicKey if `enc` cannot be one; a KEM may as well give an unrelated secret."""
        ...


@dataclass(frozen=True, slots=True)
class Info:
    """An `info` hashed in advance, for one `Hpke` only: its key schedule context (section 5.1)."""

    key_schedule_context: bytes


class Hpke:
    """One combination of KEM, KDF and AEAD, by the numbers of the HPKE registries."""

    __slots__ = ("_context", "_kem", "_key_length", "_labelled", "_open", "_seal")

    def __init__(self, crypto: CryptoProvider, kem: Kem, kdf: int, aead: int) -> None:
        if kdf not in _KDFS or aead not in _KEY_LENGTHS:
            raise InputError(f"no HPKE with KDF {kdf:#06x} and AEAD {aead:#06x}", code="input.hpke")
        self._kem = kem
        self._key_length = _KEY_LENGTHS[aead]
        if aead == CHACHA20_POLY1305:
            self._seal, self._open = crypto.chacha20poly1305_seal, crypto.chacha20poly1305_open
        else:
            self._seal, self._open = crypto.aes_gcm_seal, crypto.aes_gcm_open
        self._labelled = Labelled(_KDFS[kdf], b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (kem.id, kdf, aead)))
        self._context = _MODE_BASE + self._labelled.extract(b"", b"psk_id_hash", b"")

    def prepare(self, info: bytes) -> Info:
        """Hash `info` once, for as many messages as wanted."""
        return Info(self._context + self._labelled.extract_long(b"", b"info_hash", info))

    def seal(self, info: Info, public: bytes, aad: bytes, plaintext: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """(encapsulated secret, ciphertext). Raises BadPublicKey."""
        shared, enc = self._kem.encap(public, rng)
        key, nonce = self._key_and_nonce(shared, info)
        return enc, self._seal(key, nonce, plaintext, aad)

    def open(self, info: Info, private: bytes, kem_output: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """The plaintext. Raises BadPublicKey if `kem_output` is not usable, otherwise BadMac if anything is wrong."""
        key, nonce = self._key_and_nonce(self._kem.decap(kem_output, private), info)
        return self._open(key, nonce, ciphertext, aad)

    def export_sender(
        self, public: bytes, info: bytes, exporter_context: bytes, length: int, rng: Rng
    ) -> tuple[bytes, bytes]:
        """(encapsulated secret, exported secret): a secret for the owner of `public`, and no message."""
        shared, enc = self._kem.encap(public, rng)
        return enc, self._export(shared, info, exporter_context, length)

    def export_receiver(
        self, private: bytes, kem_output: bytes, info: bytes, exporter_context: bytes, length: int
    ) -> bytes:
        """The secret that `export_sender` gave the other side. Raises BadPublicKey."""
        return self._export(self._kem.decap(kem_output, private), info, exporter_context, length)

    # Section 5.1, KeySchedule, with the default psk and psk_id of base mode; only what is asked for is derived.
    def _key_and_nonce(self, shared: bytes, info: Info) -> tuple[bytes, bytes]:
        labelled, context = self._labelled, info.key_schedule_context
        secret = labelled.extract(shared, b"secret", b"")
        key = labelled.expand(secret, b"key", context, self._key_length)
        return key, labelled.expand(secret, b"base_nonce", context, _NONCE_LENGTH)  # the first message: nonce 0 xor it

    def _export(self, shared: bytes, info: bytes, exporter_context: bytes, length: int) -> bytes:
        labelled, context = self._labelled, self.prepare(info).key_schedule_context
        secret = labelled.extract(shared, b"secret", b"")
        exporter_secret = labelled.expand(secret, b"exp", context, labelled.kdf.length)
        return labelled.expand(exporter_secret, b"sec", exporter_context, length)


class Labelled:
    """LabeledExtract and LabeledExpand of section 4, for one `suite_id`."""

    __slots__ = ("_prefix", "kdf")

    def __init__(self, kdf: Hkdf, suite_id: bytes) -> None:
        self.kdf = kdf
        self._prefix = b"HPKE-v1" + suite_id

    def extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self.kdf.mac(salt, self._prefix + label + ikm)

    def extract_long(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        """The same, for megabytes."""
        return self.kdf.mac_of_long(salt, self._prefix + label, ikm)

    def expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self.kdf.expand(prk, length.to_bytes(2, "big") + self._prefix + label + info, length)

"""The file that holds the wrapped store key: its format and nothing else.

JSON, so that a person can see how the key is protected. Everything but the ciphertext is bound to it as
associated data: parameters that somebody lowered make unwrapping fail, they do not weaken it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

from ..errors import StoreError

__all__ = ["Argon2Parameters", "WrappedKey"]

_FORMAT = "letterlock-key"
_VERSION = 1
_LABEL = b"\xff\x80letterlock/store-key-wrap/v1\x00"


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """Cost of one guess. The default is RFC 9106's second choice: 64 MiB, three passes, four lanes."""

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A store key under a wrapping key; `wrap` is `passphrase` or `file`, `argon2` is None for the latter."""

    wrap: str
    argon2: Argon2Parameters | None
    salt: bytes
    nonce: bytes
    ciphertext: bytes = field(repr=False)

    def bound(self) -> bytes:
        """The associated data: a label of this purpose (SR-23) and every parameter."""
        return _LABEL + json.dumps(self._head(), sort_keys=True, separators=(",", ":")).encode()

    def encode(self) -> bytes:
        head = self._head()
        head["wrapped"] = _text(self.ciphertext)
        return (json.dumps(head, indent=2) + "\n").encode()

    def _head(self) -> dict[str, object]:
        head: dict[str, object] = {
            "format": _FORMAT,
            "version": _VERSION,
            "wrap": self.wrap,
            "cipher": "aes-256-gcm-siv",
            "salt": _text(self.salt),
            "nonce": _text(self.nonce),
        }
        if self.argon2 is not None:
            head["argon2id"] = {
                "memory_kib": self.argon2.memory_kib,
                "iterations": self.argon2.iterations,
                "lanes": self.argon2.lanes,
            }
        return head

    @classmethod
    def decode(cls, data: bytes) -> WrappedKey:
        """Read the file. Raises StoreError when it is not one, was made by a newer version, or asks for absurd cost."""
        try:
            head = json.loads(data)
            if head["format"] != _FORMAT:
                raise ValueError("format")
            if head["version"] != _VERSION:
                raise StoreError(
                    "the key was wrapped by a newer version", code="keystore.newer", hint="update Letterlock"
                )
            wrap = head["wrap"]
            argon2 = None
            if wrap == "passphrase":
                cost = head["argon2id"]
                argon2 = Argon2Parameters(int(cost["memory_kib"]), int(cost["iterations"]), int(cost["lanes"]))
                # SR-08: whoever can write this file shall not make us take all memory. Floors are RFC 9106's.
                if not (
                    8 * argon2.lanes <= argon2.memory_kib <= 2**21
                    and 1 <= argon2.iterations <= 64
                    and 1 <= argon2.lanes <= 16
                ):
                    raise ValueError("cost")
            elif wrap != "file":
                raise ValueError("wrap")
            key = cls(wrap, argon2, _bytes(head["salt"]), _bytes(head["nonce"]), _bytes(head["wrapped"]))
            if len(key.salt) != 16 or len(key.nonce) != 12 or len(key.ciphertext) != 48:
                raise ValueError("length")
            return key
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
            raise StoreError(
                "the file with the wrapped key is damaged", code="keystore.malformed", hint="restore the profile"
            ) from error


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("base64") from error

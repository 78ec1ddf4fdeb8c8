"""`Secret`: key bytes that do not end up in a log, a traceback or a pickle by accident (SR-10).

It guards against mistakes, not against an attacker in the process: CPython copies `bytes` freely
and cannot erase them; SECURITY.md says so.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, SupportsIndex, final

__all__ = ["Secret"]


@final
class Secret:
    """Bytes whose value comes out only through `reveal()`.

    Two secrets are never `==` and have no hash, because both would compare byte by byte and stop at
    the first difference: ask `matches`.
    """

    __slots__ = ("_value",)

    _value: Final[bytes]

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves. A call that a reviewer can search for."""
        return self._value

    def matches(self, other: Secret | bytes) -> bool:
        """Constant-time comparison (SR-10)."""
        return hmac.compare_digest(self._value, other._value if isinstance(other, Secret) else other)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"Secret(<{len(self._value)} bytes>)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> NoReturn:  # and with it no __hash__: a dictionary key is compared too
        raise TypeError("a Secret is not compared with ==: use matches()")

    def __bytes__(self) -> NoReturn:
        raise TypeError("a Secret is not turned into bytes by accident: use reveal()")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied")

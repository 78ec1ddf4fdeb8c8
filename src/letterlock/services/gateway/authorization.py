"""The Authorization header: an account's password or a device's token as Basic, an operator's token as Bearer."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

__all__ = ["Basic", "authorization"]

_MAX = 1024


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and its password."""

    username: str
    password: str = field(repr=False)


def authorization(header: str) -> Basic | str | None:
    """What a header gives: a name with a password, a token, or nothing that can be used."""
    scheme, _, rest = header.partition(" ")
    if len(header) > _MAX:
        return None
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, colon, password = text.partition(":")
    return Basic(username, password) if colon else None

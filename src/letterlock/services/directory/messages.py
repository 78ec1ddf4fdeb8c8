"""The JSON bodies of the directory's HTTP interface (docs/spec/directory.md). Bytes are base64."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = [
    "AccountAnswer",
    "AlertAnswer",
    "AlertsAnswer",
    "BeginClaim",
    "BundleAnswer",
    "BundleQuery",
    "Claim",
    "CodeAnswer",
    "CountsAnswer",
    "HealthAnswer",
    "ListUpload",
    "ListsAnswer",
    "ListsQuery",
    "OperatorCodeAnswer",
    "PrekeyUpload",
]

_Number = Annotated[str, msgspec.Meta(max_length=16)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request body: what is not in the specification is refused."""


class BeginClaim(_Body, frozen=True):
    number: _Number
    key_hash: bytes


class Claim(_Body, frozen=True):
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{8}\Z")]
    list: bytes


class ListUpload(_Body, frozen=True):
    list: bytes


class ListsQuery(_Body, frozen=True):
    number: _Number
    since: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0


class PrekeyUpload(_Body, frozen=True):
    upload: bytes


class BundleQuery(_Body, frozen=True):
    number: _Number
    account: bytes
    device: Annotated[int, msgspec.Meta(ge=1, le=127)]


class CodeAnswer(msgspec.Struct, frozen=True):
    expires: int


class OperatorCodeAnswer(msgspec.Struct, frozen=True):
    code: str
    expires: int
    replaces: bool


class AccountAnswer(msgspec.Struct, frozen=True):
    account: bytes
    serial: int


class ListsAnswer(msgspec.Struct, frozen=True):
    account: bytes
    serial: int
    lists: list[bytes]


class CountsAnswer(msgspec.Struct, frozen=True):
    one_time: int
    one_time_kem: int


class BundleAnswer(msgspec.Struct, frozen=True):
    bundle: bytes


class AlertAnswer(msgspec.Struct, frozen=True):
    kind: str
    at: int


class AlertsAnswer(msgspec.Struct, frozen=True):
    alerts: list[AlertAnswer]


class HealthAnswer(msgspec.Struct, frozen=True):
    status: str

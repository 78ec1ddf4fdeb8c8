"""Events of this device: its protocols, its store, its operator, its files."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import ChatName, Number

__all__ = [
    "PrekeysLow",
    "ProtocolNoted",
    "ProvisioningChanged",
    "SessionWithoutOneTimePrekey",
    "StoreRolledBack",
    "TransferChanged",
]


@dataclass(frozen=True, slots=True)
class PrekeysLow:
    """The directory has few one-time keys of ours left: somebody may be draining them (SR-13)."""

    protocol: str


@dataclass(frozen=True, slots=True)
class SessionWithoutOneTimePrekey:
    """A session with the peer was started without a one-time key (SR-13)."""

    chat: Number
    protocol: str


@dataclass(frozen=True, slots=True)
class ProtocolNoted:
    """Any other fact that a protocol reports; `chat` is None where it concerns no peer."""

    chat: ChatName | None
    protocol: str
    note: str


@dataclass(frozen=True, slots=True)
class StoreRolledBack:
    """The store was an older copy and the user took it into use again (SR-06)."""


@dataclass(frozen=True, slots=True)
class ProvisioningChanged:
    """How we stand with our operator: a value of `client.ProvisioningState`, or `refused` with the code of the reason.

    After `refused` the configuration is the one from before.
    """

    state: str
    version: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TransferChanged:
    """A file on its way to (`upload`) or from a content server: `done` bytes of `size`, None while nobody knows.

    `state` is a value of `client.TransferState`, `stage` one of `client.TransferStage`; `reason` is a stable code when it
    is `failed`.
    """

    transfer: str
    upload: bool
    state: str
    done: int
    size: int | None
    reason: str = ""
    stage: str = "moving"

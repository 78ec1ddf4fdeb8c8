"""What every part of the engine is given: who we are, how we encrypt, and the bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..conversation_seam import ConversationProtocol
from ..crypto.provider import CryptoProvider
from ..ids import AccountId, Rng
from ..seam import DeviceProtocol, Party
from .limits import EngineLimits, Privacy

__all__ = ["NOBODY", "Core", "media_type_of"]

NOBODY = AccountId(bytes(16))
"""Stands where there is no account: plain messages."""


@dataclass(frozen=True, slots=True)
class Core:
    """Constant for the life of an engine."""

    me: Party
    crypto: CryptoProvider
    protocols: Mapping[str, DeviceProtocol]
    """By name, in order of preference."""
    media_types: Mapping[str, DeviceProtocol]
    limits: EngineLimits
    privacy: Privacy
    keeping: Mapping[str, ConversationProtocol]
    """The protocols that keep the members of a conversation themselves, by name, in order of preference."""
    sign: Callable[[bytes, Rng], bytes] | None = None
    """XEdDSA by this device's identity key, for entries of group logs; without it no group can be changed here."""
    sms: bool = False
    """Whether there is an account to send SMS with; only then is it an option (SR-01)."""


def media_type_of(protocol: DeviceProtocol) -> str:
    """What the frames of a protocol are called on the wire."""
    return f"application/vnd.letterlock.{protocol.name}"

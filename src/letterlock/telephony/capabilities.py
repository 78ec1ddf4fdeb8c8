"""What this line can do, and what others can: whether encryption is possible stands beside the carrier's features.

That a peer can be encrypted to is read from what its owner has signed, and never from the carrier's word (SR-02). Where
nothing is known yet it is False, which is no proof that it cannot be.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..engine.security import Security
from ..sip.options import (
    CPM_FILE_TRANSFER,
    CPM_LARGE,
    CPM_MESSAGE,
    CPM_SESSION,
    FILE_TRANSFER_HTTP,
    GEOLOCATION_PUSH,
)
from .handles import CellularServiceID, RCSHandle

__all__ = [
    "OF_A_BUSINESS",
    "Availability",
    "CachePolicy",
    "RCSConfiguration",
    "RemoteCapabilities",
    "RemoteCapabilitiesRequest",
    "RemoteHandleUpdate",
    "ViabilityNotification",
    "capabilities_of",
]


@dataclass(frozen=True, slots=True)
class ViabilityNotification:
    """Whether a service can be used on a line, from now on."""

    cellular_service_id: CellularServiceID
    is_viable: bool


@dataclass(frozen=True, slots=True)
class RCSConfiguration:
    """The bounds of a line. Sizes in bytes; None as in Apple's."""

    maximum_text_message_bytes: int | None
    maximum_file_transfer_bytes: int | None
    file_transfer_warning_bytes: int | None
    chat_revoke_timeout: timedelta | None
    maximum_group_size: int | None
    supports_end_to_end_encryption: bool


class CachePolicy(enum.StrEnum):
    """Whether to ask the network for what is not known."""

    CACHE_ONLY = "cacheOnly"
    CACHE_OR_REMOTE = "cacheOrRemote"


@dataclass(frozen=True, slots=True)
class RemoteCapabilitiesRequest:
    """What can this one do?"""

    cellular_service_id: CellularServiceID
    handle: RCSHandle
    cache_policy: CachePolicy = CachePolicy.CACHE_ONLY


class Availability(enum.StrEnum):
    """Whether somebody can be reached now."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class RemoteCapabilities:
    """What somebody can do. All but `supports_end_to_end_encryption` is the carrier's word."""

    supports_chat: bool
    supports_file_transfer: bool
    supports_geolocation: bool
    supports_end_to_end_encryption: bool
    is_business_handle: bool = False
    supports_extended_messaging_reaction: bool = False
    supports_extended_messaging_reply: bool = False
    supports_extended_messaging_custom_reaction: bool = False
    alternative_handles: tuple[RCSHandle, ...] = field(default=())
    availability: Availability | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RemoteHandleUpdate:
    """Somebody can do something else than before, or has other keys. None: that part is as it was."""

    cellular_service_id: CellularServiceID
    handle: RCSHandle
    new_handle: RCSHandle | None = None
    is_business_handle: bool = False
    capabilities: RemoteCapabilities | None = None


# --- from ours -------------------------------------------------------------------------------------------------
_CHAT = frozenset((CPM_SESSION, CPM_MESSAGE, CPM_LARGE))
_FILES = frozenset((CPM_FILE_TRANSFER, FILE_TRANSFER_HTTP))
_GEOLOCATION = frozenset((GEOLOCATION_PUSH,))
_REACHED = (Security.ENCRYPTED, Security.VERIFIED, Security.KEYS_NEW, Security.NO_LONGER_VERIFIED)
"""There are keys; that the user is to decide about them before anything is sent is another matter."""


OF_A_BUSINESS = RemoteCapabilities(
    supports_chat=True,
    supports_file_transfer=False,
    supports_geolocation=False,
    supports_end_to_end_encryption=False,
    is_business_handle=True,
)
"""Of files and places nobody says anything; of encryption there is none, ever."""


def capabilities_of(security: Security, features: tuple[str, ...] | None) -> RemoteCapabilities | None:
    """None when nothing is known. `features` as `Chat.capabilities` has them."""
    encrypts = security in _REACHED
    if features is None and not encrypts:
        return None

    def says(names: frozenset[str]) -> bool:
        return not names.isdisjoint(features or ())

    # Who has listed a device for encryption takes all that is sent in it.
    return RemoteCapabilities(
        supports_chat=encrypts or says(_CHAT),
        supports_file_transfer=encrypts or says(_FILES),
        supports_geolocation=encrypts or says(_GEOLOCATION),
        supports_end_to_end_encryption=encrypts,
        supports_extended_messaging_reaction=encrypts,
        supports_extended_messaging_reply=encrypts,
    )

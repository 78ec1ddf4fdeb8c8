"""The MIME types of RCC.16 and what rides in each (rcc16.md 3.2). All are inner types of a CPIM message."""

from __future__ import annotations

import enum
from typing import Final

from ..choices import Choices

__all__ = [
    "APPLICATION",
    "APPLICATION_TYPES",
    "CLIENT_CONTROL",
    "CONTROL_TYPES",
    "FILE",
    "FILE_INFO",
    "GROUP_INFO",
    "KICK",
    "SERVER_CONTROL",
    "Arm",
    "arm_of",
    "media_types",
]

APPLICATION: Final = "message/mls"
"""MLSMessage(PrivateMessage) with a SecretPayload."""

FILE: Final = "message/mls-ft"
"""Declared of an encrypted file at a content server, and of its descriptor."""

FILE_INFO: Final = "message/mls-rcs-file-info"
"""FileInfo: a MIME part inside a SecretPayload."""

CLIENT_CONTROL: Final = "message/mls-rcs-client"
"""ClientMlsRcsMessage: up to the focus."""

SERVER_CONTROL: Final = "message/mls-rcs-server"
"""ServerMlsRcsMessage: from the focus, or from the peer of a chat of two."""

GROUP_INFO: Final = "message/mls-rcs"
"""EpochIdentifier: asks for what was missed. MlsEnhancedGroupInfo: the answer."""

KICK: Final = "message/mls-rcs-server-kick"
"""Internal to hosts; dropped when it comes over the wire."""

APPLICATION_TYPES: Final = frozenset({APPLICATION, FILE, FILE_INFO})
CONTROL_TYPES: Final = frozenset({CLIENT_CONTROL, SERVER_CONTROL, GROUP_INFO})


class Arm(enum.Enum):
    """Which way a packet goes (rcc16.md 3.1): what is missing in its headers weighs differently."""

    APPLICATION = "application"
    CONTROL = "control"


def arm_of(content_type: str) -> Arm | None:
    """The arm of a media type in lower case, None for one that is not of RCC.16's own."""
    if content_type in APPLICATION_TYPES:
        return Arm.APPLICATION
    return Arm.CONTROL if content_type in CONTROL_TYPES else None


def media_types(choices: Choices) -> frozenset[str]:
    """All types that RCC.16 takes for itself, the one that is only dropped included."""
    return APPLICATION_TYPES | CONTROL_TYPES | {KICK, choices.metadata_keys_type}

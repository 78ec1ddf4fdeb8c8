"""Numbers of the MLS registries (RFC 9420 section 17 and draft-ietf-mls-extensions section 7).

Registries of 16 bits are open: a peer may send any number, so they are plain integers here and not enums.
Names are the ones of the registries, for messages to people and for tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "ADD",
    "APPLICATION_ID",
    "APP_DATA_DICTIONARY",
    "BASIC",
    "CREDENTIAL_NAMES",
    "DEFAULT_EXTENSIONS",
    "DEFAULT_PROPOSALS",
    "EXTENSION_NAMES",
    "EXTERNAL_INIT",
    "EXTERNAL_PUB",
    "EXTERNAL_SENDERS",
    "GREASE_VALUES",
    "GROUP_CONTEXT_EXTENSIONS",
    "GROUP_INFO",
    "KEY_PACKAGE",
    "LAST_RESORT",
    "PRE_SHARED_KEY",
    "PRIVATE_MESSAGE",
    "PROPOSAL_NAMES",
    "PROTOCOL_VERSION_MLS10",
    "PUBLIC_MESSAGE",
    "RATCHET_TREE",
    "REINIT",
    "REMOVE",
    "REQUIRED_CAPABILITIES",
    "REQUIRED_WIRE_FORMATS",
    "SELF_REMOVE",
    "SUPPORTED_WIRE_FORMATS",
    "UPDATE",
    "WELCOME",
    "WIRE_FORMAT_NAMES",
    "X509",
]

PROTOCOL_VERSION_MLS10: Final = 1

# Wire formats (section 17.2).
PUBLIC_MESSAGE: Final = 0x0001
PRIVATE_MESSAGE: Final = 0x0002
WELCOME: Final = 0x0003
GROUP_INFO: Final = 0x0004
KEY_PACKAGE: Final = 0x0005

WIRE_FORMAT_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        PUBLIC_MESSAGE: "mls_public_message",
        PRIVATE_MESSAGE: "mls_private_message",
        WELCOME: "mls_welcome",
        GROUP_INFO: "mls_group_info",
        KEY_PACKAGE: "mls_key_package",
    }
)

# Extension types (section 17.3).
APPLICATION_ID: Final = 0x0001
RATCHET_TREE: Final = 0x0002
REQUIRED_CAPABILITIES: Final = 0x0003
EXTERNAL_PUB: Final = 0x0004
EXTERNAL_SENDERS: Final = 0x0005

# Of draft-ietf-mls-extensions; there only suggested numbers.
APP_DATA_DICTIONARY: Final = 0x0006
SUPPORTED_WIRE_FORMATS: Final = 0x0007
REQUIRED_WIRE_FORMATS: Final = 0x0008

LAST_RESORT: Final = 0x000A
"""The mark of a KeyPackage of last resort in older versions of that draft, which is what deployed libraries
write; newer ones have component 0x0004 of the app_data_dictionary instead."""

EXTENSION_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        APPLICATION_ID: "application_id",
        RATCHET_TREE: "ratchet_tree",
        REQUIRED_CAPABILITIES: "required_capabilities",
        EXTERNAL_PUB: "external_pub",
        EXTERNAL_SENDERS: "external_senders",
        APP_DATA_DICTIONARY: "app_data_dictionary",
        SUPPORTED_WIRE_FORMATS: "supported_wire_formats",
        REQUIRED_WIRE_FORMATS: "required_wire_formats",
        LAST_RESORT: "last_resort",
    }
)

# Proposal types (section 17.4).
ADD: Final = 0x0001
UPDATE: Final = 0x0002
REMOVE: Final = 0x0003
PRE_SHARED_KEY: Final = 0x0004
REINIT: Final = 0x0005
EXTERNAL_INIT: Final = 0x0006
GROUP_CONTEXT_EXTENSIONS: Final = 0x0007

SELF_REMOVE: Final = 0x000A
"""Of draft-ietf-mls-extensions, there a suggested number."""

PROPOSAL_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        ADD: "add",
        UPDATE: "update",
        REMOVE: "remove",
        PRE_SHARED_KEY: "psk",
        REINIT: "reinit",
        EXTERNAL_INIT: "external_init",
        GROUP_CONTEXT_EXTENSIONS: "group_context_extensions",
        SELF_REMOVE: "self_remove",
    }
)

# Credential types (section 17.5).
BASIC: Final = 0x0001
X509: Final = 0x0002

CREDENTIAL_NAMES: Final[Mapping[int, str]] = MappingProxyType({BASIC: "basic", X509: "x509"})

GREASE_VALUES: Final[frozenset[int]] = frozenset(0x0A0A + 0x1010 * n for n in range(15))
"""0x0A0A, 0x1A1A, ... 0xEAEA: values that every receiver has to ignore, to keep the registries open (section 13.5).
0xFAFA is not one: it lies in the range for private use."""

DEFAULT_EXTENSIONS: Final[frozenset[int]] = frozenset(range(APPLICATION_ID, EXTERNAL_SENDERS + 1))
"""Supported by every member without being listed in `capabilities` (section 7.2)."""

DEFAULT_PROPOSALS: Final[frozenset[int]] = frozenset(range(ADD, GROUP_CONTEXT_EXTENSIONS + 1))
"""Supported by every member without being listed in `capabilities` (section 7.2)."""

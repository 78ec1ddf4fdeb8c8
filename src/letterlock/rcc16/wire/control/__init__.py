"""What clients and the focus tell each other (rcc16.md 2.6), protobuf.

Messages of a server have sourced field numbers but for the contents of a bundle; those of a client are ours
(`Choices.control_numbers`). Missing bytes fields read as empty, as proto3 has it; what has to be there
is said by whoever needs it. Reading is bounded: bundles nest to a depth of four, rosters and pages to what is given.
"""

from __future__ import annotations

from .client import (
    ClientMessage,
    MetadataChange,
    Operation,
    RosterChange,
    decode_client_message,
    encode_client_message,
)
from .ending import EndReason, decode_end_metadata, encode_end_metadata
from .epoch import EpochIdentifier, decode_epoch_identifier, encode_epoch_identifier
from .fields import ControlLimits
from .metadata_keys import MetadataKeys, decode_metadata_keys, encode_metadata_keys
from .missed import ControlMessage, EnhancedGroupInfo, decode_enhanced_group_info, encode_enhanced_group_info
from .server import (
    Accepted,
    CommitBundle,
    GroupInfoMessage,
    MlsMessage,
    ServerMessage,
    decode_server_message,
    encode_server_message,
)

__all__ = [
    "Accepted",
    "ClientMessage",
    "CommitBundle",
    "ControlLimits",
    "ControlMessage",
    "EndReason",
    "EnhancedGroupInfo",
    "EpochIdentifier",
    "GroupInfoMessage",
    "MetadataChange",
    "MetadataKeys",
    "MlsMessage",
    "Operation",
    "RosterChange",
    "ServerMessage",
    "decode_client_message",
    "decode_end_metadata",
    "decode_enhanced_group_info",
    "decode_epoch_identifier",
    "decode_metadata_keys",
    "decode_server_message",
    "encode_client_message",
    "encode_end_metadata",
    "encode_enhanced_group_info",
    "encode_epoch_identifier",
    "encode_metadata_keys",
    "encode_server_message",
]

"""Identity: device lists, who may be on them, and how people check each other.

The paved path is exported here; the formats are in docs/spec/device-list.md.
"""

from __future__ import annotations

from .authoring import add_device, create_list, next_device, remove_device, renew_list, replace_device
from .device_entry import DeviceEntry, create_entry
from .device_list import (
    DeviceChanges,
    VerifiedDeviceList,
    changes_between,
    from_store,
    recipient_of,
    verify_list,
    verify_successor,
)
from .enrolment import decode_offer, decode_request, encode_offer, encode_request, offer_for
from .requests import RequestSigner
from .security_code import SecurityCode, matches, security_code
from .signed_list import PRIMARY, head_of

__all__ = [
    "PRIMARY",
    "DeviceChanges",
    "DeviceEntry",
    "RequestSigner",
    "SecurityCode",
    "VerifiedDeviceList",
    "add_device",
    "changes_between",
    "create_entry",
    "create_list",
    "decode_offer",
    "decode_request",
    "encode_offer",
    "encode_request",
    "from_store",
    "head_of",
    "matches",
    "next_device",
    "offer_for",
    "recipient_of",
    "remove_device",
    "renew_list",
    "replace_device",
    "security_code",
    "verify_list",
    "verify_successor",
]

"""Every domain label of trust in one place (SR-23), and the rule that all labels of the project follow.

A label is FF 80, `letterlock/PURPOSE/vN`, 00. X.690 8.1.2.4.2 forbids an identifier octet FF with 80
as the next octet, so a text that starts with a label never parses as DER: a hardware key that signs
certificates (DER) and our texts cannot be made to sign one as the other. The closing 00 keeps one
label from being a prefix of another.
"""

from __future__ import annotations

__all__ = [
    "DEVICE_LIST_HEAD",
    "DEVICE_LIST_SIGNATURE",
    "DIRECTORY_CODE",
    "DIRECTORY_NONCE",
    "DIRECTORY_REQUEST",
    "ENROLMENT_CHECKSUM",
    "ENROLMENT_DIGITS",
    "GROUP_ENTRY_ID",
    "GROUP_ENTRY_SIGNATURE",
    "GROUP_ID",
    "IDENTITY_COUNTER_SIGNATURE",
    "LINK_ANSWER",
    "LINK_REQUEST",
    "MLS_COUNTER_SIGNATURE",
    "PARTICIPANT_KEY_HASH",
    "label",
]


def label(purpose: str, version: int = 1) -> bytes:
    """The label of a purpose. Use each purpose for one signature, derivation or hash only."""
    return b"\xff\x80letterlock/%s/v%d\x00" % (purpose.encode("ascii"), version)


DEVICE_LIST_SIGNATURE = label("device-list")
"""The participant key signs a device list."""

DEVICE_LIST_HEAD = label("device-list-head")
"""Hash of a whole signed list; the next list and every message name it."""

IDENTITY_COUNTER_SIGNATURE = label("device-entry-identity")
"""A device's identity key agrees to be listed."""

MLS_COUNTER_SIGNATURE = label("device-entry-mls")
"""A device's MLS signature key agrees to be listed."""

DIRECTORY_REQUEST = label("directory-request")
"""A device's identity key signs one request to the directory."""

DIRECTORY_NONCE = label("directory-nonce")
"""Hash under which the directory remembers a request's nonce."""

DIRECTORY_CODE = label("directory-code")
"""Hash under which the directory keeps a one-time code."""

PARTICIPANT_KEY_HASH = label("participant-key-hash")
"""Hash of a participant key that a one-time code is bound to (SR-21)."""

ENROLMENT_CHECKSUM = label("enrolment-checksum")
"""Checksum of an offer or request string, against slips of copying."""

LINK_REQUEST = label("rcc16-link-request")
"""A listed device's identity key signs what it asks the primary to vouch for."""

LINK_ANSWER = label("rcc16-link-answer")
"""The participant key signs what the primary gives to a linked device."""

ENROLMENT_DIGITS = label("enrolment-digits")
"""Digits by which two screens show the same request."""

GROUP_ENTRY_SIGNATURE = label("group-entry")
"""A device's identity key signs one entry of a group's membership log."""

GROUP_ENTRY_ID = label("group-entry-id")
"""Hash of a log entry without its signature; later entries and every message of the group name it."""

GROUP_ID = label("group-id")
"""Hash of the entry that created a group, the start of which is the group's id."""

"""Requests to change a conference's subject or icon, `application/vnd.oma.cpm-groupdata+xml`.

Sent as a message to the focus over a member's session. The OMA schema was not available: elements and namespace are
those that a deployed client writes for encrypted subjects (LineageOS Messaging, RccGroupData, Apache-2.0); that a plain
subject and icon are called `subject` and `icon` there is inferred. Read leniently: by local name, any namespace.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..errors import DecodeError
from .xml import Element, XmlLimits, decode_xml, escape

__all__ = ["MEDIA_TYPE", "NAMESPACE", "GroupData", "GroupTarget", "decode_group_data", "encode_group_data"]

MEDIA_TYPE = "application/vnd.oma.cpm-groupdata+xml"

NAMESPACE = "urn:oma:xml:cpm:groupdata"


class GroupTarget(enum.Enum):
    """What is to change; the value is also the element that carries it."""

    SUBJECT = "subject"
    ICON = "icon"
    ENCRYPTED_SUBJECT = "encrypted-subject"
    ENCRYPTED_ICON = "encrypted-icon"


@dataclass(frozen=True, slots=True)
class GroupData:
    """`value` is the subject, or the address of the icon; None takes it away.

    Of an encrypted subject it is the ciphertext in base64, of an encrypted icon the address of its ciphertext.
    """

    target: GroupTarget
    value: str | None


def encode_group_data(change: GroupData) -> bytes:
    """The document."""
    name = change.target.value
    action = "delete" if change.value is None else "set"
    data = "" if change.value is None else f"<data><{name}>{escape(change.value)}</{name}></data>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<groupdata xmlns="{NAMESPACE}">'
        f"<target-type>{name}</target-type><action-type>{action}</action-type>{data}</groupdata>"
    ).encode()


def decode_group_data(data: bytes, limits: XmlLimits) -> GroupData:
    """Read a document. Raises DecodeError; `group_data.target` for a target that we do not know."""
    root = decode_xml(data, limits)
    if root.name != "groupdata":
        raise DecodeError("not a groupdata document", code="group_data.root")
    try:
        target = GroupTarget(_text(root, "target-type"))
    except ValueError:
        raise DecodeError("not a target that can be changed", code="group_data.target") from None
    action = _text(root, "action-type")
    if action == "delete":
        return GroupData(target, None)
    if action != "set":
        raise DecodeError("not an action", code="group_data.action")
    holder = _child(root, "data")
    value = None if holder is None else _child(holder, target.value)
    if value is None:
        raise DecodeError("nothing to set", code="group_data.data")
    return GroupData(target, value.text)


def _child(element: Element, name: str) -> Element | None:
    return next((item for item in element.children if item.name == name), None)


def _text(element: Element, name: str) -> str:
    found = _child(element, name)
    return "" if found is None else found.text

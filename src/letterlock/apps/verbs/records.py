"""The JSON forms of groups, devices, files on their way and events: one for JSON-RPC, for `-o json` and for the page.

Names are those of `schemas.COMPONENTS`. Chats and messages have files of their own.
"""

from __future__ import annotations

from typing import Any

from ...client import CacheInfo, DeviceInfo, GroupInfo, GroupMember, TransferInfo
from ...engine.events import Recorded, event_to_json
from .message_records import NUMBERS, Names

__all__ = [
    "cache_record",
    "device_record",
    "event_record",
    "group_record",
    "member_record",
    "transfer_record",
]


def group_record(info: GroupInfo) -> dict[str, Any]:
    """A group, its members by number."""
    return {
        "chat": info.group,
        "subject": info.subject,
        "joined": info.joined,
        "security": info.security.value,
        "protocol": info.protocol,
        "members": [member.number for member in info.members],
    }


def member_record(member: GroupMember, names: Names = NUMBERS) -> dict[str, Any]:
    """One member, in the order in which they came."""
    return {
        "number": member.number,
        "name": names.of(member.number),
        "account": member.account,
        "security": member.security.value,
        "current": member.current,
        "me": member.me,
        "removable": member.removable,
    }


def device_record(device: DeviceInfo) -> dict[str, Any]:
    return {"device": device.device, "name": device.name, "added_at": device.added_at, "this": device.this}


def transfer_record(info: TransferInfo) -> dict[str, Any]:
    """A file on its way. `path` is empty for one that stays sealed in the cache."""
    return {
        "transfer": info.id,
        "upload": info.upload,
        "state": info.state.value,
        "stage": info.stage.value,
        "done": info.done,
        "size": info.size,
        "path": info.path,
        "reason": info.reason,
        "message": info.message,
        "hint": info.hint,
        "resumable": info.resumable,
        "disagreement": info.disagreement,
    }


def cache_record(info: CacheInfo) -> dict[str, Any]:
    """What lies sealed in the cache."""
    return {
        "used": info.used,
        "budget": info.budget,
        "files": [
            {
                "digest": file.digest,
                "size": file.size,
                "used": file.used,
                "name": file.name,
                "content_type": file.content_type,
                "whole": file.whole,
                "in_use": file.in_use,
                "thumbnail": file.thumbnail,
            }
            for file in info.files
        ],
    }


def event_record(recorded: Recorded) -> dict[str, Any]:
    """An event as a line of JSON has it."""
    return {"cursor": recorded.cursor, "at": recorded.at, **event_to_json(recorded.event)}

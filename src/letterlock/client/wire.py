"""The JSON lines between the owner of a profile and other processes of the same user.

The owner greets with `{"letterlock": 5}`. A request is `{"id": n, "method": name, "params": {...}}`; the answer
has the same id and `result` or `error`. `events` is answered with any number of `{"id": n, "event": {...}}`
until the connection ends, so it has one of its own. Errors travel as class, code, message, hint and the
class's own fields, so that a caller catches the same class on both sides.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from .. import errors
from ..codec import push_subscription
from ..codec.ft_http import RemoteFile
from ..codec.push_subscription import Subscription
from ..engine.content import FileFormat
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..errors import Bug, DecodeError, IdentityChanged, InputError, LetterlockError, NotEncrypted, ServiceError
from ..ids import GroupName, MessageId, Number, chat_name, group_of, message_id, number, peer_name
from ..trust import SecurityCode
from .api import CertificateInfo, ChatState, Delivered, DeviceInfo, EncryptionInfo, GroupInfo, GroupMember, Me, SmsInfo
from .contents import (
    content_from_json,
    content_to_json,
    message_from_json,
    message_to_json,
    metadata_from_json,
    metadata_to_json,
)
from .files.cached import cache_from_json, cache_to_json
from .files.records import info_from_json, info_to_json, pointer_from_json, pointer_to_json
from .wire_history import history_methods
from .wire_method import Method, each, lazily, same

__all__ = [
    "MAX_LINE",
    "MAX_REQUEST",
    "METHODS",
    "VERSION",
    "Method",
    "decode_error",
    "decode_line",
    "encode_error",
    "encode_line",
]

VERSION = 5
MAX_LINE = 8 << 20
MAX_REQUEST = 1 << 20


def encode_line(value: Mapping[str, Any]) -> bytes:
    """One line. Half of a surrogate pair passes, as `json.loads` reads it: a file's name may hold one, and of a text the
    other side says what is wrong with it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def decode_line(line: bytes) -> dict[str, Any]:
    """One line. Raises DecodeError."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DecodeError("not a line of JSON", code="owner.protocol") from error
    if not isinstance(value, dict):
        raise DecodeError("not an object", code="owner.protocol")
    return value


# --- values ------------------------------------------------------------------------------------------------
def _state_to_json(state: ChatState) -> Any:
    return [state.number, state.security.value, state.cursor]


def _state_from_json(value: Any) -> ChatState:
    return ChatState(chat_name(str(value[0])), Security(value[1]), int(value[2]))


def _option_to_json(option: PlainOption | None) -> Any:
    if option is None:
        return None
    return {"chat": option.chat, "transition": option.transition, "nonce": option.nonce.hex(), "name": option.name}


def _option_from_json(value: Any) -> PlainOption | None:
    if value is None:
        return None
    return PlainOption(
        peer_name(value["chat"]), int(value["transition"]), bytes.fromhex(value["nonce"]), str(value["name"])
    )


def _code_to_json(code: SecurityCode) -> Any:
    return {"digits": code.digits, "scannable": code.scannable.hex()}


def _code_from_json(value: Any) -> SecurityCode:
    return SecurityCode(str(value["digits"]), bytes.fromhex(value["scannable"]))


def _bytes_to_json(value: bytes | None) -> Any:
    return None if value is None else value.hex()


def _bytes_from_json(value: Any) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _group_to_json(info: GroupInfo) -> Any:
    return {
        **dataclasses.asdict(info),
        "security": info.security.value,
        "icon_digest": info.icon_digest.hex(),
        "members": [{**dataclasses.asdict(member), "security": member.security.value} for member in info.members],
    }


def _group_from_json(value: Any) -> GroupInfo:
    members = tuple(
        GroupMember(**{**member, "number": number(member["number"]), "security": Security(member["security"])})
        for member in value["members"]
    )
    changes = {
        "group": _group(value["group"]),
        "members": members,
        "security": Security(value["security"]),
        "icon_digest": bytes.fromhex(value["icon_digest"]),
    }
    return GroupInfo(**{**value, **changes})


def _encryption_to_json(info: EncryptionInfo) -> Any:
    return {**dataclasses.asdict(info), "security": info.security.value}


def _encryption_from_json(value: Any) -> EncryptionInfo:
    return EncryptionInfo(**{**value, "chat": chat_name(value["chat"]), "security": Security(value["security"])})


def _fields_or_none(info: CertificateInfo | SmsInfo | None) -> Any:
    return None if info is None else dataclasses.asdict(info)


def _certificate_from_json(value: Any) -> CertificateInfo | None:
    return None if value is None else CertificateInfo(**value)


def _group(text: Any) -> GroupName:
    name = chat_name(str(text))
    if group_of(name) is None:
        raise InputError("not the name of a group", code="input.group")
    return GroupName(name)


def _numbers(values: Any) -> list[Number]:
    return [number(str(value)) for value in values]


_NUMBER = {"number": (same, lambda text: number(str(text)))}
_PEER = {"number": (same, lambda text: peer_name(str(text)))}
_CHAT = {"number": (same, lambda text: chat_name(str(text)))}
_GROUP = {"group": (same, _group)}
_PLAIN = Method({}, same, same)
_BY_NUMBER = Method(_NUMBER, same, same)
_OPTION = (_option_to_json, _option_from_json)
_POINTER = {"pointer": (pointer_to_json, pointer_from_json)}
_TRANSFER = Method({}, info_to_json, info_from_json)


def _push_to_json(push: Subscription | None) -> str | None:
    return None if push is None else push_subscription.encode(push).decode()


def _push_from_json(value: Any) -> Subscription | None:
    return None if value is None else push_subscription.decode(str(value).encode())


METHODS: dict[str, Method] = {
    "open_chat": Method(_PEER, _state_to_json, _state_from_json),
    "chats": Method({}, lazily(_state_to_json), each(_state_from_json)),
    "send": Method(
        {
            **_CHAT,
            "content": (content_to_json, content_from_json),
            "allow": _OPTION,
            "message_id": (same, lambda text: message_id(text) if text else ""),
            "only_encrypted": (same, bool),  # whatever stands there but nothing: encrypted (SR-01)
            "keep": (same, bool),
        },
        same,
        MessageId,
    ),
    "find": Method({**_CHAT, "message_id": (same, message_id)}, lazily(message_to_json), each(message_from_json)),
    "carried": _PLAIN,
    "set_push": Method({"push": (_push_to_json, _push_from_json)}, same, same),
    "capabilities": Method(_NUMBER, same, lambda names: None if names is None else tuple(map(str, names))),
    "options": Method(_CHAT, lazily(_option_to_json), each(_option_from_json)),
    "keep_waiting": Method(_CHAT, same, same),
    "release": Method({**_NUMBER, "allow": _OPTION}, same, same),
    "typing": _BY_NUMBER,
    "mark_displayed": Method(_CHAT, same, same),
    "messages": Method(_CHAT, lazily(message_to_json), each(message_from_json)),
    "security_code": Method(_NUMBER, _code_to_json, _code_from_json),
    "verify": Method({**_NUMBER, "scanned": (_bytes_to_json, _bytes_from_json)}, same, same),
    "accept_keys": _BY_NUMBER,
    "create_group": Method({"numbers": (same, _numbers)}, same, _group),
    "group": Method(_GROUP, _group_to_json, _group_from_json),
    "groups": Method({}, lazily(_group_to_json), each(_group_from_json)),
    "add_members": Method({**_GROUP, "numbers": (same, _numbers)}, same, same),
    "remove_member": Method({**_GROUP, **_NUMBER}, same, same),
    "leave_group": Method(_GROUP, same, same),
    "set_subject": Method(_GROUP, same, same),
    "set_icon": Method({**_GROUP, "digest": (_bytes_to_json, _bytes_from_json)}, same, same),
    "set_sealed_icon": Method({**_GROUP, "file": (content_to_json, content_from_json)}, same, same),
    "icon": Method(
        _GROUP,
        lambda file: None if file is None else content_to_json(file),
        lambda value: None if value is None else content_from_json(value),
    ),
    "encryption": Method(_CHAT, _encryption_to_json, _encryption_from_json),
    "end_encryption": Method(_CHAT, same, same),
    "revive_encryption": Method(_CHAT, same, same),
    "retry_encryption": Method(_CHAT, same, same),
    "certificate": Method({}, _fields_or_none, _certificate_from_json),
    "sms": Method({}, _fields_or_none, lambda value: None if value is None else SmsInfo(**value)),
    "delivered": Method({}, same, lambda value: Delivered(*map(int, value))),
    "devices": Method({}, lazily(dataclasses.asdict), each(lambda value: DeviceInfo(**value))),
    "device_offer": _PLAIN,
    "add_device": _PLAIN,
    "vouch_for_device": _PLAIN,
    "remove_device": _PLAIN,
    "file_format": Method(_CHAT, lambda form: form.value, FileFormat),
    "upload": Method({"form": (lambda form: form.value, FileFormat)}, info_to_json, info_from_json),
    "download": Method(
        {
            "file": (dataclasses.asdict, lambda value: RemoteFile(**value)),
            "sha256": (_bytes_to_json, _bytes_from_json),
            "sealed": (
                lambda value: None if value is None else metadata_to_json(value),
                lambda value: None if value is None else metadata_from_json(value),
            ),
        },
        info_to_json,
        info_from_json,
    ),
    "download_sealed": Method(_POINTER, info_to_json, info_from_json),
    "read_file": Method(_POINTER, lambda data: base64.b64encode(data).decode(), base64.b64decode),
    "close_file": _PLAIN,
    "cache": Method({}, cache_to_json, cache_from_json),
    "prune_cache": _PLAIN,
    "set_cache_budget": _PLAIN,
    "transfers": Method({}, lazily(info_to_json), each(info_from_json)),
    "transfer": _TRANSFER,
    "pause_transfer": _TRANSFER,
    "resume_transfer": _TRANSFER,
    "cancel_transfer": _PLAIN,
    "cursor": _PLAIN,
    "recall": _PLAIN,
    "keep": _PLAIN,
    "settled": _PLAIN,
    "me": Method({}, dataclasses.asdict, lambda value: Me(**value)),
    **history_methods(_OPTION),
}


_NUMBERED = (errors.InvalidFile, errors.InvalidGroupMessage, errors.InvalidRcc16)
"""Errors that name the rule that was broken."""


# --- errors --------------------------------------------------------------------------------------------------
_CLASSES: dict[str, type[LetterlockError]] = {
    name: cls
    for name in errors.__all__
    if isinstance(cls := getattr(errors, name), type) and issubclass(cls, LetterlockError)
}


def encode_error(error: LetterlockError) -> dict[str, Any]:
    out: dict[str, Any] = {
        "class": type(error).__name__,
        "code": error.code,
        "message": str(error),
        "hint": error.hint,
    }
    if isinstance(error, NotEncrypted):
        out["reason"] = error.reason
        out["options"] = [_option_to_json(option) for option in error.options]
    elif isinstance(error, IdentityChanged):
        out["old"], out["new"] = error.old.hex(), error.new.hex()
    elif isinstance(error, ServiceError):
        out["status"] = error.status
    elif isinstance(error, _NUMBERED):
        out["rule"] = error.rule
    return out


def decode_error(value: Mapping[str, Any]) -> LetterlockError:
    """The error again, of the same class; one of a class that this version lacks is a LetterlockError with its code."""
    message, hint, code = str(value.get("message")), str(value.get("hint", "")), str(value.get("code", ""))
    cls = _CLASSES.get(str(value.get("class")), LetterlockError)
    try:
        if cls is NotEncrypted:
            options = tuple(_option_from_json(option) for option in value["options"])
            return NotEncrypted(message, reason=str(value["reason"]), options=options, hint=hint)
        if cls is IdentityChanged:
            return IdentityChanged(message, old=bytes.fromhex(value["old"]), new=bytes.fromhex(value["new"]), hint=hint)
        if issubclass(cls, ServiceError):
            return cls(message, code=code, hint=hint, status=int(value["status"]))
        if issubclass(cls, _NUMBERED):
            return cls(message, rule=str(value["rule"]), hint=hint)
    except (KeyError, ValueError, TypeError):
        return Bug(f"an error that cannot be read: {message}", code="owner.protocol")
    return cls(message, code=code, hint=hint)

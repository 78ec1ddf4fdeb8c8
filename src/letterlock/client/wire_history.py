"""The methods of `history.HistoryApi` on the owner's socket."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..engine.security import Security
from ..ids import MessageId, chat_name, message_id, number
from ..trust import SecurityCode
from .contents import message_from_json, message_to_json
from .history import ChatSummary, FreshCode, Hit, Hits, Window
from .wire_method import Method, each, lazily, same

__all__ = ["history_methods"]


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _summary_to_json(summary: ChatSummary) -> Any:
    last = None if summary.last is None else message_to_json(summary.last)
    return {**_fields(summary), "security": summary.security.value, "last": last}


def _summary_from_json(value: Any) -> ChatSummary:
    last = None if value["last"] is None else message_from_json(value["last"])
    changes = {"chat": chat_name(str(value["chat"])), "security": Security(value["security"]), "last": last}
    return ChatSummary(**{**value, **changes})


def _window_to_json(window: Window) -> Any:
    return [map(message_to_json, window.messages), window.before, window.after]


def _window_from_json(value: Any) -> Window:
    return Window([message_from_json(message) for message in value[0]], bool(value[1]), bool(value[2]))


def _hits_to_json(hits: Hits) -> Any:
    return [({**_fields(hit), "message": message_to_json(hit.message)} for hit in hits.hits), hits.before]


def _hits_from_json(value: Any) -> Hits:
    found = [
        Hit(
            chat_name(str(hit["chat"])),
            message_from_json(hit["message"]),
            str(hit["text"]),
            tuple((int(start), int(end)) for start, end in hit["ranges"]),
        )
        for hit in value[0]
    ]
    return Hits(found, str(value[1]))


def _code_to_json(fresh: FreshCode) -> Any:
    code = {"digits": fresh.code.digits, "scannable": fresh.code.scannable.hex()}
    return {**_fields(fresh), "code": code}


def _code_from_json(value: Any) -> FreshCode:
    code = SecurityCode(str(value["code"]["digits"]), bytes.fromhex(value["code"]["scannable"]))
    return FreshCode(**{**value, "code": code})


_CHAT = {"number": (same, lambda text: chat_name(str(text)))}
_NUMBER = {"number": (same, lambda text: number(str(text)))}


def history_methods(option: tuple[Any, Any]) -> dict[str, Method]:
    """By name; `option` is the form of a PlainOption."""
    return {
        "summaries": Method({}, lazily(_summary_to_json), each(_summary_from_json)),
        "summary": Method(_CHAT, _summary_to_json, _summary_from_json),
        "window": Method(_CHAT, _window_to_json, _window_from_json),
        "search": Method(
            {"chat": (same, lambda text: None if text is None else chat_name(str(text)))},
            _hits_to_json,
            _hits_from_json,
        ),
        "see": Method({**_CHAT, "message_id": (same, message_id)}, same, int),
        "set_name": Method(_CHAT, same, same),
        "fresh_code": Method(_NUMBER, _code_to_json, _code_from_json),
        "withdraw": Method(_NUMBER, same, same),
        "resend": Method({**_CHAT, "message_id": (same, message_id), "allow": option}, same, MessageId),
    }

"""How what verbs give reads in a terminal: the text of the same records that `-o json` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ...engine.security import Security
from ...ids import group_of
from ...words import ENGLISH, text
from .terminal import visible
from .words import chat_label, health_words, message_text, protocol_words, security_label

__all__ = ["chat_text", "group_text", "member_text", "security_text", "sent_text", "shown"]

Record = Mapping[str, Any]


def shown(verb: str, record: Any, locale: str = ENGLISH) -> str:
    """The text of one record of a verb's result."""
    if record is None or record == {}:
        return text("terminal.result.done" if record == {} else "terminal.result.none", locale)
    return _WRITERS.get(verb, _fields)(record, locale)


def chat_text(chat: Record, locale: str = ENGLISH) -> str:
    """A line of the list of chats."""
    called = f"  {visible(chat['name'])}" if chat["named"] else ""
    unread = "  " + text("terminal.result.chat.unread", locale, count=chat["unread"]) if chat["unread"] else ""
    return f"{chat['chat']}{called}  {chat['security']['label']}{unread}"


def security_text(security: Record, locale: str = ENGLISH) -> str:
    """Who can read, by which protocol, and how that stands."""
    lines = [f"{security['label']}: {security['sentence']}"]
    if not security["plain"] and security["state"] not in ("business", "no-keys-found") and security["protocol"]:
        lines.append(protocol_words(security["protocol"], locale))
    if security["health"]:
        numbers = {name: security[name] for name in ("era", "epoch")}
        health = health_words(security["health"], locale)
        lines.append(text("terminal.result.security.repair", locale, health=health, **numbers))
    return "\n".join(lines)


def group_text(group: Record, locale: str = ENGLISH) -> str:
    who = text("terminal.result.group.left", locale)
    if group["joined"]:
        who = text("terminal.result.group.members", locale, count=len(group["members"]))
    return f"{group['chat']}  {visible(group['subject']) or text('terminal.result.group.no-subject', locale)}  {who}"


def sent_text(sent: Record, locale: str = ENGLISH) -> str:
    state, group = Security(sent["security"]), group_of(sent["chat"]) is not None
    return f"{sent['message_id']}  {security_label(state, chat_label(sent['chat']), group=group, locale=locale)}"


def member_text(member: Record, locale: str = ENGLISH) -> str:
    if not member["current"]:
        state = text("terminal.result.member.other-keys", locale)
    elif member["me"]:
        state = text("terminal.result.member.me", locale)
    else:
        state = security_label(Security(member["security"]), member["name"], locale=locale)
    called = f"  {visible(member['name'])}" if member["name"] != member["number"] else ""
    removable = "  " + text("terminal.result.member.removable", locale) if member["removable"] else ""
    return f"{member['number']}{called}  {state}{removable}"


def _me(me: Record, locale: str) -> str:
    ways = [name for name in ("rcs", "sms") if me["carried"][name]]
    carried = text(f"terminal.result.me.carried.{'both' if len(ways) > 1 else ways[0] if ways else 'none'}", locale)
    key = "terminal.result.me.primary" if me["primary"] else "terminal.result.me"
    return text(key, locale, number=me["number"], device=me["device"], carried=carried)


def _hit(hit: Record, locale: str) -> str:
    return f"{hit['message']['chat']}  {message_text(hit['message'])}"


def _option(option: Record, locale: str) -> str:
    return f"{option['label']}: {option['sentence']}\n  --allow {option['token']}"


def _transfer(transfer: Record, locale: str) -> str:
    way = text(f"terminal.result.transfer.{'upload' if transfer['upload'] else 'download'}", locale)
    size, done = transfer["size"], transfer["done"]
    if size:
        percent = f"{done * 100 // size:3d}"
        part = text("terminal.result.transfer.part", locale, percent=percent, size=f"{size:,}")
    else:
        part = text("terminal.result.transfer.done", locale, done=f"{done:,}")
    why = f"  ({transfer['message'] or transfer['reason']})" if transfer["reason"] else ""
    return visible(f"{transfer['transfer'][:8]}  {way:<8}  {transfer['state']:<11}  {part}  {transfer['path']}{why}")


def _certificate(certificate: Record, locale: str) -> str:
    key = f"terminal.result.certificate.{'ready' if certificate['ready'] else 'not-yet'}"
    until = datetime.fromtimestamp(certificate["not_after"] / 1000, UTC)
    key += ".until" if certificate["not_after"] else ""
    trouble = f"\n{certificate['trouble']}" if certificate["trouble"] else ""
    return visible(text(key, locale, date=f"{until:%Y-%m-%d}", count=certificate["packages"])) + trouble


def _released(record: Record, locale: str) -> str:
    return text("terminal.result.released", locale, count=record["released"])


def _capabilities(record: Record, locale: str) -> str:
    features = record["features"]
    if features:
        words = " ".join(features)
    else:
        words = text(f"terminal.result.capabilities.{'unknown' if features is None else 'none'}", locale)
    return f"{record['chat']}  {visible(words)}"


def _fields(record: Any, locale: str) -> str:
    """Of what has no words of its own: names and values."""
    if not isinstance(record, Mapping):
        return visible(str(record))
    return "  ".join(visible(f"{name} {value}") for name, value in record.items())


_WRITERS: Mapping[str, Callable[[Any, str], str]] = {
    "me": _me,
    "certificate": _certificate,
    "chats": chat_text,
    "chat": chat_text,
    "name": chat_text,
    "messages": lambda message, locale: message_text(message),
    "search": _hit,
    "capabilities": _capabilities,
    "resend": sent_text,
    "options": _option,
    "keep": security_text,
    "release": _released,
    "security": security_text,
    "accept-keys": security_text,
    "withdraw": security_text,
    "group create": group_text,
    "group list": group_text,
    "group info": group_text,
    "group members": member_text,
    "group add": group_text,
    "group remove": group_text,
    "group leave": group_text,
    "group subject": group_text,
    "transfers": _transfer,
    "transfer cancel": _transfer,
    "transfer pause": _transfer,
    "transfer resume": _transfer,
}

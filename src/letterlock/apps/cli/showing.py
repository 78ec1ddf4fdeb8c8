"""How what verbs give reads in a terminal: the text of the same records that `-o json` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .terminal import visible
from .words import health_words, message_text, protocol_words

__all__ = ["chat_text", "group_text", "member_text", "security_text", "sent_text", "shown"]

Record = Mapping[str, Any]


def shown(verb: str, record: Any) -> str:
    """The text of one record of a verb's result."""
    if record is None or record == {}:
        return "done" if record == {} else "there is none"
    return _WRITERS.get(verb, _fields)(record)


def chat_text(chat: Record) -> str:
    """A line of the list of chats."""
    called = f"  {visible(chat['name'])}" if chat["named"] else ""
    unread = f"  {chat['unread']} new" if chat["unread"] else ""
    return f"{chat['chat']}{called}  {chat['security']['label']}{unread}"


def security_text(security: Record) -> str:
    """Who can read, by which protocol, and how that stands."""
    lines = [f"{security['label']}: {security['sentence']}"]
    if not security["plain"] and security["state"] not in ("business", "no-keys-found") and security["protocol"]:
        lines.append(protocol_words(security["protocol"]))
    if security["health"]:
        lines.append(f"era {security['era']}, epoch {security['epoch']}, {health_words(security['health'])}")
    return "\n".join(lines)


def group_text(group: Record) -> str:
    who = f"{len(group['members'])} members" if group["joined"] else "you are not in it"
    return f"{group['chat']}  {visible(group['subject']) or '(no subject)'}  {who}"


def sent_text(sent: Record) -> str:
    from ...engine.security import Security
    from ...ids import group_of
    from .words import chat_label, security_label

    state, group = Security(sent["security"]), group_of(sent["chat"]) is not None
    return f"{sent['message_id']}  {security_label(state, chat_label(sent['chat']), group=group)}"


def member_text(member: Record) -> str:
    from ...engine.security import Security
    from .words import security_label

    state = "you" if member["me"] else security_label(Security(member["security"]), member["name"])
    if not member["current"]:
        state = "has other keys now: add it again to go on"
    called = f"  {visible(member['name'])}" if member["name"] != member["number"] else ""
    return f"{member['number']}{called}  {state}{'  removable' if member['removable'] else ''}"


def _me(me: Record) -> str:
    carried = " and ".join(name.upper() for name, there in me["carried"].items() if there) or "no carrier"
    return f"{me['number']}, device {me['device']}{' (primary)' if me['primary'] else ''}, {carried}"


def _hit(hit: Record) -> str:
    return f"{hit['message']['chat']}  {message_text(hit['message'])}"


def _option(option: Record) -> str:
    return f"{option['label']}: {option['sentence']}\n  --allow {option['token']}"


def _transfer(transfer: Record) -> str:
    way = "upload" if transfer["upload"] else "download"
    size = transfer["size"]
    part = f"{transfer['done'] * 100 // size:3d} % of {size:,} bytes" if size else f"{transfer['done']:,} bytes"
    why = f"  ({transfer['message'] or transfer['reason']})" if transfer["reason"] else ""
    return visible(f"{transfer['transfer'][:8]}  {way:<8}  {transfer['state']:<11}  {part}  {transfer['path']}{why}")


def _certificate(certificate: Record) -> str:
    ready = "can be encrypted to" if certificate["ready"] else "cannot be encrypted to yet"
    until = datetime.fromtimestamp(certificate["not_after"] / 1000, UTC)
    lasts = f", until {until:%Y-%m-%d}" if certificate["not_after"] else ""
    trouble = f"\n{certificate['trouble']}" if certificate["trouble"] else ""
    return visible(f"this device {ready}{lasts}; {certificate['packages']} key packages published") + trouble


def _released(record: Record) -> str:
    return f"{record['released']} sent unencrypted"


def _capabilities(record: Record) -> str:
    features = record["features"]
    words = "nobody knows now" if features is None else "no RCS" if not features else " ".join(features)
    return f"{record['chat']}  {visible(words)}"


def _fields(record: Any) -> str:
    """Of what has no words of its own: names and values."""
    if not isinstance(record, Mapping):
        return visible(str(record))
    return "  ".join(visible(f"{name} {value}") for name, value in record.items())


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "me": _me,
    "certificate": _certificate,
    "chats": chat_text,
    "chat": chat_text,
    "name": chat_text,
    "messages": message_text,
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

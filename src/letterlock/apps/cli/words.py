"""How states and events read in a terminal. The words of the states are the engine's one table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...codec.file_names import safe_file_name
from ...engine import events as ev
from ...engine.events import Event, Recorded, event_to_json
from ...engine.groups.events import GroupEvent
from ...engine.outcomes import outcome
from ...engine.security import WORDS, Security, words
from ...ids import group_of
from ..verbs.names import chat_label
from ..verbs.records import security_words
from .bot_words import bot_lines
from .group_words import group_event_text
from .terminal import visible

__all__ = [
    "chat_label",
    "event_text",
    "health_words",
    "message_text",
    "protocol_words",
    "security_label",
    "security_sentence",
]


def security_label(state: Security, name: str, *, group: bool = False) -> str:
    """At most four words, with the contact's name filled in; of a group without one."""
    label, _ = security_words(state, name, group=group)
    return label


def security_sentence(state: Security, name: str, date: str = "an earlier day") -> str:
    """One sentence that says who can read. `date`: when codes were compared, where that is known."""
    return words(state, name).sentence.replace(" ({wait})", "").format(name=name, date=date)


def protocol_words(protocol: str) -> str:
    """A protocol by what it does; one of a later version by its name."""
    return _PROTOCOLS.get(protocol, f"encrypted by {protocol}")


def conversation_change_words(what: str, numbers: tuple[str, ...]) -> str:
    """A decision of the user about a conversation, as ConversationChangeFailed names it."""
    return {
        "add": f"adding {' '.join(numbers)}",
        "remove": f"removing {' '.join(numbers)}",
        "subject": "the new subject",
        "icon": "the new picture",
        "end": "ending encryption",
        "revive": "encrypting again",
    }.get(what, what)


def health_words(state: str) -> str:
    """How the repair of a conversation stands, by the name of its state (rcc16.md 5.1)."""
    return {
        "healthy": "nothing to repair",
        "initializing": "being set up",
        "done-end-mls": "encryption was ended",
        "self-heal-failed": "repair has not worked so far",
    }.get(state, f"being repaired ({state})")


def event_text(recorded: Recorded) -> str:
    """One line for people."""
    time = datetime.fromtimestamp(recorded.at / 1000, UTC).astimezone().strftime("%H:%M:%S")
    line = f"{time}  {visible(_text(recorded.event))}"
    content = getattr(recorded.event, "content", None) if isinstance(recorded.event, ev.MessageReceived) else None
    return "\n".join((line, *_below(content)))


def _below(content: dict[str, Any] | None) -> list[str]:
    """Cards and suggestions of a chatbot take lines of their own."""
    if content is None or content["kind"] not in ("card", "carousel", "suggestions"):
        return []
    return bot_lines(content)


def _text(event: Event) -> str:
    match event:
        case ev.MessageReceived():
            mark = _mark(event.encrypted, event.medium)
            speaker = f"{event.sender} in {chat_label(event.chat)}" if event.sender else event.chat
            return f"{speaker}: {_said(event.text, event.content, event.content_type)}{mark}"
        case ev.MessageSent():
            mark = "  [waits for keys]" if event.waiting else _mark(event.encrypted, event.medium)
            return f"me to {chat_label(event.chat)}: {_said(event.text, event.content, event.content_type)}{mark}"
        case ev.SmsFromUnknownSender():
            return f"SMS from {event.sender or 'nobody'}, which is no number and cannot be answered: {event.text}{_mark(False, 'sms')}"
        case ev.MessageEdited():
            now = event.text if event.text is not None else "(edited again, or deleted, since)"
            return f"{event.sender} edited {event.message_id[:8]}: {now}"
        case ev.MessageDeleted():
            return f"{event.sender} deleted {event.message_id[:8]}"
        case ev.ReactionChanged():
            done = "took back" if event.removed else "put"
            return f"{event.sender} {done} {event.emoji} {'from' if event.removed else 'on'} {event.message_id[:8]}"
        case ev.ChangeRefused():
            return f"refused the {event.change} of {event.message_id[:8]} by {event.sender}: {_REASONS.get(event.reason, event.reason)}"
        case ev.MessageDelivered():
            return f"delivered to {event.member or event.chat}{'' if event.authenticated else ', says the network'}"
        case ev.MessageDisplayed():
            return f"seen by {event.member or event.chat}{'' if event.authenticated else ', says the network'}"
        case ev.MessageAccepted():
            return f"the network took the message to {chat_label(event.chat)}"
        case ev.MessageFailed() | ev.MessageExpired():
            ended = outcome(event, event.member or chat_label(event.chat))
            return f"not delivered: {ended.reason}; {ended.next_step}"
        case ev.MessageUnreadable():
            again = "; asked for it again" if event.asked_again else ""
            place = f" in {chat_label(event.chat)}" if event.sender and event.chat else ""
            author = event.sender or event.chat
            return f"a message{f' from {author}' if author else ''}{place} could not be read ({event.reason}){again}"
        case ev.MessageMissing():
            count = event.last - event.first + 1
            return f"{count} message{'s' if count > 1 else ''} from {event.sender} missing"
        case ev.TypingChanged():
            return f"{event.chat} {'is typing' if event.active else 'stopped typing'}"
        case ev.ContactKeysSeen():
            return f"keys of {event.chat} met for the first time; compare codes: letterlock verify {event.chat}"
        case ev.KeysChanged():
            paused = "; sending is paused" if event.was_verified else ""
            return f"{event.chat}'s keys are new, usually a new phone{paused}; compare codes to be sure"
        case ev.VerificationWithdrawn():
            return f"you took back that you compared codes with {event.chat}; the chat is encrypted, and not verified"
        case ev.ChatNamed():
            label = chat_label(event.chat)
            return f"{label} is called {event.name} here" if event.name else f"{label} has no name here any more"
        case ev.DeviceListChanged():
            changes = [f"added {item}" for item in event.added] + [f"removed {item}" for item in event.removed]
            return f"devices of {event.chat} changed: {', '.join(changes) or 'renewed'}"
        case ev.SecurityChanged():
            label = chat_label(event.chat)
            said = security_label(Security(event.state), label, group=group_of(event.chat) is not None)
            return f"chat with {label}: {said}"
        case ev.CapabilitiesChanged():
            new = [f"+{name}" for name in event.features if name not in event.before]
            gone = [f"-{name}" for name in event.before if name not in event.features]
            return f"the carrier says that {event.chat} can do something else now: {' '.join((*new, *gone))}"
        case ev.NumberReset():
            return "somebody claimed your number with other keys; if that was not you, ask your operator"
        case ev.MessageResent():
            return f"encrypted a message to {event.member or event.chat} again, for a device that could not read it"
        case ev.ResendRequested():
            return f"asked {event.chat} to encrypt a message again"
        case ev.DeviceListRefused():
            return f"refused a false list of the devices of {event.chat} ({event.reason})"
        case ev.OwnListMismatch():
            return f"strangers are shown other keys for your number ({event.reason}); ask the directory's operator"
        case ev.PrekeysLow():
            return "the directory has few one-time keys of yours left; new ones are on their way"
        case ev.SessionWithoutOneTimePrekey():
            return f"first contact with {event.chat} was made without a one-time key"
        case ev.EncryptionStarted():
            by = f", set up by {event.by}" if event.by else ""
            return f"chat with {chat_label(event.chat)}: encrypted from here on{by}; {protocol_words(event.protocol)}"
        case ev.EncryptionEnded():
            who = f"{event.by} ended encryption" if event.by else f"encryption has ended ({event.reason})"
            return f"chat with {chat_label(event.chat)}: {who}; nothing is sent until you decide"
        case ev.EncryptionStalled():
            return (
                f"chat with {chat_label(event.chat)}: encryption is stuck ({event.reason}); have it tried again, or end "
                f"it: letterlock encryption retry {event.chat[:16]}"
            )
        case ev.ConversationChangeFailed():
            what = conversation_change_words(event.what, event.numbers)
            return f"chat with {chat_label(event.chat)}: {what} came to nothing ({event.reason})"
        case ev.ProtocolSwitched():
            return f"chat with {chat_label(event.chat)}: from here on {protocol_words(event.after)}"
        case ev.ProtocolNoted() if event.chat is not None and event.note.startswith(_HEALTH):
            return f"chat with {chat_label(event.chat)}: {health_words(event.note.removeprefix(_HEALTH))}"
        case ev.ProtocolNoted() if event.chat is not None and event.note.startswith(_REFUSED):
            reason = event.note.removeprefix(_REFUSED)
            return (
                f"keys that the directory gave for {event.chat} do not hold ({reason}); nothing is encrypted for them"
            )
        case ev.ProvisioningChanged():
            return f"the operator: {event.state}, version {event.version}{f' ({event.reason})' if event.reason else ''}"
        case ev.TransferChanged():
            way = "upload" if event.upload else "download"
            part = f" {event.done * 100 // event.size} %" if event.size and event.state != "done" else ""
            doing = event.stage if event.state == "running" and event.stage != "moving" else event.state
            return f"{way} {event.transfer[:8]}: {doing}{part}{f' ({event.reason})' if event.reason else ''}"
        case _ if isinstance(event, GroupEvent):
            return group_event_text(event)
        case ev.StoreRolledBack():
            return "this profile was an older copy; every conversation has begun anew"
        case _:  # of a later version
            record = event_to_json(event)
            kind = record.pop("kind")
            return f"{kind} " + " ".join(f"{name}={value}" for name, value in record.items())


def _mark(encrypted: bool, medium: str) -> str:
    """What a line says of how its message was carried."""
    if encrypted:
        return ""
    return f"  [{WORDS[Security.PLAIN_SMS].label}]" if medium == "sms" else "  [not encrypted]"


_REFUSED = "seal-refused:"
_HEALTH = "health:"
_PROTOCOLS = {
    "signal": "encrypted for each device by itself (Signal's protocol)",
    "rcc16": "encrypted for the conversation as a whole (RCC.16, MLS)",
    "": "no protocol yet",
}
_REASONS = {
    "not-author": "it is somebody else's message",
    "unencrypted": "it came unencrypted, and the message was encrypted",
    "not-text": "it is no text",
    "no-message": "the message never came",
    "too-many": "too many wait for their messages",
}


def _said(text: str | None, content: dict[str, Any] | None, content_type: str) -> str:
    """What a message says, in words."""
    if text is not None:
        return text
    kind = content["kind"] if content is not None else ""
    if content is not None and kind in _OF_BOTS:
        return _OF_BOTS[kind]
    if content is None or kind not in ("deleted", "location", "file", "unknown"):
        return f"({content_type})"
    if kind == "deleted":
        return "(deleted)"
    if kind == "location":
        return _place(content["latitude"], content["longitude"], content["label"])
    if kind == "file":
        return _file(content["name"], content["content_type"], content["size"], content.get("duration_ms"))
    return f"({content_type}, {content['size']} bytes)"


_OF_BOTS = {
    "card": "(card)",
    "carousel": "(cards)",
    "suggestions": "(suggestions)",
    "device-report": "(about this device)",
}


def _place(latitude: float, longitude: float, label: str) -> str:
    return f"(place: {latitude:.6f}, {longitude:.6f}{f', {label}' if label else ''})"


def _file(name: str, content_type: str, size: int, duration_ms: int | None) -> str:
    """A file by the name that it would get here: what its sender calls it may be meant to mislead (SR-14)."""
    seconds = "" if duration_ms is None else f", {duration_ms // 60_000}:{duration_ms // 1_000 % 60:02d}"
    return f"(file: {safe_file_name(name) if name else 'without a name'}, {content_type}, {size:,} bytes{seconds})"


# --- messages ----------------------------------------------------------------------------------------------
def message_text(message: Mapping[str, Any]) -> str:
    """A message of a chat as it is now (`verbs.records.message_record`): one line, and those of a card below it."""
    if message["kind"] == "notice":
        return f"{'':<8}  {'--':>16}  {visible(message['notice']['text'])}"
    who = "me" if message["mine"] else message["sender_name"]
    marks = _mark(message["encrypted"], message["medium"]) if message["kind"] not in _NO_MESSAGES else ""
    if message["edited_at"] is not None:
        marks += "  [edited]"
    if message["reactions"]:
        marks += "  " + " ".join(mark["emoji"] for mark in message["reactions"])
    line = (
        f"{message['message_id'][:8]:<8}  {visible(who):>16}  {visible(_answered(message) + _shown(message) + marks)}"
    )
    ended = message["outcome"]
    below = [] if ended is None else [visible(f"          not delivered: {ended['reason']}; {ended['next_step']}")]
    if message["kind"] == "unreadable":
        below = []
    return "\n".join((line, *below, *_below(message.get("chatbot"))))


_NO_MESSAGES = ("missing", "unreadable")


def _answered(message: Mapping[str, Any]) -> str:
    quote = message["reply"]
    if quote is None:
        return ""
    if quote["missing"] or quote["deleted"]:
        return f"[to a message that is {'not here' if quote['missing'] else 'deleted'}] "
    text = quote["text"] if quote["text"] is not None else "a message"
    return f"[to: {text[:30]}{'…' if len(text) > 30 else ''}] "


def _shown(message: Mapping[str, Any]) -> str:
    match message["kind"]:
        case "deleted":
            return "(deleted)"
        case "location":
            place = message["location"]
            return _place(place["latitude"], place["longitude"], place["label"])
        case "file":
            file = message["file"]
            return _file(file["name"], file["content_type"], file["size"], file["duration_ms"])
        case "missing":
            return f"(missing: {message['message_id']})"
        case "unreadable":
            ended = message["outcome"]
            return "(not readable)" if ended is None else f"(not readable: {ended['reason']}; {ended['next_step']})"
        case "bot" if message["text"] is None:
            return _OF_BOTS[message["chatbot"]["kind"]]
        case "unknown":
            return f"({message['content_type']}, {message['unknown']['size']} bytes)"
    text: str | None = message["text"]
    return text if text is not None else f"({message['content_type']})"

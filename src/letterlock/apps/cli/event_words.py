"""How events read in a terminal: one line each, of the one table of words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from ...engine import events as ev
from ...engine.events import Event, Recorded, event_to_json
from ...engine.groups.events import GroupEvent
from ...engine.outcomes import outcome
from ...engine.security import Security
from ...ids import group_of
from ...words import ENGLISH, text
from ...words.en import STRINGS
from .group_words import group_event_words
from .terminal import visible
from .words import chat_label, health_words, mark, protocol_words, said, security_label, with_cards

__all__ = ["event_text", "event_words"]

Say: TypeAlias = Callable[..., str]


def event_text(recorded: Recorded) -> str:
    """One line for people, with the time."""
    time = datetime.fromtimestamp(recorded.at / 1000, UTC).astimezone().strftime("%H:%M:%S")
    line = f"{time}  {visible(event_words(recorded.event))}"
    return with_cards(line, recorded.event.content if isinstance(recorded.event, ev.MessageReceived) else None)


def event_words(event: Event, locale: str = ENGLISH) -> str:
    """What happened, in words; what peers wrote is in it as it is."""
    t = partial(text, locale=locale)
    match event:
        case _ if isinstance(event, GroupEvent):
            return group_event_words(event, locale)
        case ev.MessageReceived() if event.sender:
            words = said(event.text, event.content, event.content_type, locale)
            line = t(
                "terminal.event.message-received.group", sender=event.sender, chat=chat_label(event.chat), said=words
            )
            return line + mark(event.encrypted, event.medium, locale)
        case ev.MessageReceived():
            words = said(event.text, event.content, event.content_type, locale)
            return t("terminal.event.message-received", chat=event.chat, said=words) + mark(
                event.encrypted, event.medium, locale
            )
        case ev.MessageSent():
            words = said(event.text, event.content, event.content_type, locale)
            line = t("terminal.event.message-sent", chat=chat_label(event.chat), said=words)
            waits = "  " + t("terminal.mark.waiting")
            return line + (waits if event.waiting else mark(event.encrypted, event.medium, locale))
        case ev.SmsFromUnknownSender():
            by = (
                "terminal.event.sms-from-unknown-sender"
                if event.sender
                else "terminal.event.sms-from-unknown-sender.none"
            )
            return t(by, sender=event.sender, said=event.text) + mark(False, "sms", locale)
        case ev.MessageEdited() | ev.MessageDeleted() | ev.ReactionChanged() | ev.ChangeRefused():
            return _change_words(event, t)
        case ev.MessageDelivered():
            by = (
                "terminal.event.message-delivered"
                if event.authenticated
                else "terminal.event.message-delivered.network"
            )
            return t(by, chat=event.member or event.chat)
        case ev.MessageDisplayed():
            by = (
                "terminal.event.message-displayed"
                if event.authenticated
                else "terminal.event.message-displayed.network"
            )
            return t(by, chat=event.member or event.chat)
        case ev.MessageAccepted():
            return t("terminal.event.message-accepted", chat=chat_label(event.chat))
        case ev.MessageFailed() | ev.MessageExpired():
            ended = outcome(event, event.member or chat_label(event.chat))
            return t("terminal.event.message-failed", reason=ended.reason, next_step=ended.next_step)
        case ev.MessageUnreadable():
            return _unreadable_words(event, t)
        case ev.MessageMissing():
            return t("terminal.event.message-missing", count=event.last - event.first + 1, sender=event.sender)
        case ev.TypingChanged():
            by = "terminal.event.typing-changed" if event.active else "terminal.event.typing-changed.stopped"
            return t(by, chat=event.chat)
        case ev.MessageResent():
            return t("terminal.event.message-resent", chat=event.member or event.chat)
        case ev.ResendRequested():
            return t("terminal.event.resend-requested", chat=event.chat)
        case ev.StoreRolledBack():
            return t("terminal.event.store-rolled-back")
        case ev.PrekeysLow():
            return t("terminal.event.prekeys-low")
        case ev.ProvisioningChanged():
            by = "terminal.event.provisioning-changed.reason" if event.reason else "terminal.event.provisioning-changed"
            return t(by, state=event.state, version=event.version, reason=event.reason)
        case ev.TransferChanged():
            return _transfer_words(event, t)
        case _:
            return _trust_words(event, t, locale) or _encryption_words(event, t, locale) or _of_a_later_version(event)


def _change_words(event: ev.MessageEdited | ev.MessageDeleted | ev.ReactionChanged | ev.ChangeRefused, t: Say) -> str:
    """What somebody did to a message that was there."""
    what = {"sender": event.sender, "message": event.message_id[:8]}
    match event:
        case ev.MessageEdited() if event.text is None:
            return t("terminal.event.message-edited.none", **what)
        case ev.MessageEdited():
            return t("terminal.event.message-edited", said=event.text, **what)
        case ev.MessageDeleted():
            return t("terminal.event.message-deleted", **what)
        case ev.ReactionChanged():
            by = "terminal.event.reaction-changed.removed" if event.removed else "terminal.event.reaction-changed"
            return t(by, emoji=event.emoji, **what)
        case ev.ChangeRefused():
            key = f"terminal.refused.{event.reason}"
            why = t(key) if key in STRINGS else event.reason
            return t("terminal.event.change-refused", change=event.change, reason=why, **what)


def _unreadable_words(event: ev.MessageUnreadable, t: Say) -> str:
    author = event.sender or event.chat
    key = "terminal.event.message-unreadable.by" if author else "terminal.event.message-unreadable"
    if event.sender and event.chat:
        key = "terminal.event.message-unreadable.group"
    line = t(key, sender=author, chat=chat_label(event.chat) if event.chat else "", reason=event.reason)
    return t("terminal.event.message-unreadable.asked", line=line) if event.asked_again else line


def _trust_words(event: Event, t: Say, locale: str) -> str:
    """Of keys, devices, and what others say of them; empty where the event is none of these."""
    match event:
        case ev.ContactKeysSeen():
            return t("terminal.event.contact-keys-seen", chat=event.chat)
        case ev.KeysChanged():
            by = "terminal.event.keys-changed.paused" if event.was_verified else "terminal.event.keys-changed"
            return t(by, chat=event.chat)
        case ev.VerificationWithdrawn():
            return t("terminal.event.verification-withdrawn", chat=event.chat)
        case ev.ChatNamed():
            by = "terminal.event.chat-named" if event.name else "terminal.event.chat-named.none"
            return t(by, chat=chat_label(event.chat), name=event.name)
        case ev.DeviceListChanged():
            added = [t("terminal.event.device-list-changed.added", device=each) for each in event.added]
            removed = [t("terminal.event.device-list-changed.removed", device=each) for each in event.removed]
            by = "terminal.event.device-list-changed" if added or removed else "terminal.event.device-list-changed.none"
            return t(by, chat=event.chat, changes=", ".join((*added, *removed)))
        case ev.DeviceListRefused():
            return t("terminal.event.device-list-refused", chat=event.chat, reason=event.reason)
        case ev.OwnListMismatch():
            return t("terminal.event.own-list-mismatch", reason=event.reason)
        case ev.NumberReset():
            return t("terminal.event.number-reset")
        case ev.SessionWithoutOneTimePrekey():
            return t("terminal.event.session-without-one-time-prekey", chat=event.chat)
        case ev.CapabilitiesChanged():
            changes = [f"+{name}" for name in event.features if name not in event.before]
            changes += [f"-{name}" for name in event.before if name not in event.features]
            return t("terminal.event.capabilities-changed", chat=event.chat, changes=" ".join(changes))
        case ev.SecurityChanged():
            label, state = chat_label(event.chat), Security(event.state)
            words = security_label(state, label, group=group_of(event.chat) is not None)
            if locale != ENGLISH:
                words = t(f"security.{state.value}.label", name=label)
            return t("terminal.event.security-changed", chat=label, label=words)
        case _:
            return ""


def _encryption_words(event: Event, t: Say, locale: str) -> str:
    """Of how a conversation is encrypted; empty where the event is none of these."""
    match event:
        case ev.EncryptionStarted():
            by = "terminal.event.encryption-started.by" if event.by else "terminal.event.encryption-started"
            protocol = protocol_words(event.protocol, locale)
            return t(by, chat=chat_label(event.chat), by=event.by, protocol=protocol)
        case ev.EncryptionEnded():
            by = "terminal.event.encryption-ended.by" if event.by else "terminal.event.encryption-ended"
            return t(by, chat=chat_label(event.chat), by=event.by, reason=event.reason)
        case ev.EncryptionStalled():
            label, name = chat_label(event.chat), event.chat[:16]
            return t("terminal.event.encryption-stalled", chat=label, name=name, reason=event.reason)
        case ev.ConversationChangeFailed():
            key = f"terminal.change.{event.what}"
            change = t(key, numbers=" ".join(event.numbers)) if key in STRINGS else event.what
            label = chat_label(event.chat)
            return t("terminal.event.conversation-change-failed", chat=label, change=change, reason=event.reason)
        case ev.ProtocolSwitched():
            protocol = protocol_words(event.after, locale)
            return t("terminal.event.protocol-switched", chat=chat_label(event.chat), protocol=protocol)
        case ev.ProtocolNoted() if event.chat is not None and event.note.startswith(_HEALTH):
            health = health_words(event.note.removeprefix(_HEALTH), locale)
            return t("terminal.event.protocol-noted.health", chat=chat_label(event.chat), health=health)
        case ev.ProtocolNoted() if event.chat is not None and event.note.startswith(_REFUSED):
            reason = event.note.removeprefix(_REFUSED)
            return t("terminal.event.protocol-noted.refused", chat=event.chat, reason=reason)
        case _:
            return ""


_REFUSED = "seal-refused:"
_HEALTH = "health:"


def _transfer_words(event: ev.TransferChanged, t: Say) -> str:
    part = f" {event.done * 100 // event.size} %" if event.size and event.state != "done" else ""
    doing = event.stage if event.state == "running" and event.stage != "moving" else event.state
    state = f"{doing}{part}{f' ({event.reason})' if event.reason else ''}"
    by = "terminal.event.transfer-changed.upload" if event.upload else "terminal.event.transfer-changed.download"
    return t(by, transfer=event.transfer[:8], state=state)


def _of_a_later_version(event: Event) -> str:
    record = event_to_json(event)
    kind = record.pop("kind")
    return f"{kind} " + " ".join(f"{name}={value}" for name, value in record.items())

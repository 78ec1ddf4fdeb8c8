"""How states and events read in a terminal. The words of the states are the engine's one table."""

from __future__ import annotations

from datetime import UTC, datetime

from ...engine import events as ev
from ...engine.events import Event, Recorded, event_to_json
from ...engine.security import WORDS, Security
from .terminal import visible

__all__ = ["event_text", "security_label", "security_sentence"]


def security_label(state: Security, name: str) -> str:
    """At most four words, with the contact's name filled in."""
    return WORDS[state].label.format(name=name)


def security_sentence(state: Security, name: str, date: str = "an earlier day") -> str:
    """One sentence that says who can read. `date`: when codes were compared, where that is known."""
    return WORDS[state].sentence.replace(" ({wait})", "").format(name=name, date=date)


def event_text(recorded: Recorded) -> str:
    """One line for people."""
    time = datetime.fromtimestamp(recorded.at / 1000, UTC).astimezone().strftime("%H:%M:%S")
    return f"{time}  {visible(_text(recorded.event))}"


def _text(event: Event) -> str:
    match event:
        case ev.MessageReceived():
            mark = "" if event.encrypted else "  [not encrypted]"
            return f"{event.chat}: {event.text if event.text is not None else f'({event.content_type})'}{mark}"
        case ev.MessageSent():
            mark = "  [waits for keys]" if event.waiting else "" if event.encrypted else "  [not encrypted]"
            return f"me to {event.chat}: {event.text if event.text is not None else f'({event.content_type})'}{mark}"
        case ev.MessageDelivered():
            return f"delivered to {event.chat}{'' if event.authenticated else ', says the network'}"
        case ev.MessageDisplayed():
            return f"seen by {event.chat}{'' if event.authenticated else ', says the network'}"
        case ev.MessageAccepted():
            return f"the network took the message to {event.chat}"
        case ev.MessageFailed():
            return f"the network refuses the message to {event.chat} ({event.reason})"
        case ev.MessageExpired():
            return f"nobody confirmed the message to {event.chat} in time"
        case ev.MessageUnreadable():
            again = "; asked for it again" if event.asked_again else ""
            return f"a message{f' from {event.chat}' if event.chat else ''} could not be read ({event.reason}){again}"
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
        case ev.DeviceListChanged():
            changes = [f"added {item}" for item in event.added] + [f"removed {item}" for item in event.removed]
            return f"devices of {event.chat} changed: {', '.join(changes) or 'renewed'}"
        case ev.SecurityChanged():
            return f"chat with {event.chat}: {security_label(Security(event.state), event.chat)}"
        case ev.NumberReset():
            return "somebody claimed your number with other keys; if that was not you, ask your operator"
        case ev.MessageResent():
            return f"encrypted a message to {event.chat} again, for a device that could not read it"
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
        case ev.ProtocolNoted() if event.chat is not None and event.note.startswith(_REFUSED):
            reason = event.note.removeprefix(_REFUSED)
            return (
                f"keys that the directory gave for {event.chat} do not hold ({reason}); nothing is encrypted for them"
            )
        case ev.TransferChanged():
            way = "upload" if event.upload else "download"
            part = f" {event.done * 100 // event.size} %" if event.size and event.state != "done" else ""
            return f"{way} {event.transfer[:8]}: {event.state}{part}{f' ({event.reason})' if event.reason else ''}"
        case ev.StoreRolledBack():
            return "this profile was an older copy; every conversation has begun anew"
        case _:  # of a later version
            record = event_to_json(event)
            kind = record.pop("kind")
            return f"{kind} " + " ".join(f"{name}={value}" for name, value in record.items())


_REFUSED = "seal-refused:"

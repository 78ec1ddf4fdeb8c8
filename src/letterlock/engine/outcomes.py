"""How a message ended that was not delivered, in words: why, and what to do next. One table for every application."""

from __future__ import annotations

from dataclasses import dataclass

from .events import MessageExpired, MessageFailed

__all__ = ["Outcome", "outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Two clauses without a full stop; `{name}` is who it was for."""

    reason: str
    next_step: str


_EXPIRED = Outcome(
    "nobody confirmed the message to {name} in time",
    "send it again; if that fails too, ask {name} another way whether the number still reaches them",
)
_REASONS = {
    "keys-changed": Outcome(
        "the message to {name} was encrypted for keys that {name} no longer has",
        "compare codes, then send it again",
    ),
    "no-keys": Outcome(
        "too much waits for the keys of {name}, so this message does not reach {name}",
        "send it again once {name} has been online",
    ),
    "removed": Outcome("{name} has left the group, and does not get the message", "nothing, or add {name} again"),
    "recipient": Outcome(
        "the phone of {name} says that it could not take the message", "send it again, or send it in another form"
    ),
    "target-encrypted": Outcome(
        "what this message changes was encrypted, and the chat with {name} is not any more",
        "write it as a message of its own",
    ),
    "only-encrypted": Outcome(
        "this message was to be encrypted in any case, and the chat with {name} is not any more",
        "write it once more, unencrypted",
    ),
    "sms-only-text": Outcome(
        "this message waited for keys, and is not what SMS can carry to {name}",
        "write it as a shorter text, or choose RCS for this chat (letterlock send --allow with its token)",
    ),
    "file-protocol": Outcome(
        "this file waited for keys, and the chat with {name} has gone over to another encryption",
        "send the file once more",
    ),
    "file-encrypted": Outcome(
        "this file was encrypted, and the chat with {name} is not any more",
        "send the file once more, unencrypted",
    ),
}
_LARGE = Outcome("the message to {name} is larger than the network takes", "shorten it, or send it as a file")
_CONTENT = Outcome(
    "the phone of {name}, or the network, takes no such content", "send it in another form, for example as text"
)
_FORBIDDEN = Outcome(
    "the network forbids messages to {name}",
    "ask your carrier why, and give it the status {status}; then send it again",
)
_STATUSES = {403: _FORBIDDEN, 413: _LARGE, 513: _LARGE, 415: _CONTENT, 488: _CONTENT, 606: _CONTENT}
_REFUSED = Outcome(
    "the network refuses the message to {name} (status {status})",
    "check the number and send it again; if it stays so, give your carrier the status {status}",
)


def outcome(event: MessageFailed | MessageExpired, name: str) -> Outcome:
    """What to tell the user of it."""
    status = 0
    if isinstance(event, MessageExpired):
        found = _EXPIRED
    else:
        status = event.status
        found = _REASONS.get(event.reason) or _STATUSES.get(status, _REFUSED)
    return Outcome(found.reason.format(name=name, status=status), found.next_step.format(name=name, status=status))

"""How a message ended that was not delivered: two clauses without a full stop, why and what next.

`{name}` is who it was for, of a message to a whole group `outcome.group`; `{status}` what the network answered.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "outcome.group": "this group",
    "outcome.expired.reason": "nobody confirmed the message to {name} in time",
    "outcome.expired.next": "send it again; if that fails too, ask {name} another way whether the number still reaches them",
    "outcome.keys-changed.reason": "the message to {name} was encrypted for keys that {name} no longer has",
    "outcome.keys-changed.next": "compare codes, then send it again",
    "outcome.no-keys.reason": "too much waits for the keys of {name}, so this message does not reach {name}",
    "outcome.no-keys.next": "send it again once {name} has been online",
    "outcome.removed.reason": "{name} has left the group, and does not get the message",
    "outcome.removed.next": "nothing, or add {name} again",
    "outcome.recipient.reason": "the phone of {name} says that it could not take the message",
    "outcome.recipient.next": "send it again, or send it in another form",
    "outcome.target-encrypted.reason": "what this message changes was encrypted, and the chat with {name} is not any more",
    "outcome.target-encrypted.next": "write it as a message of its own",
    "outcome.only-encrypted.reason": "this message was to be encrypted in any case, and the chat with {name} is not any more",
    "outcome.only-encrypted.next": "write it once more, unencrypted",
    "outcome.sms-only-text.reason": "this message waited for keys, and is not what SMS can carry to {name}",
    "outcome.sms-only-text.next": "write it as a shorter text, or choose RCS for this chat (letterlock send --allow with its token)",
    "outcome.file-protocol.reason": "this file waited for keys, and the chat with {name} has gone over to another encryption",
    "outcome.file-protocol.next": "send the file once more",
    "outcome.file-encrypted.reason": "this file was encrypted, and the chat with {name} is not any more",
    "outcome.file-encrypted.next": "send the file once more, unencrypted",
    "outcome.too-large.reason": "the message to {name} is larger than the network takes",
    "outcome.too-large.next": "shorten it, or send it as a file",
    "outcome.content.reason": "the phone of {name}, or the network, takes no such content",
    "outcome.content.next": "send it in another form, for example as text",
    "outcome.forbidden.reason": "the network forbids messages to {name}",
    "outcome.forbidden.next": "ask your carrier why, and give it the status {status}; then send it again",
    "outcome.refused.reason": "the network refuses the message to {name} (status {status})",
    "outcome.refused.next": "check the number and send it again; if it stays so, give your carrier the status {status}",
    "unreadable.other-keys.reason": "it was encrypted for other keys than those of this device",
    "unreadable.sender-keys.reason": "it came with other keys than those that {name} is known to have, so nobody vouches for its sender",
    "unreadable.damaged.reason": "it was damaged on its way, or somebody altered it",
    "unreadable.not-encrypted.reason": "it came unencrypted, and this chat is encrypted",
    "unreadable.device.reason": "it came from a device that {name} has not listed",
    "unreadable.content.reason": "it was decrypted, and its content is of no kind that this version can read",
    "unreadable.too-large.reason": "it is larger than what is taken in",
    "unreadable.asked.next": "wait a moment: {name}'s app was asked to send it again",
    "unreadable.ask.next": "it may have been a message, or only a receipt; if you expected something, ask {name} to send it again",
}

"""What verbs give, as a terminal prints it: `terminal.result.`; and what is said while something is sent: `terminal.sending.`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "terminal.result.done": "done",
    "terminal.result.none": "there is none",
    "terminal.result.chat.unread": "{count} new",
    "terminal.result.security.repair": "era {era}, epoch {epoch}, {health}",
    "terminal.result.group.members": {"one": "{count} member", "other": "{count} members"},
    "terminal.result.group.left": "you are not in it",
    "terminal.result.group.no-subject": "(no subject)",
    "terminal.result.member.me": "you",
    "terminal.result.member.other-keys": "has other keys now: add it again to go on",
    "terminal.result.member.removable": "removable",
    "terminal.result.me": "{number}, device {device}, {carried}",
    "terminal.result.me.primary": "{number}, device {device} (primary), {carried}",
    "terminal.result.me.carried.both": "RCS and SMS",
    "terminal.result.me.carried.rcs": "RCS",
    "terminal.result.me.carried.sms": "SMS",
    "terminal.result.me.carried.none": "no carrier",
    "terminal.result.transfer.upload": "upload",
    "terminal.result.transfer.download": "download",
    "terminal.result.transfer.part": "{percent} % of {size} bytes",
    "terminal.result.transfer.done": "{done} bytes",
    "terminal.result.certificate.ready": {
        "one": "this device can be encrypted to; {count} key package published",
        "other": "this device can be encrypted to; {count} key packages published",
    },
    "terminal.result.certificate.ready.until": {
        "one": "this device can be encrypted to, until {date}; {count} key package published",
        "other": "this device can be encrypted to, until {date}; {count} key packages published",
    },
    "terminal.result.certificate.not-yet": {
        "one": "this device cannot be encrypted to yet; {count} key package published",
        "other": "this device cannot be encrypted to yet; {count} key packages published",
    },
    "terminal.result.certificate.not-yet.until": {
        "one": "this device cannot be encrypted to yet, until {date}; {count} key package published",
        "other": "this device cannot be encrypted to yet, until {date}; {count} key packages published",
    },
    "terminal.result.released": "{count} sent unencrypted",
    "terminal.result.capabilities.unknown": "nobody knows now",
    "terminal.result.capabilities.none": "no RCS",
    "terminal.sending.waits": "it waits for the keys of {chat}, and is {later}",
    "terminal.sending.not-taken": "the network has not taken it yet; it is {later}",
    "terminal.sending.no-receipt": "no receipt yet; if the network loses it, it is {later}",
    "terminal.sending.later": "kept, and sent while this profile is open: letterlock listen",
    "terminal.sending.readers": "The carriers can read what is sent unencrypted.",
    "terminal.sending.readers.business": "The business, its platform and the carriers can read what is sent unencrypted.",
    "terminal.sending.readers.sms": "As SMS every SMSC on the way can read it, too, and only text can go that way.",
    "terminal.sending.ask.rcs": "type 'unencrypted' to send it so, anything else to keep it:",
    "terminal.sending.ask.sms": "type 'sms' to send it as SMS, anything else to keep it:",
    "terminal.sending.ask.both": "type 'unencrypted' to send it so by RCS, 'sms' as SMS, anything else to keep it:",
    "terminal.sending.allow": "to send it unencrypted, readable for the carriers: {tokens}",
    "terminal.sending.allow.business": "to send it unencrypted, readable for the business, its platform and the carriers: {tokens}",
    "terminal.sending.allow.sms": "as SMS: {token}",
    "terminal.sending.keep": "{hint}; to wait for keys: letterlock keep CHAT, then send again",
}

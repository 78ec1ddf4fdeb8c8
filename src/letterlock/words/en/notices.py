"""Lines between the messages of a conversation: who came and went, when encryption began, ended or changed.

The key is `notice.` and the kind of the event; behind it its state or reason where that makes another sentence, `by` where
somebody is known to have done it, `none` where something was taken away or has no name. `{by}`, `{member}` and `{chat}`
are people by the names that the user gave them.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "notice.group-created": "The group “{subject}” was created",
    "notice.group-created.by": "{by} created the group “{subject}”",
    "notice.group-created.none": "A group was created",
    "notice.group-created.by.none": "{by} created a group",
    "notice.group-joined": "You are in the group “{subject}”",
    "notice.group-joined.by": "{by} added you to “{subject}”",
    "notice.group-joined.none": "You are in a group",
    "notice.group-joined.by.none": "{by} added you to a group",
    "notice.member-added": "{member} came into the group",
    "notice.member-added.by": "{by} added {member}",
    "notice.member-removed": "{member} is not in the group any more: whoever had added {member} was not allowed to",
    "notice.member-removed.by": "{by} removed {member}",
    "notice.member-left": "{member} left",
    "notice.subject-changed": "The group is called “{subject}” now",
    "notice.subject-changed.by": "{by} called the group “{subject}”",
    "notice.subject-changed.none": "The group has no name any more",
    "notice.subject-changed.by.none": "{by} took the group's name away",
    "notice.icon-changed": "The group has another picture",
    "notice.icon-changed.by": "{by} changed the picture",
    "notice.icon-changed.none": "{by} took the picture away",
    "notice.roster-mismatch": "Somebody says other things about this group than its members have signed ({reason}); nothing changed",
    "notice.roster-mismatch.ghost": "The carrier lists {numbers}, whom no member has added; nothing is sent there",
    "notice.roster-mismatch.missing": "The carrier's list of this group lacks {numbers}; they get messages all the same",
    "notice.roster-mismatch.subject": "The carrier calls this group otherwise; its name is what the members have signed",
    "notice.roster-mismatch.withheld": "{source} knows changes of this group that nobody sends us",
    "notice.roster-mismatch.revocation": "The key of the device that you removed cannot be revoked in this group; begin a new one",
    "notice.roster-mismatch.other-group": "The carrier shows a group with {numbers} that no member you know vouches for; it was not entered",
    "notice.roster-mismatch.other-keys": "{numbers}: other keys now than when they were added; nothing is sent there until somebody adds them again",
    "notice.contact-keys-seen": "The keys of {chat} were met for the first time. Compare security codes to be sure.",
    "notice.keys-changed": "The keys of {chat} are new. Usually a new phone; compare security codes to be sure.",
    "notice.verification-withdrawn": "You no longer vouch for the keys of {chat}",
    "notice.device-list-changed": "The devices of {chat} changed",
    "notice.number-reset": "Somebody claimed your number with other keys. If that was not you, ask your operator.",
    "notice.security-changed": "The state of this chat changed: {state}",
    "notice.security-changed.encrypted": "From here: encrypted",
    "notice.security-changed.verified": "From here: encrypted, verified",
    "notice.security-changed.keys-new": "From here: encrypted, with new keys",
    "notice.security-changed.no-longer-verified": "No longer verified: sending is paused",
    "notice.security-changed.plain-rcs": "From here: not encrypted, RCS",
    "notice.security-changed.plain-sms": "From here: not encrypted, SMS",
    "notice.security-changed.business": "From here: not encrypted, a business",
    "notice.security-changed.checking": "Checking encryption",
    "notice.security-changed.no-keys-found": "No keys found: nothing is sent unless you choose to send it unencrypted",
    "notice.security-changed.encryption-ended": "Encryption was ended: nothing is sent until you decide",
    "notice.security-changed.stalled": "Encryption is stuck: nothing is sent until you decide",
    "notice.encryption-started": "From here: encrypted",
    "notice.encryption-started.by": "From here: encrypted, set up by {by}",
    "notice.encryption-ended": "Encryption has ended here; nothing is sent until you decide",
    "notice.encryption-ended.by": "{by} ended encryption; nothing is sent until you decide",
    "notice.encryption-stalled": "Encryption is stuck; have it tried again, or end it",
    "notice.encryption-stalled.certificate-withdrawn": "Encryption is stuck: a certificate was withdrawn, and the app that had it needs a new one",
    "notice.protocol-switched": "What is written from here on is encrypted in another way",
    "notice.store-rolled-back": "This profile was an older copy; every conversation has begun anew",
    "notice.you.first": "You",
    "notice.you": "you",
    "notice.other": "Something changed here",
}

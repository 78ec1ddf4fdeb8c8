"""The states of a chat: at most four words for a chip, and one sentence that says who can read.

`{name}` is the contact, `{date}` when codes were compared, `{wait}` for how long keys are waited for.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "security.encrypted.label": "Encrypted",
    "security.encrypted.sentence": "Only you and the people in this chat can read it. Not verified yet.",
    "security.verified.label": "Encrypted, verified",
    "security.verified.sentence": "You compared security codes with {name} on {date}.",
    "security.keys-new.label": "{name}'s keys are new",
    "security.keys-new.sentence": "Usually a new phone. Compare codes to be sure.",
    "security.no-longer-verified.label": "No longer verified",
    "security.no-longer-verified.sentence": "You verified {name}, and the keys have changed. Sending is paused.",
    "security.plain-rcs.label": "Not encrypted (RCS)",
    "security.plain-rcs.sentence": "You chose to send without encryption. The carriers can read these messages.",
    "security.business.label": "Not encrypted (business)",
    "security.business.sentence": "The business, its platform and the carriers can read what is written here, and see your number. Nothing is sent unless you choose to.",
    "security.plain-sms.label": "Not encrypted (SMS)",
    "security.plain-sms.sentence": "Your carrier can read these messages.",
    "security.checking.label": "Checking encryption...",
    "security.checking.sentence": "Waiting for {name}'s keys ({wait}).",
    "security.unreadable.label": "Message not readable",
    "security.unreadable.sentence": "It was encrypted for other keys than ours. We asked for it again.",
    "security.encryption-ended.label": "Encryption was ended",
    "security.encryption-ended.sentence": "Nothing is sent until you begin it again, or choose to send a message unencrypted.",
    "security.stalled.label": "Encryption is stuck",
    "security.stalled.sentence": "It could not be repaired. Nothing is sent until you have it tried again, or end it.",
    "security.no-keys-found.label": "No keys found",
    "security.no-keys-found.sentence": "No keys of {name} were found. Nothing is sent unless you choose to send it unencrypted.",
    "security.business-chosen.label": "Not encrypted (business)",
    "security.business-chosen.sentence": "You chose to write to a business. It, its platform and the carriers can read these messages.",
    "security.group.verified.sentence": "You compared security codes with every member of this group.",
    "security.group.keys-new.label": "A member's keys are new",
    "security.group.keys-new.sentence": "Usually a new phone. The list of members says whose; compare codes to be sure.",
    "security.group.no-longer-verified.sentence": "You verified a member whose keys have changed. The list of members says whose. Sending is paused.",
    "security.group.checking.sentence": "Waiting for the members' keys ({wait}).",
    "security.group.encryption-ended.sentence": "Nothing is sent here until somebody in this group begins it again.",
    "security.group.no-keys-found.sentence": "No keys of some members were found. Nothing is sent until there are.",
    "security.earlier": "an earlier day",
    "security.contact": "the contact",
}

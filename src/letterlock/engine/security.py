"""The states of a chat, and the one table of their words, used by CLI, daemon, web and documentation.

Rules of the words: say *encrypted*, *not encrypted*, *verified* and who can read; never "secure".
`{name}` is the contact, `{date}` and `{wait}` what the placeholder says.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["WORDS", "Security", "Words", "words"]


class Security(enum.Enum):
    """One state per chat, but for UNREADABLE, which is a state of one message. The value is its stable name."""

    ENCRYPTED = "encrypted"
    VERIFIED = "verified"
    KEYS_NEW = "keys-new"
    NO_LONGER_VERIFIED = "no-longer-verified"
    PLAIN_RCS = "plain-rcs"
    PLAIN_SMS = "plain-sms"
    CHECKING = "checking"
    UNREADABLE = "unreadable"
    NO_KEYS_FOUND = "no-keys-found"
    """Absence is unproven: a hostile directory can hide keys (SR-02). So it never says "does not support"."""

    BUSINESS = "business"
    """The chat of a chatbot, before the user has chosen to write there: nothing there is ever encrypted."""

    ENDED = "encryption-ended"
    """Somebody, or we ourselves, ended the encryption of a chat that had it: the composer stays closed (SR-01)."""
    STALLED = "stalled"
    """Repair of the encryption came to nothing, and the user decides."""

    @property
    def encrypted(self) -> bool:
        """Whether what is sent now is encrypted."""
        return self in (Security.ENCRYPTED, Security.VERIFIED, Security.KEYS_NEW)

    @property
    def plain(self) -> bool:
        """Whether what is sent now is not, by the user's choice (SR-01)."""
        return self in (Security.PLAIN_RCS, Security.PLAIN_SMS)


@dataclass(frozen=True, slots=True)
class Words:
    """At most four words for a chip, and one sentence that says who can read."""

    label: str
    sentence: str


def words(state: Security, name: str) -> Words:
    """The words for the state of the chat of this name: who can read differs where the other end is a business."""
    return _CHOSEN_BUSINESS if state is Security.PLAIN_RCS and name.startswith("sip:") else WORDS[state]


_CHOSEN_BUSINESS = Words(
    "Not encrypted (business)",
    "You chose to write to a business. It, its platform and the carriers can read these messages.",
)

WORDS: dict[Security, Words] = {
    Security.ENCRYPTED: Words("Encrypted", "Only you and the people in this chat can read it. Not verified yet."),
    Security.VERIFIED: Words("Encrypted, verified", "You compared security codes with {name} on {date}."),
    Security.KEYS_NEW: Words("{name}'s keys are new", "Usually a new phone. Compare codes to be sure."),
    Security.NO_LONGER_VERIFIED: Words(
        "No longer verified", "You verified {name}, and the keys have changed. Sending is paused."
    ),
    Security.PLAIN_RCS: Words(
        "Not encrypted (RCS)", "You chose to send without encryption. The carriers can read these messages."
    ),
    Security.BUSINESS: Words(
        "Not encrypted (business)",
        "The business, its platform and the carriers can read what is written here, and see your number. Nothing is sent "
        "unless you choose to.",
    ),
    Security.PLAIN_SMS: Words("Not encrypted (SMS)", "Your carrier can read these messages."),
    Security.CHECKING: Words("Checking encryption...", "Waiting for {name}'s keys ({wait})."),
    Security.UNREADABLE: Words(
        "Message not readable", "It was encrypted for other keys than ours. We asked for it again."
    ),
    Security.ENDED: Words(
        "Encryption was ended", "Nothing is sent until you begin it again, or choose to send a message unencrypted."
    ),
    Security.STALLED: Words(
        "Encryption is stuck", "It could not be repaired. Nothing is sent until you have it tried again, or end it."
    ),
    Security.NO_KEYS_FOUND: Words(
        "No keys found", "No keys of {name} were found. Nothing is sent unless you choose to send it unencrypted."
    ),
}

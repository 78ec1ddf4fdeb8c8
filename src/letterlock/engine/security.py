"""The states of a chat, used by CLI, daemon, web and documentation, and their words from the one table (`letterlock.words`).

`{name}` is the contact, `{date}` and `{wait}` what the placeholder says.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..words import text

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


def _of(state: str) -> Words:
    return Words(text(f"security.{state}.label"), text(f"security.{state}.sentence"))


WORDS: dict[Security, Words] = {state: _of(state.value) for state in Security}
"""In English, with their placeholders."""

_CHOSEN_BUSINESS = _of("business-chosen")

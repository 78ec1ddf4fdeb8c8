"""What comes of an attack, told by the phones' own records alone: which message was hit, what the phones said since, and
whether it came to anything.

A verdict is a fact that can be looked up in the events, never a hope: `held` means that what the attack was after did
not happen, and says what happened in its stead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ...ids import Instant

__all__ = ["Trial"]

_ABOUT_KEYS = frozenset({"ghost", "impostor", "hide"})
_KEYS_EVENTS = frozenset({"device-list-refused", "keys-changed", "security-changed", "device-list-changed"})
_MOST = 24
_MOST_WROTE = 1_000


@dataclass(slots=True)
class Trial:
    """`message_id` is of the message that was hit, empty until one was. `steps` is what the phones said of it."""

    attack: str
    at: Instant
    one: str
    other: str
    message_id: str = ""
    sender: str = ""
    hit_at: Instant = 0
    verdict: str = "armed"
    misses: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    _wrote: dict[str, str] = field(default_factory=dict)
    _facts: Counter[str] = field(default_factory=Counter)

    def struck(self, message_id: str, sender: str, now: Instant) -> None:
        """The carrier did it, to this one. The first message counts; what else is hit later is not followed."""
        if not self.message_id:
            self.message_id, self.sender, self.hit_at, self.verdict = message_id, sender, now, "hit"

    def missed(self) -> None:
        """It was no message that people write."""
        self.message_id, self.sender, self.hit_at, self.verdict = "", "", 0, "armed"
        self.misses += 1
        self.steps.clear()
        self._facts.clear()

    def heard(self, saying: dict[str, Any]) -> bool:
        """Whether an event of a phone belongs to it."""
        if saying["at"] < self.at:
            return False
        if saying["kind"] == "message-sent" and len(self._wrote) < _MOST_WROTE:
            # It may be told before the carrier has struck it.
            self._wrote[saying["message_id"]] = saying.get("text") or ""
        if self.attack in _ABOUT_KEYS:
            if saying["kind"] not in _KEYS_EVENTS or saying.get("chat") != self.other:
                return False
            self._step(saying)
            self.verdict = self._of_keys(saying)
            return True
        if not self.message_id or not self._is_about(saying):
            return False
        self._step(saying)
        self._note(saying)
        self.verdict = self._of_message()
        return True

    def settled(self, again: bool = False) -> None:
        """The phones were asked, and said nothing: there was nothing to say. `again`: of this lie they had been told."""
        if self.verdict == "armed":
            # Whoever has an impostor's keys already learns nothing new, and it has not come to nothing either.
            self.verdict = "known" if again and self.attack == "impostor" else "unchanged"

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        return {
            "attack": self.attack,
            "at": self.at,
            "message_id": self.message_id,
            "sender": self.sender,
            "hit_at": self.hit_at,
            "verdict": self.verdict,
            "misses": self.misses,
            "steps": self.steps,
        }

    def _step(self, saying: dict[str, Any]) -> None:
        self.steps.append(saying)
        # How it began and how it ends are told; what is too much is left out between them.
        del self.steps[_MOST // 2 : len(self.steps) - _MOST // 2]

    @property
    def _receiver(self) -> str:
        return self.other if self.sender == self.one else self.one

    def _is_about(self, saying: dict[str, Any]) -> bool:
        # A gap has no id: it is about what is missing, at the one who waits for it. A changed id is another's.
        return saying.get("message_id") == self.message_id or (
            saying["kind"] in ("message-missing", "message-unreadable") and saying["phone"] == self._receiver
        )

    def _note(self, saying: dict[str, Any]) -> None:
        match saying["kind"]:
            case "message-received" if saying["phone"] == self._receiver:
                genuine = bool(saying.get("encrypted"))
                self._facts["genuine" if genuine else "plain"] += 1
                wrote = self._wrote.get(self.message_id)
                self._facts["altered"] += genuine and wrote is not None and (saying.get("text") or "") != wrote
            case "message-delivered" | "message-displayed":
                self._facts["confirmed" if saying.get("authenticated", True) else "forged"] += 1
            case "message-failed" | "message-expired":
                self._facts["failed"] += 1
            case "message-unreadable":
                self._facts["unreadable"] += 1

    def _of_message(self) -> str:
        facts = self._facts
        if facts["forged"] or facts["altered"]:
            return "believed"
        if facts["genuine"] > 1:
            return "doubled"
        if facts["failed"]:
            return "failed"
        if facts["genuine"] and facts["confirmed"]:
            return "arrived"
        if facts["genuine"] or facts["confirmed"]:
            # Read and receipted, but something written before it is still missing: it is shown after that.
            return "received"
        if facts["plain"]:
            return "relabelled"
        return "unread" if facts["unreadable"] else "hit"

    def _of_keys(self, saying: dict[str, Any]) -> str:
        kind = saying["kind"]
        if self.verdict == "accepted":
            return self.verdict
        if self.attack == "ghost":
            changed = {"device-list-changed": "accepted", "device-list-refused": "refused"}
            return changed.get(kind, self.verdict)
        if self.attack == "impostor":
            return "noticed" if kind in ("keys-changed", "security-changed") else self.verdict
        return "accepted" if str(saying.get("state")).startswith("plain") else self.verdict

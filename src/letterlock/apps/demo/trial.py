"""What comes of an attack, told by the phones' own records alone: which message was hit, what the phones said since, and
whether it came to anything.

A verdict is a fact that can be looked up in the events, never a hope: `held` means that what the attack was after did
not happen, and says what happened in its stead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...ids import Instant

__all__ = ["Trial"]

_ABOUT_KEYS = frozenset({"ghost", "impostor", "hide"})
_KEYS_EVENTS = frozenset({"device-list-refused", "keys-changed", "security-changed", "device-list-changed"})
_MOST = 24


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

    def struck(self, message_id: str, sender: str, now: Instant) -> None:
        """The carrier did it, to this one. The first message counts; what else is hit later is not followed."""
        if not self.message_id:
            self.message_id, self.sender, self.hit_at, self.verdict = message_id, sender, now, "hit"

    def missed(self) -> None:
        """It was no message that people write."""
        self.message_id, self.sender, self.hit_at, self.verdict = "", "", 0, "armed"
        self.misses += 1
        self.steps.clear()

    def heard(self, saying: dict[str, Any]) -> bool:
        """Whether an event of a phone belongs to it."""
        if saying["at"] < self.at or len(self.steps) >= _MOST:
            return False
        kind = saying["kind"]
        if self.attack in _ABOUT_KEYS:
            if kind not in _KEYS_EVENTS or saying.get("chat") != self.other:
                return False
            self.steps.append(saying)
            self.verdict = _of_keys(self.attack, self.steps)
            return True
        if not self.message_id or not self._is_about(saying):
            return False
        self.steps.append(saying)
        self.verdict = self._of_message()
        return True

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

    def _is_about(self, saying: dict[str, Any]) -> bool:
        # A gap has no id: it is about what is missing, at the one who waits for it. A changed id is another's.
        return saying.get("message_id") == self.message_id or saying["kind"] in (
            "message-missing",
            "message-unreadable",
        )

    def _of_message(self) -> str:
        receiver = self.other if self.sender == self.one else self.one
        received = [s for s in self.steps if s["kind"] == "message-received" and s["phone"] == receiver]
        genuine = [s for s in received if s.get("encrypted")]
        confirmed = [s for s in self.steps if s["kind"] in ("message-delivered", "message-displayed")]
        if any(not step.get("authenticated", True) for step in confirmed):
            return "believed"
        if len(genuine) > 1:
            return "doubled"
        if any(step["kind"] in ("message-failed", "message-expired") for step in self.steps):
            return "failed"
        if genuine and confirmed:
            return "arrived"
        if genuine or confirmed:
            # Read and receipted, but something written before it is still missing: it is shown after that.
            return "received"
        if received:
            return "relabelled"
        return "unread" if any(step["kind"] == "message-unreadable" for step in self.steps) else "hit"

    def settled(self) -> None:
        """The phones were asked, and said nothing: there was nothing to say."""
        if self.verdict == "armed" and not self.steps:
            self.verdict = "unchanged"


def _of_keys(attack: str, steps: list[dict[str, Any]]) -> str:
    kinds = {step["kind"] for step in steps}
    if attack == "ghost":
        return (
            "accepted" if "device-list-changed" in kinds else "refused" if "device-list-refused" in kinds else "armed"
        )
    if attack == "impostor":
        return "noticed" if kinds & {"keys-changed", "security-changed"} else "armed"
    return "armed"

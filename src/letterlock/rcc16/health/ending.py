"""Ending encryption and taking it up again: what a request leads to, and when it is tried again (rcc16.md 5.7).

end_mls leaves the MLS group in place with F002 in its context. Ending is never a fallback of its own accord: it follows
a user's request, a peer's commit, or spent repair, and is always told with its cause.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ...ids import Instant
from .budgets import Budgets
from .states import State

__all__ = ["Backoff", "Cause", "Ending", "Reviving", "end_guard", "revive_guard"]


class Cause(enum.IntEnum):
    """Why this client ended encryption: the list of a deployed client. Not the enum on the wire (EndMlsMetadata)."""

    UNKNOWN = 1
    SELF_NOT_CAPABLE = 2
    CLIENT_LOST_MLS = 3
    NON_MLS_CLIENT_ADDED = 4
    ERA_QUOTA = 5
    UNRECOVERABLE_SERVER_FAILURE = 6
    PLAINTEXT_RECEIPT = 7
    RECEIVED_END_MLS = 8
    DEBUG = 9
    NO_KEY_PACKAGES_FOR_EXPIRED_MEMBERS = 10
    ENDED_BY_ENGINE = 11
    SERVER_GROUP_NOT_FOUND = 12
    COULD_NOT_ENCRYPT = 13
    SERVICE_ASKED = 14
    ROSTER_OUT_OF_SYNC = 15
    PHOENIX = 16
    OWN_CERTIFICATE_EXPIRED = 17
    CANNOT_HEAL = 18
    ENGINE_REQUESTED = 19
    MLS_NOT_ADVERTISED = 20
    GROUP_DELETED = 21

    @property
    def label(self) -> str:
        """As `Ended.reason` has it."""
        return self.name.lower().replace("_", "-")


class Ending(enum.Enum):
    """What a request to end encryption leads to."""

    DONE = "done"
    PENDING = "pending"
    """Another operation holds the slot; afterwards."""
    ONGOING = "ongoing"
    LOCAL_ONLY = "local-only"
    """State 15, and nothing is sent: what we would commit is of another era than the server's."""
    SEND = "send"


class Reviving(enum.Enum):
    """What a request to take encryption up again leads to."""

    NOTHING = "nothing"
    """It is not ended."""
    PENDING = "pending"
    LATER = "later"
    """The wait since the last downgrade is not over."""
    IN_PLACE = "in-place"
    """A commit without F002 (state 11, set before it is built)."""
    NEW_ERA = "new-era"
    """State 12."""


def end_guard(state: State, has_end_mls: bool, slot_held: bool, era_gap: bool) -> Ending:
    """In the order of rcc16.md 5.7."""
    if has_end_mls:
        return Ending.DONE
    if slot_held:
        return Ending.PENDING
    if state.is_phoenix:
        return Ending.ONGOING
    return Ending.LOCAL_ONLY if era_gap else Ending.SEND


def revive_guard(
    state: State, has_end_mls: bool, slot_held: bool, in_sync: bool, now: Instant, due: Instant
) -> Reviving:
    """`in_sync`: we hold the server's group, so that a commit in place can be right. `due`: `Backoff.due`."""
    if not state.can_revive(has_end_mls):
        return Reviving.NOTHING
    if slot_held:
        return Reviving.PENDING
    if now < due:
        return Reviving.LATER
    return Reviving.IN_PLACE if in_sync and state is State.DONE_END_MLS else Reviving.NEW_ERA


@dataclass(frozen=True, slots=True)
class Backoff:
    """Downgrades in a row, and the last one: each makes the next upgrade wait twice as long."""

    count: int = 0
    last: Instant = 0

    def downgraded(self, budgets: Budgets, now: Instant) -> Backoff:
        """After one more."""
        return Backoff(1 if self._forgotten(budgets, now) else self.count + 1, now)

    def due(self, budgets: Budgets, now: Instant) -> Instant:
        """When encryption may be tried again: 60 s x 2^min(n, 8) after the last, n the ones before it; `now` if it may."""
        if not self.count or self._forgotten(budgets, now):
            return now
        return max(now, self.last + (budgets.upgrade_wait_ms << min(self.count - 1, budgets.upgrade_doublings)))

    def _forgotten(self, budgets: Budgets, now: Instant) -> bool:
        # Either way round: a last one far in the future is a clock that was set back, and must not block for ever.
        return abs(now - self.last) >= budgets.upgrade_stable_ms

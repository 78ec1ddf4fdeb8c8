"""`Chat`: all that a step has to know of one conversation, and what it is made of.

The rules of each family of fields stand in the module of that family: `operations`, `healing`, `metadata`, `wishes`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from ...conversation_seam import Conversation
from ...ids import Instant, MessageId, Number
from ...mls.wire.extensions import Extension
from ..health.budgets import Ledger
from ..health.ending import Backoff
from ..health.states import State as HealthState
from ..health.transitions import Health, Moment, seed

__all__ = ["Again", "Chat", "Device", "Heal", "HeldGroup", "Kind", "Metadata", "Operation"]

_NEW: Final = seed(HealthState.INITIALIZING)
_EMPTY: Final = Ledger()
_NONE: Final = Backoff()
_NOWHERE: Final = Moment(0, 0)


class Kind(enum.IntEnum):
    """What a pending operation is; 1 to 8 as deployed (rcc16.md 5.5), the rest ours. One per conversation."""

    ERA_ADVANCE = 2
    END_MLS = 3
    REVIVE = 4
    REVIVE_IN_NEW_ERA = 5
    PHOENIX = 6
    COMMIT_PROPOSALS = 7
    METADATA = 8
    """The subject."""
    CREATE = 9
    ADD = 10
    REMOVE = 11
    REFRESH = 12
    EXTERNAL = 13
    ICON = 14
    ASK_KEYS = 15
    GIVE_KEYS = 16

    @property
    def makes_group(self) -> bool:
        """Whether it leads to a group of its own, which replaces the one in force when it is accepted."""
        return self in _MAKES_GROUP


_MAKES_GROUP: Final = frozenset({Kind.CREATE, Kind.ERA_ADVANCE, Kind.REVIVE_IN_NEW_ERA, Kind.PHOENIX, Kind.EXTERNAL})


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """One MLS group in the store. `stamp` is fresh with every change: a group in memory with another one is stale."""

    number: int
    era: int
    stamp: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """One leaf of the group in force: whose it is, told apart by a digest of its key, and its participant key."""

    number: Number
    device: bytes
    spki: bytes
    since_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What we are about: claiming for it, or waiting for its commit to be accepted."""

    kind: Kind
    started_at: Instant
    numbers: tuple[Number, ...] = ()
    attempts: int = 0
    next_at: Instant = 0
    """When something is done about silence; 0 never."""
    request: str = ""
    """The claim that was asked for and not answered."""
    control_id: str = ""
    """The commit that was sent; empty before."""
    era: int = 0
    epoch: int = 0
    """What it leads to."""
    authenticator: bytes = b""
    candidate: HeldGroup | None = None
    asked: bool = False
    """Whether the order was asked about it since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """A repair: what was tried so far (rcc16.md 5.5)."""

    since: Instant
    cause: str
    from_future: bool = False
    begun: bool = False
    """State 1 was reached."""
    spent: bool = False
    """It was charged."""
    looks: int = 0
    next_at: Instant = 0
    asked: bool = False
    """A pull is out."""
    not_found: bool = False
    """The order has no such group."""
    election_waits: int = -1
    replay_failed: bool = False
    external_failed: bool = False
    advance_failed: bool = False
    mismatched: bool = False
    """The order has refused a new era of ours because its tree would not be the RCS roster."""


@dataclass(frozen=True, slots=True)
class Again:
    """A letter that a member asked for again, and will get when it is its turn."""

    message_id: MessageId
    member: Number
    signed: bool
    at: Instant

    @property
    def subject(self) -> str:
        """Whose allowance it uses: what nobody signed has one of its own, so that forged ones do not use up what the
        member itself may ask for (SR-05)."""
        return self.member if self.signed else f"{self.member} unsigned"


@dataclass(frozen=True, slots=True)
class Metadata:
    """A group's subject: the key that opens it (FileInfo's entry), what it opens, and what that says."""

    key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    text: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One conversation. See the module of each field's family for its rules."""

    conversation: Conversation
    mls_id: str = ""
    groups: int = 0
    """How many MLS groups it had."""
    group: HeldGroup | None = None
    epoch: int = 0
    authenticator: bytes = b""
    members: tuple[Device, ...] = ()
    """The leaves of the group in force, ourselves among them; what they were when it was lost."""
    roster: tuple[Number, ...] = ()
    """The others in the RCS conversation: as we were told, and since the last accepted commit as the group has them."""
    leaving: tuple[bytes, ...] = ()
    """Devices that have proposed to leave, and are still in the group."""
    latched: bool = False
    left: bool = False
    ended: str = ""
    """Why encryption is ended; empty if it is not."""
    ended_by: str = ""
    blocked: str = ""
    """Why it could not be made encrypted; empty if nothing is known against it."""
    health: Health = _NEW
    ledger: Ledger = _EMPTY
    backoff: Backoff = _NONE
    era_seen: int = 0
    """The highest era that we held, or that the order has spoken of."""
    held: Moment = _NOWHERE
    """The latest moment that we were in: we never go back before it, whatever the order shows us."""
    context: tuple[Extension, ...] = ()
    """The GroupContext's extensions when last seen: a new era takes them over, known or not."""
    strangers: tuple[Number, ...] = ()
    """Who stood in a group that we did not enter, as it was told."""
    runs: int = 0
    stalled: str = ""
    rejoin: bool = False
    """What we hold is an old copy: no key of it is used any more."""
    operation: Operation | None = None
    heal: Heal | None = None
    # What is wanted, done one after the other as the operation slot is free:
    wants: bool = False
    """Encryption."""
    adds: tuple[Number, ...] = ()
    removes: tuple[Number, ...] = ()
    ends: str = ""
    revives: bool = False
    refreshes: bool = False
    subject_wish: str | None = None
    icon_wish: bytes | None = field(default=None, repr=False)
    """As `icon`; empty to take it away."""
    asks_keys: bool = False
    """We came back, and lack keys of subject or icon."""
    gives_keys_at: Instant = 0
    """When we answer who asked for them, if nobody did; 0: nobody asks."""
    again: tuple[Again, ...] = ()
    refusals: int = 0
    """Commits of ours that were refused since the group last went on."""
    commit_at: Instant = 0
    """When proposals of others are committed by us, if nobody did; 0: none wait."""
    refreshed_at: Instant = 0
    sends: int = 0
    """Letters since our last path."""
    parked: int = 0
    """The number of the next one."""
    accepted: tuple[tuple[str, int, int, bytes], ...] = ()
    """Commits of the peer that we accepted lately: control id, era, epoch, authenticator."""
    continuity: bytes = field(default=b"", repr=False)
    """The token of the conversation's groups; empty while nobody has told us one."""
    subject: Metadata | None = None
    keys: tuple[bytes, ...] = ()
    """Entries of FileInfo for subject and icon, the newest last, which members or a Welcome gave us."""
    described_subject: bytes = b""
    described_icon: str = ""
    """What the conference says of them."""
    next_subject: Metadata | None = None
    """Ours, whose commit was not accepted yet."""
    icon: bytes = field(default=b"", repr=False)
    """An IconPointer; empty without one."""

    @property
    def moment(self) -> Moment:
        """Where the group in force is; (0, 0) without one."""
        return Moment(self.group.era, self.epoch) if self.group is not None else Moment(0, 0)

"""What a request to the focus comes to, with everything that follows from it: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ....ids import Number
from ....mls.public_group import PublicGroup, StagedPublicCommit
from ....rcc16.wire.control import EpochIdentifier, MetadataChange
from ....rcc16.wire.reasons import ServerReason
from .state import ControlRecord, Facts, GroupState, Snapshot

__all__ = ["Accepted", "Delivery", "Outcome", "Refused", "Repeated", "RosterStep"]


@dataclass(frozen=True, slots=True)
class RosterStep:
    """What the request changes in the RCS roster, in the same transaction. `left`: the sender leaves."""

    added: tuple[Number, ...] = ()
    removed: tuple[Number, ...] = ()
    left: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One packet of type message/mls-rcs-server. Its id is the control id, which the commit has in its AAD (7.5.3.1).

    Every device of the `recipients` gets it but the one that sent the request. What a member is given, in the order in
    which `Accepted` has it and requests were accepted, is in order for its group. `at` is the epoch that its headers
    name: the one before a commit, as the committer's own packet has it (rcc16.md 3.3).
    """

    recipients: tuple[Number, ...]
    message_id: str
    data: bytes = field(repr=False)
    at: EpochIdentifier


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """Write all of it in one transaction that compares `before` with what is stored, then `install` it.

    `before` None: there was no group. `state`, `snapshot` are what is stored now; `snapshot` None: the tree is as it
    was. `forgotten` are serials of records that are kept no longer. `acceptance` is for the device that asked.
    """

    before: EpochIdentifier | None
    state: GroupState
    snapshot: Snapshot | None
    record: ControlRecord
    forgotten: tuple[int, ...]
    roster: RosterStep
    metadata: MetadataChange | None
    deliveries: tuple[Delivery, ...]
    acceptance: bytes = field(repr=False)
    founded: PublicGroup | None = field(repr=False)
    staged: StagedPublicCommit | None = field(repr=False)
    facts: Facts = field(repr=False)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same request was accepted before: its sender did not hear of it. Nothing changes."""

    acceptance: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """`rule` is the numbered check, `what` says it in words, for a log."""

    reason: ServerReason
    rule: str
    what: str


Outcome: TypeAlias = Accepted | Repeated | Refused

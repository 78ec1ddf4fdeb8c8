"""The one pending operation of a conversation: its commit goes out, and is adopted only on the order's word (rcc16.md 2.2, 2.3).

Rules of this module:

* At most one commit of ours is unacknowledged. A retry sends the same bytes.
* A commit of ours takes force when whoever orders names our control id together with our era, epoch and epoch
  authenticator. The transport's OK is nothing; silence is asked about; a refusal rolls back.
* What was wanted stays wanted after a lost race: it is looked at again once the winner was applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...conversation_seam import Packet
from ...ids import MessageId, Number
from ...mls.group.results import PendingCommit
from ...mls.wire.extensions import Extension
from ..health.ladder import look_after
from ..wire.control import (
    ClientMessage,
    CommitBundle,
    EpochIdentifier,
    MetadataChange,
    RosterChange,
)
from ..wire.control import Operation as Request
from ..wire.packet_headers import control_headers
from .chat import HeldGroup, Kind, Operation
from .posting import pull_packet, to_focus, to_peer
from .records import PACKETS, chat_text
from .step import Work

__all__ = ["Outgoing", "begin", "matches", "overdue", "post", "release", "rollback", "standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A commit on its way. `base` is the authenticator of the epoch before it."""

    control_id: MessageId
    request: Request
    commit: bytes = field(repr=False)
    group_info: bytes = field(repr=False)
    tree: bytes = field(repr=False)
    welcome: bytes = field(repr=False, default=b"")
    base: bytes
    base_era: int
    era: int
    epoch: int
    authenticator: bytes
    roster: RosterChange | None = None
    metadata: MetadataChange | None = None
    key_delivery: bytes = field(repr=False, default=b"")

    @classmethod
    def of(cls, pending: PendingCommit, published: tuple[Extension, ...], **others: object) -> Outgoing:
        """The parts that a pending commit has itself. A GroupInfo of ours can be joined (our choice, rcc16.md 2.5);
        `published` are further extensions of it."""
        return cls(
            commit=pending.message,
            group_info=pending.group_info(with_tree=False, external_pub=True, extensions=published),
            tree=pending.staged.state.tree.encode(),
            welcome=pending.welcomes[0].message if pending.welcomes else b"",
            epoch=pending.epoch,
            authenticator=pending.epoch_authenticator,
            **others,  # type: ignore[arg-type]  # the rest of the fields, by name
        )


def begin(work: Work, kind: Kind, numbers: tuple[Number, ...] = (), **others: object) -> Operation:
    """Take the slot. It has to be free."""
    assert work.chat.operation is None
    operation = Operation(kind=kind, started_at=work.now, numbers=numbers, **others)  # type: ignore[arg-type]
    work.update(operation=operation)
    return operation


def post(work: Work, outgoing: Outgoing, candidate: HeldGroup | None = None) -> None:
    """Send the operation's commit, and wait for the word about it."""
    packet = _packet(work, outgoing)
    work.state.put(PACKETS.key(chat_text(work.conversation)), packet)
    work.packets.append(packet)
    work.operation(
        control_id=outgoing.control_id,
        request="",
        era=outgoing.era,
        epoch=outgoing.epoch,
        authenticator=outgoing.authenticator,
        candidate=candidate,
        next_at=work.now + work.core.settings.budgets.answer_ms,
    )


def matches(work: Work, control_id: str, identifier: EpochIdentifier | None) -> bool:
    """Whether this is the word about our commit, and about the very state that it leads to."""
    operation = work.chat.operation
    if operation is None or not operation.control_id or operation.control_id != control_id or identifier is None:
        return False
    return (identifier.era, identifier.epoch, identifier.authenticator) == (
        operation.era,
        operation.epoch,
        operation.authenticator,
    )


def release(work: Work) -> Operation:
    """The operation is over, adopted: free the slot."""
    operation = work.chat.operation
    assert operation is not None
    work.state.delete(PACKETS.key(chat_text(work.conversation)))
    work.update(operation=None)
    return operation


def rollback(work: Work) -> Operation:
    """Our commit was not taken: the group is as before it."""
    operation = work.chat.operation
    assert operation is not None
    if operation.candidate is not None:
        work.drop(operation.candidate)
    elif operation.control_id:
        group = work.group()
        if group is not None and group.pending is not None:
            group.discard()
    return release(work)


def overdue(work: Work) -> None:
    """Nobody has answered. First ask, then send the same bytes again, later and later (rcc16.md 5.5)."""
    operation = work.chat.operation
    assert operation is not None
    budgets = work.core.settings.budgets
    packet = work.state.get(PACKETS.key(chat_text(work.conversation)))
    attempts = operation.attempts + 1
    work.operation(asked=True, attempts=attempts, next_at=work.now + look_after(attempts, budgets))
    if operation.asked or work.is_pair:
        if packet is not None:
            work.packets.append(packet)
        return
    work.packets.append(pull_packet(work, standing(work)))


def standing(work: Work) -> EpochIdentifier | None:
    """Where we are, as we tell others; None without a group."""
    chat = work.chat
    if chat.group is None or len(chat.authenticator) != 32:
        return None
    return EpochIdentifier(chat.group.era, chat.epoch, chat.authenticator)


def _packet(work: Work, out: Outgoing) -> Packet:
    if not work.is_pair:
        message = ClientMessage(
            operation=out.request,
            era=out.era,
            message_id=out.control_id,
            commit=out.commit,
            group_info=out.group_info,
            ratchet_tree=out.tree,
            welcome=out.welcome,
            base_epoch_authenticator=out.base,
            epoch_authenticator=out.authenticator,
            key_delivery=out.key_delivery,
            roster=out.roster,
            metadata=out.metadata,
        )
        return to_focus(work, message, out.base_era, out.base)
    # A Welcome alone: the peer is the only one there is. An external commit goes as itself.
    handshake = out.welcome if out.request in (Request.NEW_GROUP, Request.NEW_ERA) else out.commit
    bundle = CommitBundle(handshake, out.tree, out.key_delivery, out.authenticator)
    return to_peer(work, out.control_id, bundle, control_headers(out.base_era, out.base))

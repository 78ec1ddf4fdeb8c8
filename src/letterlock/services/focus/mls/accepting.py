"""What follows from a request that holds: the group's next state, its record, and who is told what (rcc16.md 2.6, 5.8).

A commit goes to everybody who was in the RCS group before it, a Welcome with its tree to the numbers of the added leaves, a
proposal to those who stay; never to the device that asked, which has the acceptance.
"""

from __future__ import annotations

from dataclasses import replace

from ....rcc16.choices import OURS
from ....rcc16.wire.control import Accepted as AcceptedMessage
from ....rcc16.wire.control import (
    CommitBundle,
    EpochIdentifier,
    GroupInfoMessage,
    MlsMessage,
    ServerMessage,
    encode_server_message,
)
from .asking import Asked
from .following import Followed
from .founding import Founded
from .leaves import numbers_of
from .limits import OrderingLimits
from .outcome import Accepted, Delivery
from .quota import Quotas
from .state import ControlRecord, Facts, GroupState, RecordKind, Snapshot

__all__ = ["accept_commit", "accept_group", "accept_proposal", "acceptance"]


def acceptance(message_id: str, at: EpochIdentifier) -> bytes:
    """AcceptedMlsRcsMessage."""
    return _encode(AcceptedMessage(message_id, at))


def accept_group(
    state: GroupState | None, group_id: bytes, asked: Asked, new: Founded, limits: OrderingLimits
) -> Accepted:
    """A new group or era: everybody joins it anew, or only learns of one that is born with end_mls."""
    request = asked.request
    at = EpochIdentifier(request.era, new.public.epoch, request.epoch_authenticator)
    told: ServerMessage = (
        CommitBundle(request.welcome, new.tree, request.key_delivery, at.authenticator)
        if request.welcome
        else GroupInfoMessage(request.group_info, new.tree, at.authenticator)
    )
    quotas = Quotas() if state is None else state.quotas.with_era(asked.now, asked.sender)
    delivery = Delivery(tuple(sorted(asked.before | asked.after)), request.message_id, _encode(told), at)
    accepted = _accepted(state, group_id, asked, at, new, RecordKind.WELCOME, quotas, (delivery,), limits)
    return replace(accepted, founded=new.public)


def accept_commit(state: GroupState, asked: Asked, new: Followed, limits: OrderingLimits) -> Accepted:
    """The next epoch."""
    request = asked.request
    at = EpochIdentifier(request.era, new.staged.epoch, request.epoch_authenticator)
    commit = _encode(CommitBundle(request.commit, b"", request.key_delivery, at.authenticator))
    deliveries = [Delivery(tuple(sorted(asked.before)), request.message_id, commit, state.at)]
    if request.welcome:
        joining = {new.facts[leaf_index].number for leaf_index, _ in new.staged.effects.added}
        welcome = _encode(CommitBundle(request.welcome, new.tree, request.key_delivery, at.authenticator))
        deliveries.append(Delivery(tuple(sorted(joining)), request.message_id, welcome, at))
    quotas = state.quotas.with_epoch(asked.now, asked.sender, external=asked.external)
    accepted = _accepted(state, state.group_id, asked, at, new, RecordKind.COMMIT, quotas, tuple(deliveries), limits)
    return replace(accepted, staged=new.staged)


def accept_proposal(state: GroupState, asked: Asked, facts: Facts, limits: OrderingLimits) -> Accepted:
    """Somebody leaves. The epoch stays."""
    request = asked.request
    data = _encode(MlsMessage(request.proposal))
    record = _record(asked, state.serial + 1, RecordKind.PROPOSAL, state.at, data)
    record = replace(record, ended=state.ended, proposal=request.proposal)
    history, forgotten = _shortened((*state.history, record), limits)
    return Accepted(
        before=state.at,
        state=replace(state, history=history),
        snapshot=None,
        record=record,
        forgotten=forgotten,
        roster=asked.step,
        metadata=None,
        deliveries=(Delivery(tuple(sorted(asked.after)), request.message_id, data, state.at),),
        acceptance=acceptance(request.message_id, state.at),
        founded=None,
        staged=None,
        facts=facts,
    )


def _accepted(
    state: GroupState | None,
    group_id: bytes,
    asked: Asked,
    at: EpochIdentifier,
    new: Founded | Followed,
    kind: RecordKind,
    quotas: Quotas,
    deliveries: tuple[Delivery, ...],
    limits: OrderingLimits,
) -> Accepted:
    request = asked.request
    members = numbers_of(new.facts)
    before = {} if state is None else state.members
    record = replace(
        _record(asked, 1 if state is None else state.serial + 1, kind, at, deliveries[0].data),
        added=tuple(sorted(members.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - members.keys())),
        ended=new.ended,
    )
    history, forgotten = _shortened((record,) if state is None else (*state.history, record), limits)
    return Accepted(
        before=None if state is None else state.at,
        state=GroupState(group_id, at, new.ended, members, quotas, history),
        snapshot=Snapshot(request.group_info, new.tree),
        record=record,
        forgotten=forgotten,
        roster=asked.step,
        metadata=request.metadata,
        deliveries=deliveries,
        acceptance=acceptance(request.message_id, at),
        founded=None,
        staged=None,
        facts=new.facts,
    )


def _record(asked: Asked, serial: int, kind: RecordKind, at: EpochIdentifier, data: bytes) -> ControlRecord:
    return ControlRecord(
        serial=serial,
        kind=kind,
        operation=asked.request.operation,
        epoch=at,
        message_id=asked.request.message_id,
        sender=asked.sender,
        digest=asked.digest,
        at=asked.now,
        added=(),
        removed=(),
        ended=False,
        size=len(data),
        data=data,
    )


def _shortened(
    history: tuple[ControlRecord, ...], limits: OrderingLimits
) -> tuple[tuple[ControlRecord, ...], tuple[int, ...]]:
    """The newest that are within bounds, and never less than the current epoch; and the serials of the others.

    The bytes of the newest stay with `Accepted.record`; the history has none, however long a group lives.
    """
    kept = (*history[:-1], replace(history[-1], data=None))
    needed = next(i for i in range(len(kept) - 1, -1, -1) if kept[i].kind is not RecordKind.PROPOSAL)
    size, start = 0, len(kept)
    while start > 0:
        size += kept[start - 1].size
        if start <= needed and (len(kept) - start >= limits.max_history or size > limits.max_history_bytes):
            break
        start -= 1
    return kept[start:], tuple(record.serial for record in kept[:start])


def _encode(message: ServerMessage) -> bytes:
    return encode_server_message(message, OURS.control_numbers)

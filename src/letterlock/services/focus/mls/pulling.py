"""What a member that fell behind is given: where the group stands, and what it missed, in pages (rcc16.md 2.6, 7.10).

Missed messages go to who was a member all the time since an epoch that is still known; everybody else in the RCS group
gets GroupInfo and tree, with which to come back by an external commit, and the proposals that wait (draft-ietf-mls-
extensions 6.3): they end with the epoch, and perhaps nobody else who stays has heard that somebody left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ....ids import Number
from ....rcc16.choices import OURS
from ....rcc16.wire.control import (
    ControlLimits,
    ControlMessage,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    decode_server_message,
    encode_enhanced_group_info,
)
from .state import ControlRecord, GroupState, RecordKind, Snapshot

__all__ = ["PullPlan", "answer_pull", "plan_pull"]


@dataclass(frozen=True, slots=True)
class PullPlan:
    """Which records to give; fetch their bytes. `page_end` None: there is no way from where the member is, and the
    records are what waits for a commit."""

    records: tuple[ControlRecord, ...]
    page_end: EpochIdentifier | None


def plan_pull(
    state: GroupState, requester: Number, known: EpochIdentifier | None, *, max_bytes: int, max_messages: int
) -> PullPlan:
    """`known` is where the requester is, None if it did not say."""
    start = None if known is None else _place(state, known)
    if start is None or not _was_there(state.history[start + 1 :], requester, state):
        return PullPlan(_waiting(state, max_bytes, max_messages), None)
    chosen: list[ControlRecord] = []
    size, page_end = 0, known
    for step in _steps(state.history[start + 1 :]):
        more = sum(each.size for each in step)
        if chosen and (size + more > max_bytes or len(chosen) + len(step) > max_messages):
            break
        chosen += step
        size += more
        page_end = step[-1].epoch
    return PullPlan(tuple(chosen), page_end)


def answer_pull(
    state: GroupState, snapshot: Snapshot, plan: PullPlan, data: Mapping[int, bytes], limits: ControlLimits
) -> bytes:
    """MlsEnhancedGroupInfo. `data` has the bytes of the plan's records by their serials."""
    numbers = OURS.control_numbers
    messages = tuple(
        ControlMessage(record.message_id, decode_server_message(data[record.serial], numbers, limits))
        for record in plan.records
    )
    info = GroupInfoMessage(snapshot.group_info, snapshot.tree, state.at.authenticator)
    return encode_enhanced_group_info(EnhancedGroupInfo(state.at, info, messages, plan.page_end), numbers)


def _waiting(state: GroupState, max_bytes: int, max_messages: int) -> tuple[ControlRecord, ...]:
    """As many as one answer has room for."""
    chosen: list[ControlRecord] = []
    size = 0
    for record in state.pending()[:max_messages]:
        size += record.size
        if size > max_bytes:
            break
        chosen.append(record)
    return tuple(chosen)


def _place(state: GroupState, known: EpochIdentifier) -> int | None:
    """Which record led to this epoch."""
    for index, record in enumerate(state.history):
        if record.kind is not RecordKind.PROPOSAL and record.epoch == known:
            return index
    return None


def _was_there(records: tuple[ControlRecord, ...], requester: Number, state: GroupState) -> bool:
    if requester not in state.members:
        return False
    return not any(requester in record.added or requester in record.removed for record in records)


def _steps(records: tuple[ControlRecord, ...]) -> Iterator[list[ControlRecord]]:
    """Each commit with the proposals before it, which it may refer to: what is given is never half of that."""
    step: list[ControlRecord] = []
    for record in records:
        step.append(record)
        if record.kind is not RecordKind.PROPOSAL:
            yield step
            step = []
    if step:
        yield step

"""Which of the proposals that have arrived a commit of ours covers (RFC 9420 section 12.2 and 12.4).

All of them, except where the list would be invalid: then what removes wins over what updates, what is newer over
what is older, what the caller gave over what had arrived, and a ReInit waits for an epoch of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..evolution.proposal_list import QueuedProposal
from ..wire.framing import Sender
from ..wire.proposals import (
    Add,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    SelfRemove,
    Update,
)

__all__ = ["choose", "without_offenders"]


def choose(own_leaf: int, given: Sequence[Proposal], arrived: Iterable[QueuedProposal]) -> list[QueuedProposal]:
    """The list to commit: arrived proposals by reference in order of arrival, then the given ones by value."""
    us = Sender.member(own_leaf)
    ours = [QueuedProposal(proposal, us, None) for proposal in given]
    if any(isinstance(proposal, ReInit) for proposal in given):
        return ours
    waiting = [entry for entry in arrived if not _our_own(entry, own_leaf)]
    others = [entry for entry in waiting if not isinstance(entry.proposal, ReInit)]
    if not others and not ours and waiting:
        return waiting[-1:]

    chosen: dict[object, QueuedProposal] = {}
    for entry in [*others, *ours]:
        slot, strength = _slot(entry)
        rival = chosen.get(slot)
        if rival is None or strength >= _slot(rival)[1]:
            chosen.pop(slot, None)
            chosen[slot] = entry
    return list(chosen.values())


def without_offenders(
    queued: Sequence[QueuedProposal], holds: Callable[[list[QueuedProposal]], bool]
) -> list[QueuedProposal]:
    """The list without arrived proposals that make it invalid, whoever sent them: nobody may keep us from committing.

    `holds` judges a list. What the caller gave by value stays. Few are bad, so halves are tried before single ones.
    """
    ours = [entry for entry in queued if entry.reference is None]
    accepted: list[QueuedProposal] = []
    waiting = [[entry for entry in queued if entry.reference is not None]]
    while waiting:
        part = waiting.pop()
        if holds([*accepted, *part, *ours]):
            accepted += part
        elif len(part) > 1:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
    return [*accepted, *ours]


def _our_own(entry: QueuedProposal, own_leaf: int) -> bool:
    """A committer does not cover its own Update or removal: its path does the one, nothing the other."""
    proposal = entry.proposal
    ours = entry.sender == Sender.member(own_leaf)
    if isinstance(proposal, Remove):
        return proposal.removed == own_leaf
    return ours and isinstance(proposal, (Update, SelfRemove))


def _slot(entry: QueuedProposal) -> tuple[object, int]:
    """What a list may have one of, and which of two is preferred."""
    proposal = entry.proposal
    match proposal:
        case Update():
            return ("leaf", entry.sender.index), 0
        case Remove(removed=removed):
            return ("leaf", removed), 1
        case SelfRemove():
            return ("leaf", entry.sender.index), 2
        case Add(key_package=package):
            return ("add", package.leaf_node.signature_key), 0
        case PreSharedKey(psk=psk):
            return ("psk", psk), 0
        case GroupContextExtensions():
            return "extensions", 0
        case _:
            return ("other", id(entry)), 0

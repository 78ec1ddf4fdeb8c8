"""The store's view of a `Member`: small rows under text keys, of which a step writes only those that changed.

What waits or is small is noted by its key, `Member.dirty`, and encoded when the changes are taken; a key of
something that is gone by then is a row to delete. Secret trees log their own changes. So a message writes a row or
two of the secret tree, and a commit what it changed in the ratchet tree, however large the group is.

Rows hold secrets: they belong into an encrypted store (SR-11). Their keys are in `row_keys`, what is in them in
`row_codec` and `pending_row`, reading them back in `row_loading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...ids import Instant
from ..schedule.secret_tree import SecretTree
from ..stored_row import seal_row
from .epoch import EpochState
from .member import Member
from .pending_row import encode_pending
from .row_codec import (
    Head,
    encode_head,
    encode_held,
    encode_keys,
    encode_node,
    encode_past,
    encode_proposal_row,
    encode_update,
)
from .row_keys import (
    HEAD,
    KEYS,
    PENDING,
    RowKey,
    as_text,
    held_key,
    message_key,
    past_key,
    private_key,
    proposal_key,
    tree_key,
    update_key,
)

__all__ = ["all_rows", "note_all", "note_epoch", "prune_past", "take_changes"]


def take_changes(member: Member) -> dict[str, bytes | None]:
    """Rows to write, None to delete, since this was last asked."""
    changes: dict[str, bytes | None] = {}
    for key in member.dirty:
        text = as_text(key)
        changes[text] = _sealed(text, _body(member, key))
    for epoch, messages in _message_trees(member):
        for message, body in messages.changed_rows():
            text = as_text(message_key(epoch, message))
            changes[text] = _sealed(text, body)
    member.dirty.clear()
    return changes


def all_rows(member: Member) -> dict[str, bytes]:
    """Everything, as it would stand in a store. Does not count as taking the changes."""
    bodies = [(key, _body(member, key)) for key in _keys(member)]
    for epoch, messages in _message_trees(member):
        bodies.extend([(message_key(epoch, key), body) for key, body in messages.rows()])
    texts = [(as_text(key), body) for key, body in bodies if body is not None]
    return {text: seal_row(text, body) for text, body in texts}


def note_all(member: Member) -> None:
    """Nothing of the group is stored yet."""
    member.dirty.update(_keys(member))
    for _, messages in _message_trees(member):
        messages.note_all()


def note_epoch(member: Member, before: EpochState, changed: Iterable[int]) -> None:
    """The member has moved on from `before`: `changed` are the nodes that differ in the new tree.

    Called while what waited in the old epoch is still there.
    """
    dirty, after = member.dirty, member.epoch
    dirty.update((HEAD, KEYS, past_key(member.state.epoch - 1)))
    dirty.update([tree_key(node) for node in changed])
    old, new = before.private_keys, {} if after is None else after.private_keys
    dirty.update([private_key(node) for node in old.keys() | new.keys() if old.get(node) != new.get(node)])
    dirty.update(map(proposal_key, member.proposals))
    dirty.update(map(update_key, member.updates))
    if member.pending is not None:
        dirty.add(PENDING)
    if after is not None:
        after.messages.note_all()  # that of a commit that was loaded has no changes of its own


def prune_past(member: Member, now: Instant) -> None:
    """Let go of past epochs as the policy says, and of their rows."""
    for epoch, gone in member.past.prune(member.client.policy, now):
        member.dirty.add(past_key(epoch))
        if gone is not None:
            forget_messages(member, epoch, gone)


def forget_messages(member: Member, epoch: int, messages: SecretTree) -> None:
    """Delete the rows of a secret tree: those that it has, and those that it had when changes were last taken."""
    for key, _ in (*messages.rows(), *messages.changed_rows()):
        member.dirty.add(message_key(epoch, key))


def _keys(member: Member) -> Iterator[RowKey]:
    """All rows but those of secret trees."""
    yield HEAD
    yield from (tree_key(node) for node, _ in member.state.tree.filled_nodes())
    if member.epoch is not None:
        yield KEYS
        yield from map(private_key, member.epoch.private_keys)
    if member.pending is not None:
        yield PENDING
    yield from map(proposal_key, member.proposals)
    yield from map(update_key, member.updates)
    yield from (past_key(past.epoch) for past in member.past)
    yield from map(held_key, member.held)


def _message_trees(member: Member) -> Iterator[tuple[int, SecretTree]]:
    if member.epoch is not None:
        yield member.state.epoch, member.epoch.messages
    for past in member.past:
        if past.messages is not None:
            yield past.epoch, past.messages


def _sealed(text: str, body: bytes | None) -> bytes | None:
    return None if body is None else seal_row(text, body)


def _body(member: Member, key: RowKey) -> bytes | None:
    """What a row is now; None if there is nothing to store under its key."""
    types, epoch = member.client.policy.proposal_types, member.epoch
    match key:
        case ("head",):
            state, own_leaf = member.state, None if epoch is None else epoch.own_leaf
            return encode_head(
                Head(state.context, state.confirmation_tag, state.tree.height, own_leaf, member.reinit), types
            )
        case ("keys",):
            return None if epoch is None else encode_keys(epoch.keys)
        case ("tree", int(index)):
            node = member.state.tree.node(index)
            return None if node is None else encode_node(node)
        case ("private", int(index)):
            return None if epoch is None else epoch.private_keys.get(index)
        case ("pending",):
            pending = member.pending
            return None if pending is None else encode_pending(pending, pending.client is not member.client, types)
        case ("proposal", bytes(reference)):
            kept = member.proposals.get(reference)
            return None if kept is None else encode_proposal_row(kept.arrival, kept.content)
        case ("update", _):
            found = [pair for pair in member.updates.items() if update_key(pair[0]) == key]
            return encode_update(*found[0]) if found else None
        case ("past", int(ended)):
            past = member.past.find(ended)
            return None if past is None else encode_past(past)
        case ("held", bytes(digest)):
            held = member.held.find(digest)
            return None if held is None else encode_held(held)
    return None  # the rows of a secret tree that is gone

"""People who store their group after every step, and the proof that what they stored is the group.

`Keeper.save` writes the changes into a dict, loads a second group from it and compares the two: by their rows, and
by everything that decides what they will say and do next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from letterlock.errors import GroupInactive
from letterlock.mls.client import Client
from letterlock.mls.group.epoch import EpochState
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import PendingCommit
from letterlock.mls.schedule.secret_tree import SecretTree
from letterlock.mls.tree.member_index import MemberIndex
from letterlock.mls.wire.psk import PreSharedKeyID, PSKType

from .lab import Person

__all__ = ["Keeper", "apply", "assert_same", "find_psk", "told"]


def find_psk(psk: PreSharedKeyID) -> bytes | None:
    """Everybody has every external key."""
    return hashlib.sha256(psk.psk_id).digest() if psk.psktype == PSKType.EXTERNAL else None


def apply(changes: Mapping[str, bytes | None], store: dict[str, bytes]) -> None:
    for key, row in changes.items():
        if row is None:
            store.pop(key, None)
        else:
            store[key] = row


class Keeper(Person):
    """`store` is the disk. `rotated` is a client that waits to take our place."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.store: dict[str, bytes] = {}
        self.rotated: Client | None = None

    def create(self, group_id: bytes = b"group", **options: Any) -> Group:
        return super().create(group_id, find_psk=find_psk, **options)

    def join(self, welcome: bytes, **options: Any) -> Group:
        return super().join(welcome, find_psk=find_psk, **options)

    def load(self) -> Group:
        return Group.load(self.client, self.store, find_psk=find_psk, rotated=self.rotated)

    def save(self) -> dict[str, bytes | None]:
        """Store what changed, and see that it is enough."""
        if self.g.client is not self.client:  # a rotation was merged; the client is stored with it
            self.client, self.rotated = self.g.client, None
        changes = self.g.take_changes()
        apply(changes, self.store)
        assert self.g.take_changes() == {}
        assert self.g.rows() == self.store
        copy = self.load()
        assert copy.take_changes() == {}
        assert copy.rows() == self.store
        assert_same(copy, self.g)
        return changes

    def crash(self) -> None:
        """The process ends; what was not stored is gone."""
        self.group = self.load()


def assert_same(copy: Group, live: Group) -> None:
    """Field by field, so that a difference is named."""
    one, other = told(copy), told(live)
    assert one.keys() == other.keys()
    for name, value in other.items():
        assert one[name] == value, name


def told(group: Group) -> dict[str, Any]:
    """What a group shows, and what decides its future, in values that can be compared."""
    member = group._member
    return {
        "epoch": group.epoch,
        "state": group.state.context,
        "tag": group.state.confirmation_tag,
        "interim": group.state.interim_transcript_hash,
        "tree": (group.state.tree.height, list(group.state.tree.nodes())),
        "members": list(group.members()),
        "index": _index(member.index),
        "active": group.active,
        "reinit": group.reinit,
        "client": (group.client.signature_key, group.client.credential),
        "secrets": _secrets(member.epoch),
        "proposals": list(group.proposals()),
        "kept": list(member.proposals.items()),
        "updates": member.updates,
        "pending": _pending(group.pending, group),
        "past": [
            (
                past.epoch,
                past.ended_at,
                past.own_leaf,
                past.digest,
                past.resumption_psk,
                past.sender_data_secret,
                past.context,
                _messages(past.messages),
                past.replaced,
            )
            for past in member.past
        ],
        "resumption": [group.resumption_psk(epoch) for epoch in range(group.epoch + 2)],
        "held": [(digest, member.held.find(digest)) for digest in member.held],
        "held bytes": member.held._bytes,
        **_said(group),
    }


def _said(group: Group) -> dict[str, Any]:
    try:
        return {
            "own leaf": group.own_leaf,
            "authenticator": group.epoch_authenticator,
            "exported": group.export("label", b"context", 32),
            "generation": group.next_generation() if group.active else None,
        }
    except GroupInactive as error:
        return {"inactive": str(error)}


def _index(index: MemberIndex) -> tuple[Any, ...]:
    return (index._encryption_keys, index._signature_keys, index._counts, index.member_count)


def _secrets(epoch: EpochState | None) -> Any:
    if epoch is None:
        return None
    keys = {name: getattr(epoch.keys, name) for name in epoch.keys.__slots__}
    return (epoch.own_leaf, keys, epoch.private_keys, _messages(epoch.messages))


def _messages(messages: SecretTree | None) -> Any:
    if messages is None:
        return None
    order = {slot: list(ratchet.skipped) for slot, ratchet in messages._ratchets.items()}
    return (messages.leaf_count, dict(messages.rows()), order)


def _pending(pending: PendingCommit | None, group: Group) -> Any:
    if pending is None:
        return None
    staged = pending.staged
    assert staged.next_epoch.applied.before is group.state
    return (
        pending.message,
        pending.welcomes,
        pending.content,
        [(entry.proposal, entry.sender, entry.reference) for entry in pending.covered],
        pending.linking,
        (pending.client.signature_key, pending.client.credential, pending.client is group.client),
        (staged.base_epoch, staged.effects, staged.digest, staged.key),
        staged.state.context,
        (staged.state.confirmation_tag, staged.state.interim_transcript_hash),
        (staged.state.tree.height, list(staged.state.tree.nodes())),
        dict(staged.next_epoch.changed),
        staged.next_epoch.provisional,
        staged.next_epoch.applied.added,
        _secrets(staged.secrets),
        _staged_index(staged.next_epoch.index),
    )


def _staged_index(index: Any) -> Any:
    return (index._encryption_keys, index._signature_keys, index._counts, index.member_count)

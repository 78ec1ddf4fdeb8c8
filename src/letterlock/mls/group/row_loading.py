"""A `Member` from its stored rows: everything that can be checked about them is, and nothing is judged anew.

What the rows say was true when they were written; what may have changed since (a lifetime that has run out, a
credential that is no longer accepted) does not keep a group from being opened. But rows that are damaged, missing
or of different moments do: each row has a check of its own, and between rows there are

* the tree and its hash in the context, the confirmation tag and the key that made it;
* our private keys and the public ones in the tree, one for each parent that we are merged at;
* every leaf of a secret tree, which has either its ratchets or a secret above it;
* past epochs, which reach up to the current one without a gap.

Where a row is missing whose absence is a state of its own (a skipped message key, a message that is held, a
proposal, a pending commit, the oldest past epoch), the group is one to which that never happened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from ...errors import InputError
from ..client import Client
from ..evolution.proposal_list import QueuedProposal
from ..evolution.state import PublicState
from ..schedule.secret_tree import RowKey as MessageKey
from ..schedule.transcript import check_confirmation_tag, interim_transcript_hash
from ..stored_row import bad_row, open_row, read_stored
from ..suites import CipherSuite
from ..tree.member_index import MemberIndex
from ..tree.sparse import tree_of
from ..wire.commit import Commit
from ..wire.framing import Sender
from ..wire.proposals import Update
from .epoch import EpochState
from .holding import HeldMessage, HeldMessages
from .member import KeptProposal, Member
from .past import PastEpochs
from .pending_row import decode_pending
from .psks import FindPsk
from .restaging import client_after, staged_again
from .row_checks import check_private_keys, secret_tree_of
from .row_codec import (
    Head,
    decode_head,
    decode_held,
    decode_keys,
    decode_node,
    decode_past,
    decode_proposal,
    decode_update,
)
from .row_keys import HEAD, KEYS, PENDING, RowKey, parse, update_key

__all__ = ["load_member"]


def load_member(client: Client, rows: Mapping[str, bytes], find_psk: FindPsk, rotated: Client | None) -> Member:
    """Raises DecodeError for rows that are not those of one group at one time; InputError if they are not `client`'s.

    `rotated` takes our place in the group by a pending commit that rotates our keys.
    """
    stored = read_stored(lambda: _Rows(rows))
    head = read_stored(lambda: decode_head(stored.one(HEAD), client.policy.proposal_types))
    if head.context.cipher_suite != client.suite.number:
        raise InputError("the stored group has another cipher suite than the client", code="mls.input.suite")
    member = read_stored(lambda: _member(client, stored, head, find_psk))
    if head.own_leaf is not None:
        leaf = member.state.tree.leaf(head.own_leaf)
        if leaf is None or leaf.signature_key != client.signature_key:
            raise InputError("the stored group is not this client's", code="mls.input.client")
    if stored.has(PENDING):
        pending = read_stored(
            lambda: decode_pending(stored.one(PENDING), client.suite.hash_length, client.policy.proposal_types)
        )
        after = client_after(client, rotated, pending)
        member.pending = read_stored(lambda: staged_again(member, pending, after))
    return member


class _Rows:
    """The bodies of all rows, by kind."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._by_kind: dict[str | int | bytes, dict[RowKey, bytes]] = {}
        for text, row in rows.items():
            key = parse(text)
            self._by_kind.setdefault(key[0], {})[key] = open_row(text, row)

    def has(self, key: RowKey) -> bool:
        return key in self.of(str(key[0]))

    def one(self, key: RowKey) -> bytes:
        try:
            return self.of(str(key[0]))[key]
        except KeyError:
            raise bad_row(f"row {key[0]!s} is missing") from None

    def of(self, kind: str) -> Mapping[RowKey, bytes]:
        return self._by_kind.get(kind, {})

    def numbered(self, kind: str) -> list[tuple[int, bytes]]:
        """Rows whose keys are a kind and a number, in rising order."""
        return sorted((number, body) for (_, number), body in self.of(kind).items() if isinstance(number, int))

    def named(self, kind: str) -> list[tuple[bytes, bytes]]:
        """Rows whose keys are a kind and some bytes."""
        return [(name, body) for (_, name), body in self.of(kind).items() if isinstance(name, bytes)]

    def messages(self) -> dict[int, list[tuple[MessageKey, bytes]]]:
        """The rows of secret trees, by epoch."""
        found: dict[int, list[tuple[MessageKey, bytes]]] = {}
        for (_, epoch, *rest), body in self.of("messages").items():
            key = tuple(part for part in rest if not isinstance(part, bytes))
            if isinstance(epoch, int):
                found.setdefault(epoch, []).append((key, body))
        return found


def _member(client: Client, stored: _Rows, head: Head, find_psk: FindPsk) -> Member:
    """All but the pending commit."""
    suite, context = client.suite, head.context
    nodes = {index: decode_node(index, body) for index, body in stored.numbered("tree")}
    tree = tree_of(suite, head.height, nodes)
    if tree.tree_hash() != context.tree_hash:
        raise bad_row("the stored tree is not that of the stored context")
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, head.confirmation_tag)
    state = PublicState(suite, context, tree, head.confirmation_tag, interim)
    messages = stored.messages()
    epoch = _epoch(state, stored, head, messages.pop(context.epoch, []))
    member = Member(client, state, MemberIndex.of(tree), epoch, find_psk, reinit=head.reinit)
    member.past = _past(suite, stored, context.epoch, messages)
    if messages:
        raise bad_row("message keys of an epoch that is not stored")
    member.held = HeldMessages(_held(stored))
    member.proposals = _proposals(member, stored)
    for name, body in stored.named("update"):
        public, private = decode_update(body)
        if update_key(public)[1] != name:
            raise bad_row("an Update under the name of another one")
        member.updates[public] = private
    _check_own_updates(member)
    return member


# --- the current epoch -------------------------------------------------------------------------------
def _epoch(
    state: PublicState, stored: _Rows, head: Head, messages: list[tuple[MessageKey, bytes]]
) -> EpochState | None:
    own_leaf, suite = head.own_leaf, state.suite
    private_keys = dict(stored.numbered("private"))
    if own_leaf is None:
        if messages or private_keys or any(stored.has(key) for key in (KEYS, PENDING)):
            raise bad_row("secrets of a group that we are not in")
        return None
    keys = decode_keys(stored.one(KEYS), suite.hash_length)
    check_confirmation_tag(
        suite, keys.confirmation_key, state.context.confirmed_transcript_hash, state.confirmation_tag
    )
    check_private_keys(state.tree, own_leaf, private_keys)
    return EpochState(own_leaf, keys, secret_tree_of(suite, head.height, messages), private_keys)


# --- past epochs, and what waits ---------------------------------------------------------------------
def _past(
    suite: CipherSuite, stored: _Rows, current: int, messages: dict[int, list[tuple[MessageKey, bytes]]]
) -> PastEpochs:
    """Takes out of `messages` what belongs to them."""
    past = PastEpochs()
    rows = stored.numbered("past")
    for place, (epoch, body) in enumerate(rows):
        if epoch != current - len(rows) + place:
            raise bad_row("a past epoch is missing")
        one = decode_past(epoch, body)
        if one.height is not None:
            one.past.messages = secret_tree_of(suite, one.height, messages.pop(epoch, []))
        past.add(one.past)
    return past


def _held(stored: _Rows) -> Iterable[tuple[bytes, HeldMessage]]:
    for digest, body in stored.named("held"):
        held = decode_held(body)
        if hashlib.sha256(held.data).digest() != digest:
            raise bad_row("a held message under the name of another one")
        yield digest, held


def _proposals(member: Member, stored: _Rows) -> dict[bytes, KeptProposal]:
    suite, types = member.state.suite, member.client.policy.proposal_types
    found: list[tuple[int, bytes, KeptProposal]] = []
    for reference, body in stored.named("proposal"):
        arrival, content = decode_proposal(body, types)
        framed = content.content
        proposal = framed.content
        if isinstance(proposal, (bytes, Commit)) or suite.proposal_ref(content.encode()) != reference:
            raise bad_row("a proposal under the name of another one")
        if (framed.group_id, framed.epoch) != (member.state.group_id, member.state.epoch):
            raise bad_row("a proposal of another epoch")
        queued = QueuedProposal(proposal, framed.sender, reference, judged=True)
        found.append((arrival, reference, KeptProposal(queued, content, arrival)))
    return {reference: kept for _, reference, kept in sorted(found, key=lambda entry: entry[:2])}


def _check_own_updates(member: Member) -> None:
    """Whoever commits an Update of ours counts on our having its private key."""
    suite = member.state.suite
    if any(suite.public_of(private) != public for public, private in member.updates.items()):
        raise bad_row("the private key of an Update is that of another key")
    us = None if member.epoch is None else Sender.member(member.epoch.own_leaf)
    for kept in member.proposals.values():
        proposal = kept.queued.proposal
        ours = isinstance(proposal, Update) and kept.queued.sender == us
        if ours and isinstance(proposal, Update) and proposal.leaf_node.encryption_key not in member.updates:
            raise bad_row("the private key of an Update of ours is missing")

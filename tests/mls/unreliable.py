"""A group over a network that loses order, repeats and delays, on devices that crash and lose their state.

`World` has the devices, the ordering server and what must hold: who is in an epoch sees the same as all others in it,
the server sees the same tree, and an application message reaches everybody whom it was for exactly once. Every step
checks what it can at once; `settle` lets everything arrive and checks the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crypto.deterministic import seeded_rng
from letterlock.errors import GroupInactive, MissingProposal, MissingPsk
from letterlock.mls.client import Client
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import (
    Application,
    Duplicate,
    FutureEpoch,
    OwnEcho,
    PastEpoch,
    PendingCommit,
    ProposalReceived,
    StagedCommit,
)
from letterlock.mls.group.rows import all_rows
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.policy import Policy
from letterlock.mls.registries import SELF_REMOVE
from letterlock.mls.wire.proposals import Proposal
from letterlock.mls.wire.psk import PreSharedKeyID, PSKType

from .lab import LAB, NOW, make_client
from .ordering_server import OrderingServer

__all__ = ["EXTENSION", "Device", "Membership", "World"]

EXTENSION = 0xF0A1
"""A GroupContext extension that everybody supports."""

GROUP_ID = b"group"

# Small, so that a short history meets every bound.
POLICY = replace(
    LAB,
    past_epochs=2,
    resumption_epochs=3,
    future_epochs=2,
    future_messages=5,
    forward=200,
    out_of_order=200,
    max_proposals=50,
)


@dataclass(eq=False)
class Membership:
    """One stay in the group, from a join to the end: the Group in memory and the rows that survive a crash."""

    device: Device
    group: Group
    since: int
    rows: dict[str, bytes] = field(default_factory=dict)
    rotated: Client | None = None
    client: Client | None = None
    accepted: bytes = b""
    """Digest of the pending commit that the server said it took."""
    delivered: set[bytes] = field(default_factory=set)
    missed: set[bytes] = field(default_factory=set)
    seen: set[bytes] = field(default_factory=set)
    """What this stay has made of its messages, as far as it is stored."""
    fresh: dict[bytes, str] = field(default_factory=dict)
    """The same for the step that is under way."""

    def store(self) -> None:
        """The step is done: what it changed is written, in one transaction with what it delivered."""
        for key, row in self.group.take_changes().items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self.client = self.group.client
        for message, what in self.fresh.items():
            self.seen.add(message)
            {"delivered": self.delivered, "missed": self.missed}.get(what, set[bytes]()).add(message)
        self.fresh.clear()

    def crash(self) -> None:
        """What is in memory is gone; the rows are all there is."""
        assert self.client is not None
        self.fresh.clear()
        self.group = Group.load(self.client, self.rows, find_psk=self.device.find_psk, rotated=self.rotated)
        assert all_rows(self.group._member) == self.rows

    @property
    def name(self) -> bytes:
        return self.device.name.encode()


@dataclass(eq=False)
class Device:
    """Somebody who is, was or may be in the group."""

    name: str
    client: Client
    rng: Any
    packages: dict[bytes, KeyPackageBundle] = field(default_factory=dict)
    inbox: list[bytes] = field(default_factory=list)
    welcomes: list[tuple[bytes, bytes, bytes | None]] = field(default_factory=list)
    """(message, KeyPackageRef, tree if it is not inside)"""
    current: Membership | None = None
    former: list[Membership] = field(default_factory=list)
    sent: set[bytes] = field(default_factory=set)
    forgetful: bool = False
    """The external pre-shared keys have not arrived yet."""

    def find_psk(self, psk: PreSharedKeyID) -> bytes | None:
        if psk.psktype != PSKType.EXTERNAL or self.forgetful:
            return None
        return hashlib.sha256(psk.psk_id).digest()

    def memberships(self) -> list[Membership]:
        return [*self.former, *([self.current] if self.current else [])]

    def package(self) -> KeyPackageBundle:
        bundle = make_key_package(self.client, NOW, self.rng, lifetime_seconds=80 * 86_400)
        self.packages[bundle.reference] = bundle
        return bundle

    def rotated(self) -> Client:
        """The same client with another signature key."""
        private, public = self.client.suite.generate_signature_key(self.rng)
        return replace(self.client, signature_key=public, sign=self.client.suite.signer(private))


@dataclass(frozen=True)
class Said:
    """An application message as it was meant."""

    epoch: int
    sender: bytes
    leaf: int
    text: bytes


class World:
    """See the module. Methods that cannot do what they are asked in the present state do nothing and say False."""

    def __init__(self, names: Sequence[str], number: int, *, judges: bool, seed: int = 0) -> None:
        self.judges = judges
        self.devices = [
            self._device(name, number, POLICY if judges else replace(POLICY, public_handshakes=bool(i % 2)), judges)
            for i, name in enumerate(names)
        ]
        self.rng = seeded_rng(f"world {seed}")
        self.said: dict[bytes, Said] = {}
        self.views: dict[int, tuple[object, ...]] = {}
        self.members: dict[int, dict[bytes, int]] = {}
        self.tree_hashes: dict[int, bytes] = {}
        first = self.devices[0]
        group = Group.create(first.client, GROUP_ID, find_psk=first.find_psk, rng=first.rng, now=NOW)
        tree = group.state.tree.encode()
        self.server = OrderingServer(first.client, group.group_info(with_tree=False), tree, 0, judges=judges)
        self.tree_hashes[0] = self.server.tree_hash()
        self._enter(Membership(first, group, 0))

    @staticmethod
    def _device(name: str, number: int, policy: Policy, judges: bool) -> Device:
        policy = replace(policy, public_handshakes=judges or policy.public_handshakes)
        rng = seeded_rng(f"device {name}")
        client = make_client(
            name, number=number, policy=policy, rng=rng, extensions=(EXTENSION,), proposals=(SELF_REMOVE,)
        )
        return Device(name, client, rng)

    def active(self) -> Iterator[Membership]:
        for device in self.devices:
            if device.current is not None:
                yield device.current

    # --- what a member does ------------------------------------------------------------------------
    def say(self, device: Device, text: bytes) -> bool:
        membership = device.current
        if membership is None or membership.group._member.proposals:
            return False
        group = membership.group
        message = group.encrypt(text, rng=device.rng)
        membership.store()
        self.said[message] = Said(group.epoch, membership.name, group.own_leaf, text)
        assert self.server.submit(message)
        self._fan_out(device, message)
        return True

    def propose(self, device: Device, proposal: Proposal | None, *, public: bool) -> bool:
        """An Update without `proposal`. What the server does not take (it has moved on) reaches nobody."""
        membership = device.current
        if membership is None or len(membership.group._member.proposals) > 20:
            return False
        # Equal proposals of one epoch would be one and the same, which is a Duplicate.
        data = device.rng(4)
        how: Any = {"rng": device.rng, "now": NOW, "public": self.judges or public, "authenticated_data": data}
        group = membership.group
        message = group.propose_update(**how) if proposal is None else group.propose(proposal, **how)
        membership.store()
        if self.server.submit(message):
            self._fan_out(device, message)
        return True

    def commit(
        self,
        device: Device,
        proposals: Sequence[Proposal],
        *,
        rotate: bool = False,
        alone: bool = False,
        **options: Any,
    ) -> bool:
        """Make a commit; it stays pending until `send`. `alone` leaves out what waits."""
        membership = device.current
        if membership is None or membership.group.pending is not None:
            return False
        if rotate:
            membership.rotated = device.rotated()
            options |= {"rotate": membership.rotated, "path": True}
        if self.judges:
            options["public"] = True
        try:
            membership.group.commit(
                proposals,
                options=CommitOptions(**options),
                references=() if alone else None,
                rng=device.rng,
                now=NOW,
            )
        except MissingPsk:
            assert device.forgetful
            return False
        membership.store()
        return True

    def send(self, device: Device, *, at_once: bool, discard: bool) -> bool:
        """Offer the pending commit to the server. If it wins it is merged `at_once` or when it comes back."""
        membership = device.current
        if membership is None or membership.group.pending is None:
            return False
        pending = membership.group.pending
        if membership.accepted == pending.staged.digest:
            return False
        tree = pending.staged.state.tree.encode()
        if not self.server.submit_commit(pending.message, pending.group_info(), tree):
            if discard:
                membership.group.discard()
                membership.store()
            return True
        membership.accepted = pending.staged.digest
        self._accepted(device, pending.message)
        for welcome in pending.welcomes:
            for reference in welcome.members:
                receiver = next(d for d in self.devices if reference in d.packages)
                receiver.welcomes.append((welcome.message, reference, tree))
        if at_once:
            again: list[bytes] = []
            self._merge(membership, pending, pending.message, again)
            device.inbox.extend(again)
            membership.store()
        return True

    def join(self, device: Device) -> bool:
        """By the oldest Welcome that is here."""
        if not device.welcomes:
            return False
        message, reference, tree = device.welcomes.pop(0)
        bundle = device.packages[reference]
        outside = b"\xaa" not in message[-1:]  # now this way, now that
        try:
            group = Group.join(
                device.client, bundle, message, tree=tree if outside else None, find_psk=device.find_psk, now=NOW
            )
        except MissingPsk:
            assert device.forgetful
            device.welcomes.append((message, reference, tree))
            return True
        del device.packages[reference]
        self._enter(Membership(device, group, group.epoch))
        return True

    def join_externally(self, device: Device, *, psk: bool) -> bool:
        """From outside, or in place of a stay whose state was lost or is behind (resync)."""
        server = self.server
        old = server.leaves().get(device.name.encode())
        psks = []
        if psk and not device.forgetful:
            psks.append(PreSharedKeyID.external(b"for joiners", device.rng(device.client.suite.hash_length)))
        group, made = Group.join_externally(
            device.client,
            server.group_info,
            tree=server.tree,
            resync=old,
            psks=psks,
            find_psk=device.find_psk,
            self_removes=server.self_removes(old),
            rng=device.rng,
            now=NOW,
        )
        assert server.submit_commit(made.message, made.group_info, group.state.tree.encode())
        self._accepted(device, made.message)
        self._enter(Membership(device, group, group.epoch))
        return True

    def lose(self, device: Device) -> bool:
        """The state of the present stay is gone for good; the others do not know."""
        if device.current is None or sum(1 for _ in self.active()) < 2:
            return False
        device.current = None
        return True

    def crash(self, device: Device) -> bool:
        for membership in device.memberships():
            membership.crash()
        return bool(device.memberships())

    def branch(self, device: Device, others: Sequence[Device]) -> bool:
        """A subgroup of members that are in the same epoch; they say something in it, and leave it."""
        membership = device.current
        if membership is None or device in others:
            return False
        present = {leaf.credential.identity for _, leaf in membership.group.members()}
        joiners = [
            d.current
            for d in others
            if d.current is not None and d.current.group.epoch == membership.group.epoch and d.name.encode() in present
        ]
        packages = [j.device.package() for j in joiners]
        group, pending = membership.group.branch(
            b"branch " + device.rng(4), [p.key_package for p in packages], rng=device.rng, now=NOW
        )
        group.merge(pending, now=NOW)
        said = group.encrypt(b"between us", rng=device.rng)
        for joiner, package in zip(joiners, packages, strict=True):
            theirs = Group.join(
                joiner.device.client,
                package,
                pending.welcomes[0].message,
                groups={GROUP_ID: joiner.group},
                now=NOW,
            )
            assert theirs.epoch_authenticator == group.epoch_authenticator
            result = theirs.process(said, now=NOW)
            assert isinstance(result, Application) and result.data == b"between us"
            del joiner.device.packages[package.reference]
        return True

    # --- what the network does ---------------------------------------------------------------------
    def deliver(
        self, device: Device, index: int, *, repeat: bool = False, hesitate: bool = False, crash: str = ""
    ) -> bool:
        """One message of the inbox, any of them. `repeat` leaves a copy for later, `hesitate` drops a staged commit.

        `crash` "before" the step is stored undoes it, and the message comes again; "after" it nothing is lost.
        """
        if not device.inbox or not device.memberships():
            return False
        message = device.inbox.pop(index % len(device.inbox))
        again: list[bytes] = [message] if repeat or crash == "before" else []
        for membership in device.memberships():
            wanted: list[bytes] = []
            self._take(membership, message, wanted, hesitate)
            if crash == "before":
                membership.crash()
            else:
                membership.store()
                again.extend(wanted)
            if crash == "after":
                membership.crash()
        device.inbox.extend(dict.fromkeys(again))
        self._retire(device)
        return True

    def settle(self) -> None:
        """Everything arrives; then everybody agrees, and each message came exactly once to whom it was for."""
        for device in self.devices:
            device.forgetful = False
            while device.welcomes:
                self.join(device)
        for _ in range(len(self.server.log) + 5):
            for device in self.devices:
                for _ in range(len(device.inbox)):
                    self.deliver(device, 0)
            if not any(d.inbox for d in self.devices if d.memberships()):
                break
        else:
            raise AssertionError("messages keep coming back")
        leaves = self.server.leaves()
        for membership in self.active():
            if membership.name in leaves:
                assert membership.group.epoch == self.server.epoch
                assert membership.group.own_leaf == leaves[membership.name]
            assert membership.group.pending is None or membership.group.pending.epoch == self.server.epoch + 1
        for device in self.devices:
            for membership in device.memberships():
                self._check_complete(membership)
                self._check_replay(membership)

    # --- inside ------------------------------------------------------------------------------------
    def _fan_out(self, sender: Device, message: bytes) -> None:
        sender.sent.add(message)
        for device in self.devices:
            device.inbox.append(message)

    def _accepted(self, committer: Device, message: bytes) -> None:
        self.tree_hashes[self.server.epoch] = self.server.tree_hash()
        self._fan_out(committer, message)

    def _enter(self, membership: Membership) -> None:
        """A new stay of a device. It may already be over, if a Welcome was late."""
        device = membership.device
        before = device.current
        if before is not None and before.since > membership.since:
            device.former.append(membership)
        else:
            if before is not None:
                device.former.append(before)
            device.current = membership
        self._record(membership)
        membership.store()
        # What came for an earlier stay, or while there was none, is asked for once more.
        waiting = set(device.inbox)
        device.inbox.extend([message for message in self.server.log if message not in waiting])

    def _retire(self, device: Device) -> None:
        if device.current is not None and not device.current.group.active:
            device.former.append(device.current)
            device.current = None

    def _record(self, membership: Membership) -> None:
        """What all members of an epoch must have in common, and the server as far as it can see."""
        group = membership.group
        if not group.active:
            return
        view = (
            group.epoch_authenticator,
            group.state.context.encoded,
            group.state.tree.encode(),
            group.export("test", b"context", 24),
            group.resumption_psk(group.epoch),
            group.group_id,
        )
        assert self.views.setdefault(group.epoch, view) == view
        assert group.state.tree.tree_hash() == self.tree_hashes[group.epoch]
        members = {leaf.credential.identity: index for index, leaf in group.members()}
        assert self.members.setdefault(group.epoch, members) == members
        assert members[membership.name] == group.own_leaf

    def _merge(
        self, membership: Membership, commit: StagedCommit | PendingCommit, message: bytes, again: list[bytes]
    ) -> None:
        due = membership.group.merge(commit, now=NOW)
        if membership.device.current is membership:
            membership.device.client = membership.group.client
        membership.fresh[message] = "merged"
        self._record(membership)
        for held in due:
            self._take(membership, held, again, False)

    def _take(self, membership: Membership, message: bytes, again: list[bytes], hesitate: bool) -> None:
        """Process one message and check the answer. What has to come again is added to `again`."""
        group, said = membership.group, self.said.get(message)
        known = message in membership.seen or message in membership.fresh
        try:
            result = group.process(message, now=NOW)
        except MissingProposal:
            again.append(message)
            return
        except MissingPsk:
            assert membership.device.forgetful
            again.append(message)
            return
        except GroupInactive:
            assert not group.active
            return
        match result:
            case Application():
                assert said is not None and not known
                assert (result.epoch, result.leaf.credential.identity) == (said.epoch, said.sender)
                assert (result.sender, result.data) == (said.leaf, said.text)
                assert said.epoch >= membership.since and membership.name in self.members[said.epoch]
                assert group.epoch - said.epoch <= POLICY.past_epochs
                membership.fresh[message] = "delivered"
            case ProposalReceived():
                assert said is None and not known
                membership.fresh[message] = "proposal"
            case StagedCommit():
                assert said is None and not known and result.base_epoch == group.epoch
                if hesitate:
                    again.append(message)
                else:
                    self._merge(membership, result, message, again)
            case OwnEcho(pending=None):
                assert message in membership.device.sent
            case OwnEcho(pending=pending):
                assert pending is group.pending and pending is not None
                self._merge(membership, pending, message, again)
            case PastEpoch(epoch=epoch):
                assert epoch < group.epoch
                if said is not None and epoch >= membership.since:
                    assert group.epoch - epoch > POLICY.past_epochs or said.sender == membership.name
                    if not known:
                        membership.fresh[message] = "missed"
            case FutureEpoch(epoch=epoch, held=held):
                assert epoch > group.epoch and group.active
                if not held:
                    again.append(message)
            case Duplicate():
                assert known or message in membership.device.sent
            case _:
                raise AssertionError(result)

    def _check_complete(self, membership: Membership) -> None:
        """Exactly once: `_take` refuses a second time, this the absence of a first."""
        last = membership.group.epoch if membership.group.active else membership.group.epoch - 1
        for message, said in self.said.items():
            if said.sender != membership.name and membership.since <= said.epoch <= last:
                assert (message in membership.delivered) != (message in membership.missed)
        assert all(said.epoch <= last for m, said in self.said.items() if m in membership.delivered)

    def _check_replay(self, membership: Membership) -> None:
        """All of history again: nothing comes of it."""
        epoch = membership.group.epoch
        for message in self.server.log:
            try:
                result = membership.group.process(message, now=NOW)
            except GroupInactive:
                assert not membership.group.active
                continue
            assert isinstance(result, (Duplicate, PastEpoch, OwnEcho)), result
        assert membership.group.epoch == epoch

"""People with certificates and real MLS groups around an `OrderedGroup`: what the pure tests of the ordering drive.

`World` plays the edge without any storage: it judges, installs, and hands what was accepted to the people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crypto.deterministic import seeded_rng
from letterlock.ids import Instant, Number
from letterlock.mls.client import Client
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import PendingCommit, ProposalReceived, StagedCommit
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove, SelfRemove
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.credentials.leaf import certified_number
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.control import (
    ClientMessage,
    CommitBundle,
    ControlLimits,
    EndReason,
    MlsMessage,
    Operation,
    RosterChange,
    decode_server_message,
)
from letterlock.rcc16.wire.extensions import end_mls_extension, era_extension, era_of
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.proposals import server_remove
from letterlock.services.focus.mls.leaves import Terms
from letterlock.services.focus.mls.limits import OrderingLimits
from letterlock.services.focus.mls.logic import OrderedGroup
from letterlock.services.focus.mls.outcome import Accepted, Outcome
from letterlock.services.focus.mls.state import Snapshot
from rcc16.certificates import NOW, SUITE, Identity, Lab, lab_policy

GROUP_ID = b"00112233445566778899aabbccddeeff"
WIRE = ControlLimits(max_size=1 << 24, max_roster=2_000, max_page=10_000)
DAY = 86_400_000
LIMITS = OrderingLimits(
    max_external_commits_a_day=50,
    max_eras_an_hour=2,
    max_eras_a_day=5,
    max_epochs_an_hour=600,
    max_external_commits_a_day_by_one=50,
    max_eras_a_day_by_one=5,
    max_epochs_an_hour_by_one=600,
    min_credential_ms=30 * DAY,
    max_pending=64,
    recent_epochs=64,
    recent_ms=3 * DAY,
    max_history=512,
    max_history_bytes=1 << 24,
    max_page_bytes=1 << 20,
    max_group_info=1 << 16,
    max_leaf=1 << 14,
    max_leaves_of_one=16,
    max_key_delivery=65_536,
    max_subject=4_096,
    max_icon=2_048,
)


class Phone:
    """One device."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.number = identity.number
        self.client: Client = identity.client
        self.rng = seeded_rng(f"phone {identity.number} {identity.leaf.public.hex()}")
        self.group: Group | None = None
        self.bundle: KeyPackageBundle | None = None
        self.waiting: PendingCommit | None = None

    @property
    def g(self) -> Group:
        assert self.group is not None
        return self.group

    def package(self, now: Instant = NOW) -> Add:
        self.bundle = make_key_package(self.client, now, self.rng, lifetime_seconds=365 * 86_400)
        return Add(self.bundle.key_package)

    def leaves_of(self, number: Number) -> list[int]:
        return [leaf for leaf, node in self.g.members() if certified_number(node.credential) == number]

    # --- requests ------------------------------------------------------------------------------------
    def found(
        self,
        others: Sequence[Phone],
        *,
        era: int = 1,
        operation: Operation = Operation.NEW_GROUP,
        group_id: bytes = GROUP_ID,
        extensions: Sequence[Extension] = (),
        roster: RosterChange | None = None,
        now: Instant = NOW,
    ) -> ClientMessage:
        """A group of ours with `others` in it; we are in it at once."""
        message_id = new_message_id(self.rng)
        group = Group.create(self.client, group_id, extensions=(era_extension(era), *extensions), rng=self.rng, now=now)
        welcome = commit = b""
        if others:
            pending = group.commit(
                [other.package(now) for other in others],
                options=CommitOptions(
                    path=False,
                    tree_in_welcome=False,
                    authenticated_data=encode_authenticated_data(message_id, era),
                ),
                rng=self.rng,
                now=now,
            )
            group.merge(pending, now=now)
            welcome, commit = pending.welcomes[0].message, pending.message
        self.group = group
        return ClientMessage(
            operation=operation,
            era=era,
            message_id=message_id,
            commit=commit,
            group_info=group.group_info(with_tree=False),
            ratchet_tree=group.state.tree.encode(),
            welcome=welcome,
            epoch_authenticator=group.epoch_authenticator,
            roster=roster,
        )

    def commit(
        self,
        proposals: Sequence[Proposal] = (),
        *,
        roster: RosterChange | None = None,
        path: bool = True,
        now: Instant = NOW,
        rotate: Client | None = None,
        data: bytes | None = None,
        references: Sequence[bytes] | None = None,
        **changes: Any,
    ) -> ClientMessage:
        """A commit, which is pending with us."""
        era = era_of(self.g.state.extensions)
        message_id = new_message_id(self.rng)
        self.waiting = pending = self.g.commit(
            proposals,
            options=CommitOptions(
                path=path,
                tree_in_welcome=False,
                rotate=rotate,
                authenticated_data=encode_authenticated_data(message_id, era) if data is None else data,
            ),
            references=references,
            rng=self.rng,
            now=now,
        )
        request = ClientMessage(
            operation=Operation.COMMIT,
            era=era,
            message_id=message_id,
            commit=pending.message,
            group_info=pending.group_info(),
            ratchet_tree=pending.staged.state.tree.encode(),
            welcome=pending.welcomes[0].message if pending.welcomes else b"",
            base_epoch_authenticator=self.g.epoch_authenticator,
            epoch_authenticator=pending.epoch_authenticator,
            roster=roster,
        )
        return replace(request, **changes)

    def add(self, *others: Phone, now: Instant = NOW) -> ClientMessage:
        change = RosterChange(add=tuple(dict.fromkeys(each.number for each in others)))
        return self.commit([each.package(now) for each in others], roster=change, path=False, now=now)

    def remove(self, number: Number, now: Instant = NOW) -> ClientMessage:
        return self.commit(
            [Remove(leaf) for leaf in self.leaves_of(number)], roster=RosterChange(remove=(number,)), now=now
        )

    def extend(self, *extensions: Extension, now: Instant = NOW, **changes: Any) -> ClientMessage:
        """GroupContextExtensions: these beside the era."""
        era = era_extension(era_of(self.g.state.extensions))
        return self.commit([GroupContextExtensions((era, *extensions))], now=now, **changes)

    def end(self, now: Instant = NOW) -> ClientMessage:
        return self.extend(end_mls_extension(EndReason.UNSET, Revision.V3), now=now)

    def remove_stale_and_end(self, number: Number, now: Instant = NOW) -> ClientMessage:
        """end_mls, and somebody out of the tree who has left the RCS group already."""
        extensions = (
            era_extension(era_of(self.g.state.extensions)),
            end_mls_extension(EndReason.UNSET, Revision.V3),
        )
        removes = [Remove(leaf) for leaf in self.leaves_of(number)]
        return self.commit([*removes, GroupContextExtensions(extensions)], now=now)

    def leave(self, now: Instant = NOW) -> ClientMessage:
        era = era_of(self.g.state.extensions)
        message_id = new_message_id(self.rng)
        data = encode_authenticated_data(message_id, era)
        return ClientMessage(
            operation=Operation.PROPOSAL,
            era=era,
            message_id=message_id,
            proposal=self.g.propose(SelfRemove(), rng=self.rng, now=now, authenticated_data=data),
            base_epoch_authenticator=self.g.epoch_authenticator,
            roster=RosterChange(leave=True),
        )

    def come_back(
        self, group: OrderedGroup, snapshot: Snapshot, now: Instant = NOW, *, further: Sequence[int] = ()
    ) -> tuple[Group, ClientMessage]:
        """An external commit that replaces our old leaf, if we have one; `further` leaves go by ServerRemove."""
        assert group.state is not None
        message_id = new_message_id(self.rng)
        era = group.state.at.era
        old = self.leaves_of(self.number)[:1] if self.group is not None else []
        joined, made = Group.join_externally(
            self.client,
            snapshot.group_info,
            tree=snapshot.tree,
            resync=old[0] if old else None,
            proposals=[server_remove(leaf) for leaf in further],
            authenticated_data=encode_authenticated_data(message_id, era),
            rng=self.rng,
            now=now,
        )
        return joined, ClientMessage(
            operation=Operation.EXTERNAL_COMMIT,
            era=era,
            message_id=message_id,
            commit=made.message,
            group_info=joined.group_info(with_tree=False),
            base_epoch_authenticator=group.state.at.authenticator,
            epoch_authenticator=joined.epoch_authenticator,
        )

    # --- what comes ----------------------------------------------------------------------------------
    def accepted(self, now: Instant = NOW) -> None:
        """Our own request was accepted."""
        if self.waiting is not None:
            self.g.merge(self.waiting, now=now)
            self.waiting = None

    def refused(self) -> None:
        if self.waiting is not None:
            self.g.discard()
            self.waiting = None

    def receive(self, data: bytes, now: Instant = NOW) -> None:
        """A message/mls-rcs-server."""
        told = decode_server_message(data, OURS.control_numbers, WIRE)
        if isinstance(told, MlsMessage):
            assert isinstance(self.g.process(told.message, now=now), ProposalReceived)
        elif isinstance(told, CommitBundle) and told.ratchet_tree:
            if self.bundle is not None:
                self.group = Group.join(self.client, self.bundle, told.handshake, tree=told.ratchet_tree, now=now)
                self.bundle = None
        elif isinstance(told, CommitBundle) and self.group is not None:
            result = self.g.process(told.handshake, now=now)
            assert isinstance(result, StagedCommit), result
            assert result.effects.self_removed or result.epoch_authenticator == told.epoch_authenticator
            self.g.merge(result, now=now)


class World:
    """People, an ordering focus without storage, and a roster."""

    def __init__(
        self,
        count: int = 0,
        *,
        limits: OrderingLimits = LIMITS,
        lab: Lab | None = None,
        group_id: bytes = GROUP_ID,
        people: Sequence[Phone] = (),
    ) -> None:
        self.lab = lab or Lab()
        self.authentication: CertificateAuthentication = self.lab.authentication()
        self.terms = Terms(SUITE, lab_policy(), self.authentication, limits)
        self.group = OrderedGroup(self.terms, group_id)
        self.phones: list[Phone] = []
        self.roster: frozenset[Number] = frozenset()
        self.snapshot: Snapshot | None = None
        self.data: dict[int, bytes] = {}
        if count:
            members = [*people, *(self.enrol(index) for index in range(count - len(people)))]
            self.phones = members
            self.roster = frozenset(each.number for each in members)
            self.founded = members[0].found(members[1:], group_id=group_id)
            self.do(members[0], self.founded)

    def enrol(self, index: int, **more: Any) -> Phone:
        """The person of that index, or another device of it."""
        phone = Phone(self.lab.enrol(f"+1555{index:07}", authentication=self.authentication, **more))
        self.phones.append(phone)
        return phone

    def judge(self, phone: Phone, request: ClientMessage, now: Instant = NOW) -> Outcome:
        return self.group.judge(request, request.message_id, phone.number, self.roster, now)

    def do(self, phone: Phone, request: ClientMessage, now: Instant = NOW) -> Accepted:
        """It must be accepted, and everybody is told."""
        outcome = self.judge(phone, request, now)
        assert isinstance(outcome, Accepted), outcome
        self.group.install(outcome)
        assert outcome.record.data is not None
        self.data[outcome.record.serial] = outcome.record.data
        self.snapshot = outcome.snapshot or self.snapshot
        step = outcome.roster
        gone = {*step.removed, phone.number} if step.left else set(step.removed)
        self.roster = self.roster - gone | set(step.added)
        phone.accepted(now)
        for delivery in outcome.deliveries:
            for each in self.phones:
                if each is not phone and each.number in delivery.recipients:
                    each.receive(delivery.data, now)
        return outcome

    def reloaded(self, now: Instant = NOW) -> OrderedGroup:
        """The group from what a focus would have stored."""
        assert self.group.state is not None
        assert self.snapshot is not None
        return OrderedGroup.stored(self.terms, self.group.state, self.snapshot, now)

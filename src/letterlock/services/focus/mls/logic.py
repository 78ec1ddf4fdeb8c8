"""`OrderedGroup`: the MLS group of one RCS conversation, as the focus sees it that orders its commits. Pure.

One commit is accepted for each (era, epoch): `judge` says what a control message comes to and changes nothing; the edge
writes what it `Accepted` in one transaction that compares where the group stood before, and then calls `install`. When
that comparison fails, somebody else was faster: load the group again and judge anew. SR-17.

The focus holds no secret of a group. It cannot check membership tags, confirmation tags or authenticators; members do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from ....errors import InputError, LetterlockError
from ....ids import Instant, Number
from ....mls.public_group import PublicGroup
from ....rcc16.choices import OURS
from ....rcc16.wire.control import Accepted as AcceptedMessage
from ....rcc16.wire.control import (
    ClientMessage,
    CommitBundle,
    ControlLimits,
    EpochIdentifier,
    GroupInfoMessage,
    MlsMessage,
    Operation,
    RosterChange,
    ServerMessage,
    encode_client_message,
    encode_server_message,
)
from ....rcc16.wire.reasons import ServerReason
from .following import Followed, follow
from .founding import Founded, found
from .leaves import JudgedElsewhere, Terms, facts_of, numbers_of
from .outcome import Accepted, Delivery, Outcome, Refused, Repeated, RosterStep
from .passing import judge_application, judge_receipt
from .proposing import propose
from .pulling import PullPlan, answer_pull, plan_pull
from .quota import Quotas
from .refusing import ordering_rule, refused
from .state import ControlRecord, Facts, GroupState, RecordKind, Snapshot

__all__ = ["OrderedGroup", "Terms"]

_R = ServerReason

_MEMBER = ordering_rule(
    "01", "5.8", "the sender is a member of the RCS group", _R.MISMATCHED_RCS_GROUP_STATE, module=__name__
)
_GROUP = ordering_rule("02", "4.5", "there is a group to change", _R.MLS_GROUP_NOT_FOUND, module=__name__)
_ERA = ordering_rule(
    "03", "2.1, 2.2, 5.8", "the era is the current one, or for a new one the next", _R.INCORRECT_ERA, module=__name__
)
_ID = ordering_rule("07", "4.2", "the control id is that of the envelope", _R.INVALID_INPUT, module=__name__)
_PARTS = ordering_rule(
    "16", "2.6", "a request has the parts that its operation needs, within bounds", _R.INVALID_INPUT, module=__name__
)
_CHANGE = ordering_rule(
    "17",
    "5.8, 6",
    "a roster change goes with its operation, adds strangers and removes others",
    _R.MISMATCHED_RCS_GROUP_STATE,
    module=__name__,
)
_EXTERNAL_QUOTA = ordering_rule(
    "26", "5.6", "fifty external commits a day", _R.EPOCH_ADVANCEMENT_QUOTA_REACHED, module=__name__
)
_EPOCH_QUOTA = ordering_rule(
    "27", "5.6", "commits an hour (our number)", _R.EPOCH_ADVANCEMENT_QUOTA_REACHED, module=__name__
)
_ERA_QUOTA = ordering_rule(
    "28", "5.6", "new eras an hour and a day (our numbers)", _R.ERA_ADVANCEMENT_QUOTA_REACHED, module=__name__
)

_FOUNDING: Final = (Operation.NEW_GROUP, Operation.NEW_ERA)


class OrderedGroup:
    """`state` None: this conversation has no MLS group. `group_id` is what one has to be called: the RCS group id as
    text. Not safe for two threads at once."""

    __slots__ = ("_facts", "_public", "_terms", "group_id", "state")

    def __init__(self, terms: Terms, group_id: bytes) -> None:
        self._terms = terms
        self.group_id = group_id
        self.state: GroupState | None = None
        self._public: PublicGroup | None = None
        self._facts: Facts = {}

    @classmethod
    def stored(cls, terms: Terms, state: GroupState, snapshot: Snapshot, now: Instant) -> OrderedGroup:
        """From what was written. Nothing that was accepted is judged again: a group must load after one of its
        certificates has run out. Raises InvalidGroupMessage, InvalidRcc16, DecodeError for what is not ours."""
        group = cls(terms, state.group_id)
        public = PublicGroup(
            terms.suite,
            snapshot.group_info,
            tree=snapshot.tree,
            authentication=JudgedElsewhere(terms.authentication),
            policy=terms.policy,
            now=now,
        )
        for record in state.pending():
            public.process(record.proposal, now=now)
        group.state, group._public = state, public
        group._facts = {leaf_index: facts_of(leaf) for leaf_index, leaf in public.members()}
        return group

    @property
    def live(self) -> bool:
        """Whether messages here are encrypted: there is a group, and it has no end_mls."""
        return self.state is not None and not self.state.ended

    def judge(
        self, request: ClientMessage, message_id: str, sender: Number, roster: frozenset[Number], now: Instant
    ) -> Outcome:
        """What a control message comes to. `message_id` is the envelope's, `roster` the RCS roster as it is. Never raises
        on what a member sent."""
        digest = hashlib.sha256(encode_client_message(request, OURS.control_numbers)).digest()
        known = None if self.state is None else self.state.repeated(sender, request.message_id, digest)
        if known is not None:
            return Repeated(_encode(AcceptedMessage(known.message_id, known.epoch)))
        try:
            return self._judge(request, message_id, sender, roster, digest, now)
        except LetterlockError as error:
            return refused(error)

    def install(self, accepted: Accepted) -> None:
        """The request is written: from now on the group is as it says. Raises InputError if it was judged in another state."""
        if accepted.before != (None if self.state is None else self.state.at):
            raise InputError("this was judged in another state of the group", code="focus.mls.stale")
        if accepted.founded is not None:
            self._public = accepted.founded
        elif accepted.staged is not None:
            assert self._public is not None
            self._public.merge(accepted.staged)
        self._facts = accepted.facts
        self.state = accepted.state

    def plan_pull(self, requester: Number, known: EpochIdentifier | None, *, max_messages: int) -> PullPlan | Refused:
        """What to give a member that asks; fetch the bytes of the plan's records for `answer_pull`."""
        if self.state is None:
            return Refused(ServerReason.MLS_GROUP_NOT_FOUND, _GROUP.id, "there is no group")
        limits = self._terms.limits
        return plan_pull(self.state, requester, known, max_bytes=limits.max_page_bytes, max_messages=max_messages)

    def answer_pull(
        self, snapshot: Snapshot, plan: PullPlan, data: Mapping[int, bytes], limits: ControlLimits
    ) -> bytes:
        """The body of the answer. Raises InputError without a group."""
        if self.state is None:
            raise InputError("there is no group", code="focus.mls.none")
        return answer_pull(self.state, snapshot, plan, data, limits)

    def judge_application(
        self, sender: Number, era: int | None, authenticator: bytes | None, body: bytes, now: Instant
    ) -> Refused | None:
        """Whether an application message may pass: None if so."""
        return judge_application(self.state, sender, era, authenticator, body, self._terms.limits, now)

    def judge_receipt(self, era: int | None) -> Refused | None:
        """Whether a receipt may pass: None if so."""
        return judge_receipt(self.state, era)

    # --- inside --------------------------------------------------------------------------------------
    def _judge(
        self,
        request: ClientMessage,
        message_id: str,
        sender: Number,
        roster: frozenset[Number],
        digest: bytes,
        now: Instant,
    ) -> Outcome:
        if sender not in roster:
            _MEMBER.fail("who sends it is not in the RCS group")
        if request.message_id != message_id:
            _ID.fail("the request names another control id than its envelope")
        _check_parts(request, self._terms)
        step = _roster_step(request, sender, roster)
        after = roster - set(step.removed) | set(step.added)
        if request.operation in _FOUNDING:
            self._check_new_era(request, now)
            return self._founded(request, sender, roster, after, step, digest, now)
        state, public = self.state, self._public
        if state is None or public is None:
            _GROUP.fail("there is no group")
            raise InputError("there is no group", code="focus.mls.none")
        if request.era != state.at.era:
            _ERA.fail(f"era {request.era}, the group is in {state.at.era}")
        if request.operation is Operation.PROPOSAL:
            propose(self._terms, state, public, self._facts, request, sender, now)
            return self._proposed(state, request, sender, after - {sender}, step, digest, now)
        followed = follow(self._terms, state, public, self._facts, request, sender, after, now)
        self._check_epoch_quota(state, request, now)
        return self._followed(state, followed, request, sender, roster, step, digest, now)

    def _check_new_era(self, request: ClientMessage, now: Instant) -> None:
        """A group that the focus does not hold may be in any era: it may have lost it, and members take no older one
        than they had (our choice). One that it holds goes on by one."""
        if self.state is None:
            if request.operation is Operation.NEW_ERA:
                _GROUP.fail("there is no group to renew")
            return
        if request.era != self.state.at.era + 1:
            _ERA.fail(f"era {request.era} after {self.state.at.era}")
        quotas, limits = self.state.quotas, self._terms.limits
        if quotas.eras_this_hour(now) >= limits.max_eras_an_hour or quotas.eras_today(now) >= limits.max_eras_a_day:
            _ERA_QUOTA.fail("too many eras")

    def _check_epoch_quota(self, state: GroupState, request: ClientMessage, now: Instant) -> None:
        quotas, limits = state.quotas, self._terms.limits
        external = request.operation is Operation.EXTERNAL_COMMIT
        if external and quotas.external_today(now) >= limits.max_external_commits_a_day:
            _EXTERNAL_QUOTA.fail("too many external commits")
        if quotas.epochs_this_hour(now) >= limits.max_epochs_an_hour:
            _EPOCH_QUOTA.fail("too many commits")

    def _founded(
        self,
        request: ClientMessage,
        sender: Number,
        before: frozenset[Number],
        after: frozenset[Number],
        step: RosterStep,
        digest: bytes,
        now: Instant,
    ) -> Accepted:
        new = found(self._terms, self.group_id, request, sender, after, now)
        at = EpochIdentifier(request.era, new.public.epoch, request.epoch_authenticator)
        told: ServerMessage = (
            CommitBundle(request.welcome, new.tree, request.key_delivery, at.authenticator)
            if request.welcome
            else GroupInfoMessage(request.group_info, new.tree, at.authenticator)
        )
        data = _encode(told)
        everybody = tuple(sorted(before | after))
        return self._accepted(
            request, sender, digest, now, RecordKind.WELCOME, at, new, data, step,
            (Delivery(everybody, request.message_id, data, at),), new.public,
        )  # fmt: skip

    def _followed(
        self,
        state: GroupState,
        followed: Followed,
        request: ClientMessage,
        sender: Number,
        roster: frozenset[Number],
        step: RosterStep,
        digest: bytes,
        now: Instant,
    ) -> Accepted:
        at = EpochIdentifier(request.era, followed.staged.epoch, request.epoch_authenticator)
        data = _encode(CommitBundle(request.commit, b"", request.key_delivery, at.authenticator))
        deliveries = [Delivery(tuple(sorted(roster)), request.message_id, data, state.at)]
        if request.welcome:
            joining = {followed.facts[leaf_index].number for leaf_index, _ in followed.staged.effects.added}
            welcome = _encode(CommitBundle(request.welcome, followed.tree, request.key_delivery, at.authenticator))
            deliveries.append(Delivery(tuple(sorted(joining)), request.message_id, welcome, at))
        return self._accepted(
            request, sender, digest, now, RecordKind.COMMIT, at, followed, data, step, tuple(deliveries), None
        )

    def _proposed(
        self,
        state: GroupState,
        request: ClientMessage,
        sender: Number,
        remaining: frozenset[Number],
        step: RosterStep,
        digest: bytes,
        now: Instant,
    ) -> Accepted:
        data = _encode(MlsMessage(request.proposal))
        record = ControlRecord(
            serial=state.serial + 1,
            kind=RecordKind.PROPOSAL,
            operation=request.operation,
            epoch=state.at,
            message_id=request.message_id,
            sender=sender,
            digest=digest,
            at=now,
            added=(),
            removed=(),
            ended=state.ended,
            size=len(data),
            data=data,
            proposal=request.proposal,
        )
        history, forgotten = _shortened((*state.history, record), self._terms)
        return Accepted(
            before=state.at,
            state=GroupState(state.group_id, state.at, state.ended, state.members, state.quotas, history),
            snapshot=None,
            record=record,
            forgotten=forgotten,
            roster=step,
            metadata=None,
            deliveries=(Delivery(tuple(sorted(remaining)), request.message_id, data, state.at),),
            acceptance=_encode(AcceptedMessage(request.message_id, state.at)),
            founded=None,
            staged=None,
            facts=self._facts,
        )

    def _accepted(
        self,
        request: ClientMessage,
        sender: Number,
        digest: bytes,
        now: Instant,
        kind: RecordKind,
        at: EpochIdentifier,
        new: Founded | Followed,
        data: bytes,
        step: RosterStep,
        deliveries: tuple[Delivery, ...],
        founded: PublicGroup | None,
    ) -> Accepted:
        state = self.state
        members = numbers_of(new.facts)
        before = {} if state is None else state.members
        quotas = Quotas() if state is None else state.quotas
        record = ControlRecord(
            serial=1 if state is None else state.serial + 1,
            kind=kind,
            operation=request.operation,
            epoch=at,
            message_id=request.message_id,
            sender=sender,
            digest=digest,
            at=now,
            added=tuple(sorted(members.keys() - before.keys())),
            removed=tuple(sorted(before.keys() - members.keys())),
            ended=new.ended,
            size=len(data),
            data=data,
        )
        if kind is RecordKind.COMMIT:
            quotas = quotas.with_epoch(now, external=request.operation is Operation.EXTERNAL_COMMIT)
        elif state is not None:
            quotas = quotas.with_era(now)
        history, forgotten = _shortened(((*state.history, record) if state is not None else (record,)), self._terms)
        return Accepted(
            before=None if state is None else state.at,
            state=GroupState(self.group_id, at, new.ended, members, quotas, history),
            snapshot=Snapshot(request.group_info, new.tree),
            record=record,
            forgotten=forgotten,
            roster=step,
            metadata=request.metadata,
            deliveries=deliveries,
            acceptance=_encode(AcceptedMessage(request.message_id, at)),
            founded=founded,
            staged=new.staged if isinstance(new, Followed) else None,
            facts=new.facts,
        )


def _check_parts(request: ClientMessage, terms: Terms) -> None:
    limits, founding = terms.limits, request.operation in _FOUNDING
    proposal = request.operation is Operation.PROPOSAL
    if not proposal and len(request.epoch_authenticator) != 32:
        _PARTS.fail("no epoch authenticator")
    if len(request.key_delivery) > limits.max_key_delivery:
        _PARTS.fail("the key delivery is too long")
    if founding and not request.ratchet_tree:
        _PARTS.fail("a new group without its tree")
    if proposal and (request.commit or request.welcome or request.metadata is not None):
        _PARTS.fail("a proposal together with something else")
    metadata = request.metadata
    if metadata is not None:
        if request.operation is Operation.EXTERNAL_COMMIT:
            _PARTS.fail("an external commit changes no subject")
        if len(metadata.encrypted_subject or b"") > limits.max_subject:
            _PARTS.fail("the encrypted subject is too long")
        if len(metadata.encrypted_icon_url or "") > limits.max_icon:
            _PARTS.fail("the address of the icon is too long")


def _roster_step(request: ClientMessage, sender: Number, roster: frozenset[Number]) -> RosterStep:
    change = request.roster or RosterChange()
    if request.operation is Operation.PROPOSAL:
        return RosterStep(left=change.leave)
    if change.leave:
        _CHANGE.fail("who commits does not leave")
    if request.operation is Operation.EXTERNAL_COMMIT and (change.add or change.remove):
        _CHANGE.fail("an external commit changes no roster")
    if any(each in roster for each in change.add) or sender in change.remove:
        _CHANGE.fail("who is there is added, or the sender removes itself")
    if any(each not in roster for each in change.remove):
        _CHANGE.fail("who is not there is removed")
    return RosterStep(tuple(dict.fromkeys(change.add)), tuple(dict.fromkeys(change.remove)))


def _shortened(history: tuple[ControlRecord, ...], terms: Terms) -> tuple[tuple[ControlRecord, ...], tuple[int, ...]]:
    """The newest that are within bounds, and never less than the current epoch; and the serials of the others."""
    limits = terms.limits
    needed = next(i for i in range(len(history) - 1, -1, -1) if history[i].kind is not RecordKind.PROPOSAL)
    size, start = 0, len(history)
    while start > 0:
        size += history[start - 1].size
        if start <= needed and (len(history) - start >= limits.max_history or size > limits.max_history_bytes):
            break
        start -= 1
    return history[start:], tuple(record.serial for record in history[:start])


def _encode(message: ServerMessage) -> bytes:
    return encode_server_message(message, OURS.control_numbers)

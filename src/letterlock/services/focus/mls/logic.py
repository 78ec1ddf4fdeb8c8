"""`OrderedGroup`: the MLS group of one RCS conversation, as the focus sees it that orders its commits. Pure.

One commit is accepted for each (era, epoch): `judge` says what a control message comes to and changes nothing; the edge
writes what was `Accepted` in one transaction that compares where the group stood before, and then calls `install`. When
that comparison fails, or the writing, load the group again (`stored`) and judge anew. SR-17.

The focus holds no secret of a group. It cannot check membership tags, confirmation tags or authenticators; members do.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....errors import InputError, LetterlockError
from ....ids import Instant, Number
from ....mls.public_group import PublicGroup
from ....rcc16.wire.control import ClientMessage, ControlLimits, EpochIdentifier, Operation
from ....rcc16.wire.reasons import ServerReason
from .accepting import accept_commit, accept_group, accept_proposal, acceptance
from .asking import FOUNDING, Asked, ask, digest_of
from .following import follow
from .founding import found
from .leaves import JudgedElsewhere, Terms, facts_of
from .outcome import Accepted, Outcome, Refused, Repeated
from .passing import judge_application, judge_receipt
from .proposing import propose
from .pulling import PullPlan, answer_pull, plan_pull
from .refusing import ordering_rule, refused
from .state import Facts, GroupState, Snapshot

__all__ = ["OrderedGroup"]

_R = ServerReason

_GROUP = ordering_rule("02", "4.5", "there is a group to change", _R.MLS_GROUP_NOT_FOUND, module=__name__)
_ERA = ordering_rule(
    "03", "2.1, 2.2, 5.8", "the era is the current one, or for a new one the next", _R.INCORRECT_ERA, module=__name__
)
_EXTERNAL_QUOTA = ordering_rule(
    "26",
    "5.6",
    "fifty external commits a day, and fewer of them by one member (our number)",
    _R.EPOCH_ADVANCEMENT_QUOTA_REACHED,
    module=__name__,
)
_EPOCH_QUOTA = ordering_rule(
    "27",
    "5.6",
    "commits an hour, and fewer of them by one member (our numbers)",
    _R.EPOCH_ADVANCEMENT_QUOTA_REACHED,
    module=__name__,
)
_ERA_QUOTA = ordering_rule(
    "28",
    "5.6",
    "new eras an hour and a day, and fewer of them by one member (our numbers)",
    _R.ERA_ADVANCEMENT_QUOTA_REACHED,
    module=__name__,
)
_ID_ONCE = ordering_rule(
    "29", "4.2", "a control id that was accepted names no other request (our choice)", _R.INVALID_INPUT, module=__name__
)

_MAX_FIRST_ERA = 0x7FFF_FFFF
"""Eras never wrap (rcc16.md 2.1): a group that began with the last one could never be renewed."""


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
    def without_tree(cls, terms: Terms, state: GroupState | None) -> OrderedGroup:
        """For questions and messages, which need no tree. Requests need one: it refuses them."""
        group = cls(terms, b"" if state is None else state.group_id)
        group.state = state
        return group

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
    def leaves(self) -> int:
        """How many devices are in the tree: what it costs to keep it."""
        return len(self._facts)

    # --- control -------------------------------------------------------------------------------------
    def judge(
        self, request: ClientMessage, message_id: str, sender: Number, roster: frozenset[Number], now: Instant
    ) -> Outcome:
        """What a control message comes to. `message_id` is the envelope's, `roster` the RCS roster as it is. Never raises
        on what a member sent."""
        digest = digest_of(request)
        known = None if self.state is None else self.state.repeated(sender, request.message_id, digest)
        if known is not None:
            return Repeated(acceptance(known.message_id, known.epoch))
        try:
            asked = ask(request, message_id, sender, digest, roster, self._terms.limits, now)
            # Members know a packet by its id: they would take the second commit for the first, said again.
            if self.state is not None and self.state.knows(request.message_id):
                _ID_ONCE.fail("the id of another request")
            if request.operation in FOUNDING:
                return self._found(asked)
            return self._change(asked)
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

    # --- what members ask and send -------------------------------------------------------------------
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
    def _found(self, asked: Asked) -> Accepted:
        """A group that the focus does not hold may be in any era: it may have lost it, and members take no older one
        than they had (our choice). One that it holds goes on by one."""
        state, request, limits = self.state, asked.request, self._terms.limits
        if state is None:
            if request.operation is Operation.NEW_ERA:
                _GROUP.fail("there is no group to renew")
            if request.era > _MAX_FIRST_ERA:
                _ERA.fail(f"era {request.era} of a group that begins")
        else:
            if request.era != state.at.era + 1:
                _ERA.fail(f"era {request.era} after {state.at.era}")
            an_hour, a_day = state.quotas.eras_this_hour(asked.now), state.quotas.eras_today(asked.now)
            by_one = state.quotas.eras_today(asked.now, asked.sender)
            if (
                an_hour >= limits.max_eras_an_hour
                or a_day >= limits.max_eras_a_day
                or by_one >= limits.max_eras_a_day_by_one
            ):
                _ERA_QUOTA.fail("too many eras")
        new = found(self._terms, self.group_id, request, asked.sender, asked.after, asked.now)
        return accept_group(state, self.group_id, asked, new, limits)

    def _change(self, asked: Asked) -> Accepted:
        state, public, request, limits = self.state, self._public, asked.request, self._terms.limits
        if state is None or public is None:
            _GROUP.fail("there is no group")
            raise InputError("there is no group", code="focus.mls.none")
        if request.era != state.at.era:
            _ERA.fail(f"era {request.era}, the group is in {state.at.era}")
        if request.operation is Operation.PROPOSAL:
            propose(self._terms, state, public, self._facts, asked)
            return accept_proposal(state, asked, self._facts, limits)
        followed = follow(self._terms, state, public, self._facts, asked)
        self._check_quotas(state, asked)
        return accept_commit(state, asked, followed, limits)

    def _check_quotas(self, state: GroupState, asked: Asked) -> None:
        quotas, limits, now, one = state.quotas, self._terms.limits, asked.now, asked.sender
        if asked.external and (
            quotas.external_today(now) >= limits.max_external_commits_a_day
            or quotas.external_today(now, one) >= limits.max_external_commits_a_day_by_one
        ):
            _EXTERNAL_QUOTA.fail("too many external commits")
        if (
            quotas.epochs_this_hour(now) >= limits.max_epochs_an_hour
            or quotas.epochs_this_hour(now, one) >= limits.max_epochs_an_hour_by_one
        ):
            _EPOCH_QUOTA.fail("too many commits")

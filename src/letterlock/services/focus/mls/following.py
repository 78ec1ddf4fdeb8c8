"""A commit to the current epoch, by a member or from outside: the checks of rcc16.md 5.8 in their order.

What stands at the stored tree's mercy is `PublicGroup.process`; the rest is here: whose commit it is, that tree and RCS
roster move together, that nobody's credential is short, that nothing is carried in that RCC.16 does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import BadPublicKey, BadSignature, DecodeError
from ....ids import Number
from ....mls.evolution.leaf_rules import check_extensions_once
from ....mls.public_group import PublicGroup, StagedPublicCommit
from ....mls.registries import EXTERNAL_SENDERS
from ....mls.wire.commit import Commit
from ....mls.wire.extensions import find_extension
from ....mls.wire.framing import PublicMessage
from ....mls.wire.message import decode_message
from ....mls.wire.welcome import GroupInfo, Welcome
from ....rcc16.wire.authenticated_data import decode_authenticated_data
from ....rcc16.wire.control import ClientMessage
from ....rcc16.wire.extensions import END_MLS, ERA
from ....rcc16.wire.proposals import SERVER_REMOVE
from ....rcc16.wire.reasons import ServerReason
from .asking import Asked
from .leaves import Terms, check_few_leaves, check_floor, check_new_leaves, facts_of, numbers_of
from .refusing import ordering_rule
from .state import Facts, GroupState, LeafFacts

__all__ = ["Followed", "check_tree", "follow", "read_welcome"]

_R = ServerReason


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A commit that may be accepted, its quotas aside. `ended`: the new epoch has end_mls."""

    staged: StagedPublicCommit
    facts: Facts
    tree: bytes
    ended: bool


_EPOCH = ordering_rule("04", "5.8", "a commit is for the current epoch", _R.INCORRECT_EPOCH, module=__name__)
_AUTHENTICATOR = ordering_rule(
    "05",
    "5.8",
    "the base authenticator is that of the current epoch",
    _R.INCORRECT_EPOCH_AUTHENTICATOR,
    module=__name__,
)
_PARSES = ordering_rule("06", "5.8", "the commit is a commit in a PublicMessage", _R.UNPARSABLE_COMMIT, module=__name__)
_OPERATION = ordering_rule(
    "08", "5.8", "only an external commit comes from outside the tree", _R.INVALID_COMMIT, module=__name__
)
_COMMITTER = ordering_rule(
    "09", "4.1, 5.8", "the committing leaf is certified for the sender", _R.INVALID_COMMIT, module=__name__
)
_ERA_KEPT = ordering_rule("10", "2.1", "a commit does not change the era", _R.INVALID_COMMIT, module=__name__)
_FOREIGN = ordering_rule(
    "11",
    "2.5",
    "no pre-shared key, reinitialisation, external sender, or custom proposal but ServerRemove from outside (our choice)",
    _R.INVALID_COMMIT,
    module=__name__,
)
_TAG = ordering_rule(
    "13",
    "5.8",
    "the GroupInfo has the confirmation tag and context of the commit",
    _R.MISMATCHED_CONFIRMATION_TAG,
    module=__name__,
)
_SIGNED = ordering_rule("14", "2.6", "the GroupInfo is signed by the committer", _R.INVALID_COMMIT, module=__name__)
_SIZES = ordering_rule(
    "12",
    "5.8",
    "commit, GroupInfo and Welcome are as large as the number of devices explains (our choice)",
    _R.INVALID_INPUT,
    module=__name__,
)
_TREE = ordering_rule("15", "2.6", "the ratchet tree is that of the new epoch", _R.INVALID_INPUT, module=__name__)
_ROSTER = ordering_rule(
    "18",
    "5.8",
    "the certified numbers of the tree are the RCS roster of the same request",
    _R.MISMATCHED_RCS_GROUP_STATE,
    module=__name__,
)
_PENDING = ordering_rule("22", "5.8", "a waiting proposal is not skipped", _R.PENDING_PROPOSAL, module=__name__)
_CONTROL_ID = ordering_rule(
    "23",
    "4.2, 5.8",
    "authenticated data of a commit name the control id and the era",
    _R.INVALID_INPUT,
    module=__name__,
)
_END_MLS = ordering_rule(
    "24", "5.7, 5.8", "a commit to a group with end_mls removes it", _R.MLS_GROUP_HAS_END_MLS, module=__name__
)
_WELCOME = ordering_rule(
    "25", "2.4, 6", "the Welcome is for the added leaves, no more and no less", _R.INVALID_INPUT, module=__name__
)


def follow(terms: Terms, state: GroupState, public: PublicGroup, facts: Facts, asked: Asked) -> Followed:
    """Raises InvalidRcc16, InvalidGroupMessage, MissingProposal, DecodeError, InputError, GroupInactive."""
    request, sender, now, external = asked.request, asked.sender, asked.now, asked.external
    message = _read(request.commit, terms)
    if message is not None and message.content.epoch != state.at.epoch:
        _EPOCH.fail(f"the commit is for epoch {message.content.epoch}, the group is in {state.at.epoch}")
    if request.base_epoch_authenticator != state.at.authenticator:
        _AUTHENTICATOR.fail("the commit was made in another state of this epoch")
    if message is None or not isinstance(message.content.content, Commit):
        _PARSES.fail("there is no commit in it")
    staged = public.process(request.commit, now=now)
    if not isinstance(staged, StagedPublicCommit):
        _PARSES.fail("there is no commit in it")
        raise DecodeError("no commit", code="rcc16.commit")
    effects = staged.effects
    after = _facts_after(staged, facts)
    if effects.external is not external:
        _OPERATION.fail("an external commit under another name, or another under its")
    if after[effects.committer].number != sender:
        _COMMITTER.fail("somebody else's commit")
    _check_contents(staged)
    _check_group_info(staged, request.group_info, terms)
    tree = check_tree(staged.state.tree.encode(), request.ratchet_tree, required=False)
    _check_sizes(staged, after, tree, request, terms)
    ended = staged.state.extension(END_MLS) is not None
    if not external:
        # Before the roster, which is another than the tree's because of them: to commit them is the remedy (our choice).
        # An external commit need not: who comes back does not know them, and who left stays for the next commit.
        _check_pending(public, staged, terms)
    _check_roster(after, facts, asked.after, ended=ended, external=external)
    if not ended:
        check_floor(after, terms, now)
    check_few_leaves(after, terms)
    check_new_leaves((*(leaf for _, leaf in effects.added), *(new for _, _, new in effects.updated)), terms, now)
    _check_control_id(effects.authenticated_data, request, state.at.era)
    if state.ended and ended:
        _END_MLS.fail("encryption was ended here, and this commit does not begin it again")
    _check_welcome(staged, request.welcome, terms)
    return Followed(staged, after, tree, ended)


def check_tree(ours: bytes, given: bytes, *, required: bool) -> bytes:
    """Joiners get the focus's own encoding. What the committer sent along has to be the same; it may leave it out where
    the focus can tell it by itself (our choice: for a thousand members it is almost two megabytes)."""
    if (required or given) and given != ours:
        _TREE.fail("the ratchet tree is another one")
    return ours


def read_welcome(data: bytes, terms: Terms) -> Welcome | None:
    """None when there is none. Raises DecodeError, InvalidRcc16."""
    if not data:
        return None
    message = decode_message(data, terms.policy.proposal_types, terms.policy.max_message_bytes)
    if not isinstance(message, Welcome) or message.cipher_suite != terms.suite.number:
        _WELCOME.fail("that is no Welcome to this group")
        return None
    return message


def _read(commit: bytes, terms: Terms) -> PublicMessage | None:
    """Only to see for which epoch it is; None for what cannot be read."""
    try:
        message = decode_message(commit, terms.policy.proposal_types, terms.policy.max_message_bytes)
    except DecodeError:
        return None
    return message if isinstance(message, PublicMessage) else None


def _facts_after(staged: StagedPublicCommit, facts: Facts) -> dict[int, LeafFacts]:
    effects = staged.effects
    after = dict(facts)
    for leaf_index, _ in effects.removed:
        after.pop(leaf_index, None)
    for leaf_index, leaf in effects.added:
        after[leaf_index] = facts_of(leaf)
    for leaf_index, _, leaf in effects.updated:
        after[leaf_index] = facts_of(leaf)
    return after


def _check_contents(staged: StagedPublicCommit) -> None:
    effects = staged.effects
    before = staged.next_epoch.applied.before
    if staged.state.extension(ERA) != before.extension(ERA):
        _ERA_KEPT.fail("F001 is changed or dropped")
    if effects.psks or effects.reinit is not None:
        _FOREIGN.fail("a pre-shared key, or a reinitialisation")
    # ServerRemove: further leaves of who comes back. That they are its own, the MLS rules see to.
    if any(not effects.external or each.proposal_type != SERVER_REMOVE for _, each in effects.custom):
        _FOREIGN.fail("a custom proposal that has no place in this commit")
    if find_extension(staged.state.extensions, EXTERNAL_SENDERS) is not None:
        _FOREIGN.fail("external senders")


def _check_sizes(staged: StagedPublicCommit, after: Facts, tree: bytes, request: ClientMessage, terms: Terms) -> None:
    """What one member writes all others have to carry, and whoever comes back later; ciphertexts and authenticated data
    have no size of their own."""
    limits = terms.limits
    fixed, each = limits.max_group_info, limits.max_leaf
    if (
        len(request.group_info) > fixed
        or len(request.commit) > fixed + each * len(after)
        or len(request.welcome) > 2 * fixed + each * len(staged.effects.added)
        or len(tree) > terms.policy.max_message_bytes
    ):
        _SIZES.fail("it is larger than it has to be")


def _check_group_info(staged: StagedPublicCommit, data: bytes, terms: Terms) -> None:
    info = decode_message(data, terms.policy.proposal_types, terms.policy.max_message_bytes)
    if not isinstance(info, GroupInfo):
        _TAG.fail("there is no GroupInfo in it")
        return
    check_extensions_once(info.extensions)  # as whoever loads the group from it will
    if info.group_context != staged.state.context or info.confirmation_tag != staged.state.confirmation_tag:
        _TAG.fail("the GroupInfo is not that of this commit")
    committer = staged.state.tree.leaf(staged.effects.committer)
    assert committer is not None
    _check_signature(info, committer.signature_key, staged.effects.committer, terms)


def _check_signature(info: GroupInfo, public_key: bytes, committer: int, terms: Terms) -> None:
    """Members verify it when they join; the focus does because it loads the group from it."""
    if info.signer != committer:
        _SIGNED.fail("the GroupInfo names another signer than the committer")
    try:
        terms.suite.verify_with_label(public_key, "GroupInfoTBS", info.tbs(), info.signature)
    except (BadSignature, BadPublicKey):
        _SIGNED.fail("the signature of the GroupInfo does not hold")


def _check_roster(after: Facts, before: Facts, roster: frozenset[Number], *, ended: bool, external: bool) -> None:
    """A group that has end_mls is bound to nothing: nobody encrypts to it (rcc16.md 4.5: absorbed). An external commit
    can put nobody out: numbers that had left the RCS group before stay for the next commit to remove (our choice)."""
    if ended:
        return
    numbers = numbers_of(after).keys()
    stale = numbers_of(before).keys() - roster if external else frozenset()
    if numbers - stale != roster:
        _ROSTER.fail(f"{len(numbers)} numbers in the tree, {len(roster)} in the RCS group")


def _check_pending(public: PublicGroup, staged: StagedPublicCommit, terms: Terms) -> None:
    """A leaf may also be taken out by a Remove: we cannot check membership tags, and where one is wrong no member has the
    proposal. If only that one counted, whoever leaves could stop the group for ever (our choice)."""
    removed = {leaf_index for leaf_index, _ in staged.effects.removed}
    waiting = {_leaving(each.message, terms) for each in public.proposals()}
    if not waiting <= removed:
        _PENDING.fail(f"{len(waiting - removed)} proposals would be skipped")


def _leaving(proposal: bytes, terms: Terms) -> int:
    """Whose leaf a waiting SelfRemove is about."""
    message = decode_message(proposal, terms.policy.proposal_types, terms.policy.max_message_bytes)
    assert isinstance(message, PublicMessage)
    return message.content.sender.index


def _check_control_id(data: bytes, request: ClientMessage, era: int) -> None:
    try:
        found = decode_authenticated_data(data)
    except DecodeError:
        _CONTROL_ID.fail("the authenticated data cannot be read")
        return
    if found.message_id != request.message_id or found.era != era:
        _CONTROL_ID.fail("the commit was made for another request")


def _check_welcome(staged: StagedPublicCommit, data: bytes, terms: Terms) -> None:
    """A Welcome that leaves somebody out would make a member that cannot read (a withheld Welcome)."""
    packages = [add.key_package for add in staged.next_epoch.applied.proposals.adds]
    welcome = read_welcome(data, terms)
    named = () if welcome is None else tuple(each.new_member for each in welcome.secrets)
    wanted = [terms.suite.key_package_ref(package.encode()) for package in packages]
    if sorted(named) != sorted(wanted):
        _WELCOME.fail(f"a Welcome for {len(named)} leaves, {len(wanted)} are added")

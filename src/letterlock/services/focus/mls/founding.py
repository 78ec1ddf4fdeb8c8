"""A new group, or a new era of one: validated as a fresh group, because its first commit stands on an epoch that the
focus has never seen (rcc16.md 2.1, 2.2, 2.4).

The creator's group begins at epoch 0 with itself alone, and one commit adds all others: what the focus is shown is
that epoch, its GroupInfo and tree, and the Welcome to everybody else. A group that is born with end_mls ("phoenix",
rcc16.md 5.2) needs nobody in it but its creator.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import DecodeError
from ....ids import Instant, Number
from ....mls.public_group import PublicGroup
from ....mls.registries import EXTERNAL_SENDERS
from ....mls.wire.extensions import find_extension
from ....mls.wire.message import decode_message
from ....mls.wire.welcome import GroupInfo
from ....rcc16.wire.control import ClientMessage
from ....rcc16.wire.extensions import END_MLS, era_of
from ....rcc16.wire.reasons import ServerReason
from .following import check_tree, read_welcome
from .leaves import JudgedElsewhere, Terms, check_few_leaves, check_floor, check_new_leaves, facts_of, numbers_of
from .refusing import ordering_rule
from .state import Facts

__all__ = ["Founded", "found"]

_R = ServerReason

_PARSES = ordering_rule("40", "2.6", "a new group comes with its GroupInfo", _R.UNPARSABLE_COMMIT, module=__name__)
_GROUP_ID = ordering_rule("41", "2.1", "the MLS group id is the RCS group id", _R.INVALID_INPUT, module=__name__)
_ERA = ordering_rule("42", "2.1", "the era of the request is that of F001", _R.INCORRECT_ERA, module=__name__)
_FIRST = ordering_rule(
    "43",
    "2.2",
    "a new group or era is in its first epoch, after one commit at most",
    _R.INVALID_COMMIT,
    module=__name__,
)
_CREATOR = ordering_rule(
    "44",
    "4.1",
    "the GroupInfo is signed by a leaf that is certified for the sender",
    _R.INVALID_COMMIT,
    module=__name__,
)
_EXTERNAL_SENDERS = ordering_rule("45", "2.5", "no external senders (our choice)", _R.INVALID_COMMIT, module=__name__)
_ROSTER = ordering_rule(
    "46",
    "2.2, 5.8",
    "the certified numbers of a new tree are the RCS roster of the same request",
    _R.MISMATCHED_RCS_GROUP_STATE,
    module=__name__,
)
_SIZES = ordering_rule(
    "48",
    "5.8",
    "GroupInfo and Welcome of a new group are as large as the number of devices explains (our choice)",
    _R.INVALID_INPUT,
    module=__name__,
)
_WELCOME = ordering_rule(
    "47", "2.4", "the Welcome has a secret for every leaf but the creator's", _R.INVALID_INPUT, module=__name__
)


@dataclass(frozen=True, slots=True, eq=False)
class Founded:
    """A group that may be accepted, its quotas aside."""

    public: PublicGroup
    facts: Facts
    tree: bytes
    ended: bool


def found(
    terms: Terms, group_id: bytes, request: ClientMessage, sender: Number, roster: frozenset[Number], now: Instant
) -> Founded:
    """`roster` is what the RCS roster is after the change of this request.

    Raises InvalidRcc16, InvalidGroupMessage, DecodeError.
    """
    if len(request.group_info) > terms.limits.max_group_info:
        _SIZES.fail("the GroupInfo is larger than it has to be")
    info = decode_message(request.group_info, terms.policy.proposal_types, terms.policy.max_message_bytes)
    if not isinstance(info, GroupInfo):
        _PARSES.fail("there is no GroupInfo in it")
        raise DecodeError("no GroupInfo", code="rcc16.group_info")
    context = info.group_context
    if context.group_id != group_id:
        _GROUP_ID.fail("the MLS group has another id than the RCS group")
    if era_of(context.extensions) != request.era:
        _ERA.fail("F001 has another era than the request")
    if context.epoch > 1:
        _FIRST.fail(f"a new group in epoch {context.epoch}")
    if find_extension(context.extensions, EXTERNAL_SENDERS) is not None:
        _EXTERNAL_SENDERS.fail("external senders")
    public = PublicGroup(
        terms.suite,
        request.group_info,
        tree=request.ratchet_tree,
        authentication=JudgedElsewhere(terms.authentication),
        policy=terms.policy,
        now=now,
    )
    facts = {leaf_index: facts_of(leaf) for leaf_index, leaf in public.members()}
    tree = check_tree(public.state.tree.encode(), request.ratchet_tree, required=True)
    signer = facts.get(info.signer)
    if signer is None or signer.number != sender:
        _CREATOR.fail("somebody else's group")
    ended = public.state.extension(END_MLS) is not None
    if not ended:
        if numbers_of(facts).keys() != roster:
            _ROSTER.fail(f"{len(numbers_of(facts))} numbers in the tree, {len(roster)} in the RCS group")
        check_floor(facts, terms, now)
    check_few_leaves(facts, terms)
    check_new_leaves((leaf for _, leaf in public.members()), terms, now)
    if len(request.welcome) > 2 * terms.limits.max_group_info + terms.limits.max_leaf * len(facts):
        _SIZES.fail("the Welcome is larger than it has to be")
    welcome = read_welcome(request.welcome, terms)
    if len(facts) - 1 != (0 if welcome is None else len({each.new_member for each in welcome.secrets})):
        _WELCOME.fail("a Welcome for another number of leaves")
    return Founded(public, facts, tree, ended)

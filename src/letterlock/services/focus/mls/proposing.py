"""A proposal by itself: who leaves says so, and another member commits it (rcc16.md 6).

Nothing else comes alone: members of deployed clients drop other proposals, and one that waits in vain would keep
everybody from sending. A leaver goes from the RCS roster at once; its leaf, and every other one of its number, with
the next commit, which is refused if it skips them.
"""

from __future__ import annotations

from ....errors import DecodeError
from ....mls.public_group import PublicGroup, PublicProposal
from ....mls.wire.framing import PublicMessage
from ....mls.wire.message import decode_message
from ....mls.wire.proposals import SelfRemove
from ....rcc16.wire.authenticated_data import decode_authenticated_data
from ....rcc16.wire.control import ClientMessage
from ....rcc16.wire.reasons import ServerReason
from .asking import Asked
from .leaves import Terms
from .refusing import ordering_rule
from .state import Facts, GroupState

__all__ = ["propose"]

_R = ServerReason

_EPOCH = ordering_rule("30", "5.8", "a proposal is for the current epoch", _R.INCORRECT_EPOCH, module=__name__)
_AUTHENTICATOR = ordering_rule(
    "31",
    "5.8",
    "its base authenticator is that of the current epoch",
    _R.INCORRECT_EPOCH_AUTHENTICATOR,
    module=__name__,
)
_KIND = ordering_rule(
    "32", "6", "a proposal by itself is a SelfRemove with which its sender leaves", _R.INVALID_INPUT, module=__name__
)
_SENDER = ordering_rule(
    "33", "4.1", "the proposing leaf is certified for the sender", _R.INVALID_COMMIT, module=__name__
)
_ID = ordering_rule(
    "34", "4.2", "authenticated data of a proposal name the control id and the era", _R.INVALID_INPUT, module=__name__
)
_ROOM = ordering_rule(
    "35", "5.6", "no more proposals wait than the focus keeps (our choice)", _R.PENDING_PROPOSAL, module=__name__
)


def propose(
    terms: Terms,
    state: GroupState,
    public: PublicGroup,
    facts: Facts,
    asked: Asked,
) -> PublicProposal:
    """A leaver's request. Raises InvalidRcc16, InvalidGroupMessage, DecodeError, InputError, GroupInactive."""
    request, sender, now = asked.request, asked.sender, asked.now
    limits = terms.policy
    message = decode_message(request.proposal, limits.proposal_types, limits.max_message_bytes)
    if not isinstance(message, PublicMessage) or not isinstance(message.content.content, SelfRemove):
        _KIND.fail("something else than a SelfRemove")
        raise DecodeError("no proposal", code="rcc16.proposal")
    if request.roster is None or not request.roster.leave or request.roster.add or request.roster.remove:
        _KIND.fail("a SelfRemove without leaving the RCS group")
    if message.content.epoch != state.at.epoch:
        _EPOCH.fail(f"the proposal is for epoch {message.content.epoch}, the group is in {state.at.epoch}")
    if request.base_epoch_authenticator != state.at.authenticator:
        _AUTHENTICATOR.fail("the proposal was made in another state of this epoch")
    leaf = facts.get(message.content.sender.index)
    if leaf is None or leaf.number != sender:
        _SENDER.fail("somebody else's leaf")
    _check_id(message.content.authenticated_data, request, state.at.era)
    if len(request.proposal) > terms.limits.max_group_info:
        _KIND.fail("it is larger than it has to be")
    if len(state.pending()) >= terms.limits.max_pending:
        _ROOM.fail("too many proposals wait for a commit")
    proposal = public.process(request.proposal, now=now)
    if not isinstance(proposal, PublicProposal):
        _KIND.fail("something else than a SelfRemove")
        raise DecodeError("no proposal", code="rcc16.proposal")
    return proposal


def _check_id(data: bytes, request: ClientMessage, era: int) -> None:
    try:
        found = decode_authenticated_data(data)
    except DecodeError:
        _ID.fail("the authenticated data cannot be read")
        return
    if found.message_id != request.message_id or found.era != era:
        _ID.fail("the proposal was made for another request")

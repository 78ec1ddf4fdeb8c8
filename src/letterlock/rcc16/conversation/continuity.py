"""The continuity of a group: whether what the order shows us is the group that we were in (v4.0; rcc16.md 5.7).

Who founds a conversation's first group draws a token of 32 bytes. It goes to whoever comes in, inside the GroupInfo that
a Welcome encrypts (F010), and stays the same in later eras. A GroupInfo that is published commits to it together with its
epoch authenticator (F011), so that whoever holds the token tells the group from another one of its name, however that came
by our names and key packages.

In v3.0 nobody writes any of it, so we do not; what others have written is kept, passed on, and looked at. A commitment
that differs only ever keeps us from letting ourselves in: then a new era is made with those whom we know (our choice for
"mint"), and the user is told who stands in the other one. Encryption is never ended because of it, and nothing follows
from its absence.
"""

from __future__ import annotations

import hmac

from ...conversation_seam import StrangeGroup
from ...errors import DecodeError
from ...ids import Number
from ...mls.group.results import PendingCommit
from ...mls.wire.extensions import Extension
from ..choices import Revision
from ..credentials.leaf import certified_number
from ..metadata import continuity_commitment, continuity_commitment_extension
from ..wire.extensions import continuity_token_of
from .fetched import Fetched
from .members import numbers_of
from .step import Work

__all__ = ["committed", "continues", "learn", "mint", "show_strangers"]

_TOKEN = 32
_SHOWN = 16
"""Numbers in one notice: a focus shows as many as it likes."""


def mint(work: Work) -> None:
    """A group is being founded: it has the token that the conversation has, else a fresh one."""
    if not work.chat.continuity and work.core.settings.choices.revision is Revision.V4:
        work.update(continuity=work.rng(_TOKEN))


def learn(work: Work, extensions: tuple[Extension, ...]) -> None:
    """The token in the GroupInfo of a Welcome that we took. Raises DecodeError."""
    token = continuity_token_of(extensions)
    if token is not None:
        work.update(continuity=token)


def committed(work: Work, pending: PendingCommit) -> tuple[Extension, ...]:
    """What the GroupInfo of a commit of ours says, which is published: F011."""
    token = work.chat.continuity
    if not token or work.core.settings.choices.revision is not Revision.V4:
        return ()
    return (continuity_commitment_extension(token, pending.epoch_authenticator),)


def show_strangers(work: Work, fetched: Fetched) -> None:
    """A group that we do not enter: tell, once, whom nobody of us has added to it."""
    there = {certified_number(leaf.credential) for _, leaf in fetched.leaves}
    strangers = tuple(sorted(there - _known(work)))[:_SHOWN]
    if strangers and strangers != work.chat.strangers and not work.is_pair:
        work.update(strangers=strangers)
        work.notices.append(StrangeGroup(work.conversation, strangers))


def continues(work: Work, fetched: Fetched) -> bool:
    """Whether a fetched GroupInfo may be of the group that we were in (8.3.1.2 and 8.3.1.3).

    With our token: unless its commitment is to another one and somebody stands there whom we do not know. Without a
    token: if everybody who is in the RCS group stands there.
    """
    if fetched.continuity is None:
        return True
    there = {certified_number(leaf.credential) for _, leaf in fetched.leaves}
    if not work.chat.continuity:
        return set(work.chat.roster) <= there
    try:
        ours = continuity_commitment(work.chat.continuity, fetched.authenticator)
    except DecodeError:
        return False
    return hmac.compare_digest(ours, fetched.continuity) or there <= _known(work)


def _known(work: Work) -> set[Number]:
    return {*numbers_of(work.chat.members), *work.chat.roster, work.core.number}

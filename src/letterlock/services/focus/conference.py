"""A conference as a value, and the rules of its roster: each step gives the next value and what changed.

Only members act, and only members learn that a conference is there: to everybody else it does not exist. Who is a member
is between the focus and the carrier's identities; what participants of an encrypted group believe of each other stands in
their own signed log, not here (SR-04).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ...codec.conference_info import Disconnection, EncryptedDescription
from ...errors import FocusError
from ...ids import Instant, Number
from .limits import FocusLimits

__all__ = [
    "PREFIX",
    "Change",
    "Conference",
    "Departure",
    "Member",
    "admit",
    "describe",
    "found",
    "give_up",
    "join",
    "leave",
    "put_out",
    "remove",
]

PREFIX = "conf-"
"""How the user part of every conference's address begins, by which a proxy knows where to send its requests."""


@dataclass(frozen=True, slots=True)
class Member:
    """`since` is the position in the journal behind which it reads; `joined` whether it has ever accepted."""

    number: Number
    since: int
    invited_by: Number
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Conference:
    """`name` is the user part of its address, `contribution` and `conversation` the ids that the creator gave.

    Encrypted subject and icon are of a group with MLS; the focus cannot read them.

    `members` is in the order in which they came, which is their rank: each may remove those behind it, as in the signed
    log of an encrypted group. It is not changed in place.
    """

    name: str
    contribution: str
    conversation: str
    creator: Number
    subject: str
    icon: str
    created_at: Instant
    members: Mapping[Number, Member]
    encrypted_subject: EncryptedDescription | None = None
    encrypted_icon: EncryptedDescription | None = None

    @property
    def first(self) -> Number | None:
        """Who may remove everybody: the creator, and behind it the oldest who is left."""
        return next(iter(self.members), None)


@dataclass(frozen=True, slots=True)
class Departure:
    """A member that is gone, how, and who did it."""

    number: Number
    how: Disconnection
    by: Number


@dataclass(frozen=True, slots=True)
class Change:
    """What a step did: members that are new or whose entry changed, members that are gone, subject or icon.

    An empty change is possible: what was asked for was so already.
    """

    conference: Conference
    added: tuple[Number, ...] = ()
    altered: tuple[Number, ...] = ()
    departed: tuple[Departure, ...] = ()
    described: bool = False

    @property
    def any(self) -> bool:
        return bool(self.added or self.altered or self.departed or self.described)


def found(
    *,
    name: str,
    contribution: str,
    conversation: str,
    creator: Number,
    invited: Iterable[Number],
    subject: str,
    position: int,
    now: Instant,
    limits: FocusLimits,
) -> Change:
    """A new conference; the creator is in it and has joined."""
    if len(subject) > limits.max_subject:
        raise FocusError("the subject is too long", code="focus.subject", status=413)
    numbers = tuple(dict.fromkeys((creator, *invited)))
    _check_size(len(numbers), limits)
    members = {number: Member(number, position, creator, joined=number == creator) for number in numbers}
    conference = Conference(
        name, contribution, conversation, creator, subject, icon="", created_at=now, members=members
    )
    return Change(conference, added=numbers)


def admit(conference: Conference, by: Number, numbers: Iterable[Number], position: int, limits: FocusLimits) -> Change:
    """A member brings others in. They read what comes from now on."""
    _check_member(conference, by)
    added = tuple(number for number in dict.fromkeys(numbers) if number not in conference.members)
    if not added:
        return Change(conference)
    _check_size(len(conference.members) + len(added), limits)
    members = {**conference.members, **{number: Member(number, position, by) for number in added}}
    return Change(replace(conference, members=members), added=added)


def join(conference: Conference, number: Number) -> Change:
    """A member accepts, or comes back by itself."""
    member = _check_member(conference, number)
    if member.joined:
        return Change(conference)
    members = {**conference.members, number: replace(member, joined=True)}
    return Change(replace(conference, members=members), altered=(number,))


def remove(conference: Conference, by: Number, number: Number) -> Change:
    """A member is put out by one that came before it. Oneself: that is leaving."""
    _check_member(conference, by)
    if by == number:
        return leave(conference, number)
    if number not in conference.members:
        return Change(conference)
    ranks = list(conference.members)
    if ranks.index(by) > ranks.index(number):
        raise FocusError("who came before is not removed", code="focus.rank", status=403)
    return _without(conference, Departure(number, Disconnection.BOOTED, by))


def put_out(conference: Conference, by: Number, number: Number) -> Change:
    """A member is put out by any other, whoever came first: in a group with MLS, where members have no ranks and a leaf
    whose certificate runs out must be removable by everybody (our choice)."""
    _check_member(conference, by)
    if number not in conference.members:
        return Change(conference)
    return _without(conference, Departure(number, Disconnection.BOOTED, by))


def leave(conference: Conference, number: Number) -> Change:
    """A member goes."""
    _check_member(conference, number)
    return _without(conference, Departure(number, Disconnection.DEPARTED, number))


def give_up(conference: Conference, number: Number, how: Disconnection) -> Change:
    """Whoever was invited and will not or cannot come is taken off again."""
    member = conference.members.get(number)
    if member is None or member.joined:
        return Change(conference)
    return _without(conference, Departure(number, how, number))


def describe(
    conference: Conference, by: Number, limits: FocusLimits, *, subject: str | None = None, icon: str | None = None
) -> Change:
    """A member changes the subject or the icon; None leaves it as it is, an empty text takes it away."""
    _check_member(conference, by)
    if subject is not None and len(subject) > limits.max_subject:
        raise FocusError("the subject is too long", code="focus.subject", status=413)
    if icon is not None and len(icon) > limits.max_icon:
        raise FocusError("the address of the icon is too long", code="focus.icon", status=413)
    after = replace(
        conference,
        subject=conference.subject if subject is None else subject,
        icon=conference.icon if icon is None else icon,
    )
    return Change(after, described=after != conference)


def _check_member(conference: Conference, number: Number) -> Member:
    member = conference.members.get(number)
    if member is None:
        # As if there were no such conference: who is in which group is nobody's business.
        raise FocusError("no such conference", code="focus.not_found", status=404)
    return member


def _check_size(count: int, limits: FocusLimits) -> None:
    if count > limits.max_members:
        raise FocusError(f"at most {limits.max_members} members", code="focus.too_many_members", status=403)


def _without(conference: Conference, departure: Departure) -> Change:
    members = {number: member for number, member in conference.members.items() if number != departure.number}
    after = replace(conference, members=members)
    promoted = (after.first,) if after.first is not None and after.first != conference.first else ()
    return Change(after, altered=promoted, departed=(departure,))

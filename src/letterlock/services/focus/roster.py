"""The roster as conference documents (RFC 4575): the whole of it, and what has changed.

A member that has accepted once is `connected`, also while its phones have no session: they are called when something
arrives, and nobody is told each time. One that has not is `pending`. Who left or was removed is told once, as
`disconnected` with the method, and stands in no later whole document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...codec.conference_info import (
    ConferenceInfo,
    Disconnection,
    Endpoint,
    EndpointStatus,
    Joining,
    State,
    User,
    encode_conference_info,
)
from ...ids import Number
from .conference import Conference, Departure

__all__ = ["address_of", "changed_roster", "ended_roster", "whole_roster"]


def address_of(number: str, domain: str) -> str:
    """The address of a member, or of a conference by its name."""
    return f"sip:{number}@{domain}"


def whole_roster(
    conference: Conference, version: int, domain: str, limit: int, max_bytes: int, *, group_info: bytes | None = None
) -> bytes:
    """The full document. Members that would make it larger than `max_bytes` are counted and not listed (section 5.5.1)."""
    numbers = list(conference.members)
    data = _encoded(conference, version, domain, limit, numbers, group_info)
    while len(data) > max_bytes and numbers:
        del numbers[len(numbers) * max_bytes // len(data) * 19 // 20 :]
        data = _encoded(conference, version, domain, limit, numbers, group_info)
    return data


def changed_roster(
    conference: Conference,
    version: int,
    domain: str,
    *,
    altered: Iterable[Number],
    departed: Mapping[Number, Departure],
    described: bool,
    group_info: bytes | None = None,
) -> bytes:
    """The partial document for everything that has changed since the one before."""
    users = [_user(conference, number, domain) for number in altered if number in conference.members]
    users += [_gone(departure, domain) for number, departure in departed.items() if number not in conference.members]
    return encode_conference_info(
        ConferenceInfo(
            entity=address_of(conference.name, domain),
            version=version,
            state=State.PARTIAL,
            subject=conference.subject if described else None,
            icon=conference.icon if described else None,
            user_count=len(conference.members),
            users=tuple(users),
            users_state=State.PARTIAL,
            encrypted_subject=conference.encrypted_subject if described else None,
            encrypted_icon=conference.encrypted_icon if described else None,
            mls_group_info=group_info if described else None,
        )
    )


def ended_roster(conference: Conference, version: int, domain: str) -> bytes:
    """There is no such conference any more."""
    return encode_conference_info(ConferenceInfo(address_of(conference.name, domain), version, State.DELETED))


def _encoded(
    conference: Conference, version: int, domain: str, limit: int, numbers: list[Number], group_info: bytes | None
) -> bytes:
    return encode_conference_info(
        ConferenceInfo(
            entity=address_of(conference.name, domain),
            version=version,
            subject=conference.subject,
            icon=conference.icon or None,
            maximum_user_count=limit,
            user_count=len(conference.members),
            active=True,
            users=tuple(_user(conference, number, domain) for number in numbers),
            encrypted_subject=conference.encrypted_subject,
            encrypted_icon=conference.encrypted_icon,
            mls_group_info=group_info,
        )
    )


def _user(conference: Conference, number: Number, domain: str) -> User:
    member = conference.members[number]
    entity = address_of(number, domain)
    status = EndpointStatus.CONNECTED if member.joined else EndpointStatus.PENDING
    joining = Joining.DIALED_IN if member.invited_by == number else Joining.DIALED_OUT
    role = "administrator" if number == conference.first else "participant"
    # One endpoint for all devices of a member: which and how many they are is its own business (section 5.6.6).
    return User(entity, roles=(role,), endpoints=(Endpoint(entity, status, joining),))


def _gone(departure: Departure, domain: str) -> User:
    entity = address_of(departure.number, domain)
    by = address_of(departure.by, domain) if departure.how is Disconnection.BOOTED else None
    endpoint = Endpoint(entity, EndpointStatus.DISCONNECTED, disconnection=departure.how, removed_by=by)
    return User(entity, endpoints=(endpoint,))

"""A subscriber's view of a conference, put together from its notifications (RFC 4575 section 4.6).

What comes out is what the focus claims. Nothing here is proof of who reads along (SR-04).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ..codec.conference_info import ConferenceInfo, Disconnection, Endpoint, EndpointStatus, State, User
from ..errors import LimitExceeded, ProtocolError

__all__ = ["is_participant", "updated"]

T = TypeVar("T")


def updated(local: ConferenceInfo | None, received: ConferenceInfo, *, max_users: int) -> ConferenceInfo:
    """The view after a notification; `local` itself when the document is old news.

    Raises ProtocolError `conference.gap` when a document is missing in between, or the first is not whole: subscribe
    again to get it; `conference.entity` for another conference's document; LimitExceeded when the view would outgrow
    `max_users`.
    """
    if local is not None and received.entity != local.entity:
        raise ProtocolError("the roster of another conference", code="conference.entity")
    if local is not None and received.version <= local.version:
        return local
    if received.state is not State.PARTIAL:
        return received
    if local is None or received.version != local.version + 1:
        raise ProtocolError("a notification is missing", code="conference.gap")
    users = _users(local.users or (), received)
    if len(users) > max_users:
        raise LimitExceeded(f"{len(users)} users, at most {max_users} allowed", code="conference.limit")
    return ConferenceInfo(
        entity=local.entity,
        version=received.version,
        state=State.FULL,
        subject=_later(local.subject, received.subject),
        icon=_later(local.icon, received.icon),
        maximum_user_count=_later(local.maximum_user_count, received.maximum_user_count),
        user_count=_later(local.user_count, received.user_count),
        active=_later(local.active, received.active),
        locked=_later(local.locked, received.locked),
        users=users,
        encrypted_subject=_later(local.encrypted_subject, received.encrypted_subject),
        encrypted_icon=_later(local.encrypted_icon, received.encrypted_icon),
        mls_group_info=_later(local.mls_group_info, received.mls_group_info),
    )


def is_participant(user: User) -> bool:
    """Whether the focus counts a user in: not once all that it says of the user is that it left or was removed."""
    gone = (Disconnection.DEPARTED, Disconnection.BOOTED, Disconnection.FAILED, Disconnection.BUSY)
    return not user.endpoints or any(
        endpoint.status is not EndpointStatus.DISCONNECTED or endpoint.disconnection not in gone
        for endpoint in user.endpoints
    )


def _users(local: tuple[User, ...], received: ConferenceInfo) -> tuple[User, ...]:
    if received.users is None:
        return local
    if received.users_state is not State.PARTIAL:
        return received.users if received.users_state is State.FULL else ()
    table = {user.entity: user for user in local}
    for user in received.users:
        if user.state is State.DELETED:
            table.pop(user.entity, None)
        elif user.state is State.FULL or user.entity not in table:
            table[user.entity] = _whole(user)
        else:
            table[user.entity] = _user(table[user.entity], user)
    return tuple(table.values())


def _user(local: User, change: User) -> User:
    table = {endpoint.entity: endpoint for endpoint in local.endpoints}
    for endpoint in change.endpoints:
        if endpoint.state is State.DELETED:
            table.pop(endpoint.entity, None)
        elif endpoint.state is State.FULL or endpoint.entity not in table:
            table[endpoint.entity] = replace(endpoint, state=State.FULL)
        else:
            table[endpoint.entity] = _endpoint(table[endpoint.entity], endpoint)
    return User(
        local.entity,
        _later(local.display_text, change.display_text),
        _later(local.roles, change.roles),
        tuple(table.values()),
    )


def _endpoint(local: Endpoint, change: Endpoint) -> Endpoint:
    return Endpoint(
        local.entity,
        _later(local.status, change.status),
        _later(local.joining, change.joining),
        _later(local.joined_by, change.joined_by),
        _later(local.disconnection, change.disconnection),
        _later(local.removed_by, change.removed_by),
    )


def _whole(user: User) -> User:
    kept = tuple(
        replace(endpoint, state=State.FULL) for endpoint in user.endpoints if endpoint.state is not State.DELETED
    )
    return replace(user, endpoints=kept, state=State.FULL)


def _later(local: T | None, change: T | None) -> T | None:
    return local if change is None else change

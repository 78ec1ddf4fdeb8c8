"""Rosters, `application/conference-info+xml` (RFC 4575): whole ones, changes, and the end of a conference.

What a messaging client shows is read: description, counts, users with their roles and endpoints. Media, sidebars and
call details are passed over. None means absent: in a partial document that is "unchanged" (section 4.4).
`letterlock.sip.conference_state` puts documents together.

RCC.16 adds the encrypted subject and icon of a group and its latest GroupInfo (rcc16.md 2.6). Their namespace is not
sourced: they are written in the one of OMA's group data and found in any.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..errors import DecodeError, LimitExceeded
from .group_data import NAMESPACE as GROUP_DATA
from .xml import Element, XmlLimits, decode_xml, escape, escape_attribute

__all__ = [
    "MEDIA_TYPE",
    "ConferenceInfo",
    "Disconnection",
    "EncryptedDescription",
    "Endpoint",
    "EndpointStatus",
    "Joining",
    "State",
    "User",
    "decode_conference_info",
    "encode_conference_info",
]

MEDIA_TYPE = "application/conference-info+xml"

_NAMESPACE = "urn:ietf:params:xml:ns:conference-info"
_UNSIGNED = re.compile(r"\+?0*([0-9]{1,10})", re.ASCII)


class State(enum.Enum):
    """Whether an element is whole, only what changed, or gone (section 4.4)."""

    FULL = "full"
    PARTIAL = "partial"
    DELETED = "deleted"


class EndpointStatus(enum.Enum):
    """Section 5.7.3."""

    PENDING = "pending"
    DIALING_OUT = "dialing-out"
    DIALING_IN = "dialing-in"
    ALERTING = "alerting"
    ON_HOLD = "on-hold"
    CONNECTED = "connected"
    MUTED_VIA_FOCUS = "muted-via-focus"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"


class Joining(enum.Enum):
    """Section 5.7.4."""

    DIALED_IN = "dialed-in"
    DIALED_OUT = "dialed-out"
    FOCUS_OWNER = "focus-owner"


class Disconnection(enum.Enum):
    """Section 5.7.6: left by itself, removed, could not be reached, would not."""

    DEPARTED = "departed"
    BOOTED = "booted"
    FAILED = "failed"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A way in which a user takes part. `joined_by` and `removed_by` are the `by` of the infos beside the methods."""

    entity: str
    status: EndpointStatus | None = None
    joining: Joining | None = None
    joined_by: str | None = None
    disconnection: Disconnection | None = None
    removed_by: str | None = None
    state: State = State.FULL


@dataclass(frozen=True, slots=True)
class User:
    """A participant; `entity` is the authenticated identity (section 5.6), as the focus claims it."""

    entity: str
    display_text: str | None = None
    roles: tuple[str, ...] | None = None
    endpoints: tuple[Endpoint, ...] = ()
    state: State = State.FULL


@dataclass(frozen=True, slots=True)
class EncryptedDescription:
    """A subject (`text` is ciphertext in base64) or an icon (the address of its ciphertext); empty: it was deleted.

    `participant` is who changed it, `timestamp` when, as the focus claims.
    """

    text: str
    participant: str = ""
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class ConferenceInfo:
    """A document. `users` None means that it has no `users` element. `icon` is an element of OMA's group data.

    `mls_group_info` is an MLSMessage(GroupInfo).
    """

    entity: str
    version: int
    state: State = State.FULL
    subject: str | None = None
    icon: str | None = None
    maximum_user_count: int | None = None
    user_count: int | None = None
    active: bool | None = None
    locked: bool | None = None
    users: tuple[User, ...] | None = None
    users_state: State = State.FULL
    encrypted_subject: EncryptedDescription | None = None
    encrypted_icon: EncryptedDescription | None = None
    mls_group_info: bytes | None = None


def encode_conference_info(info: ConferenceInfo) -> bytes:
    """The document."""
    description = (
        _element("subject", info.subject)
        + _element("maximum-user-count", info.maximum_user_count)
        + ("" if info.icon is None else f'<icon xmlns="{GROUP_DATA}">{escape(info.icon)}</icon>')
        + _encrypted("encrypted-subject-description", info.encrypted_subject)
        + _encrypted("encrypted-icon-description", info.encrypted_icon)
        + _group_info(info.mls_group_info)
    )
    if description or info.state is State.FULL:
        # Section 5.2: "A "full" conference document MUST at least include the <conference-description> and <users>".
        description = f"<conference-description>{description}</conference-description>"
    conference_state = (
        _element("user-count", info.user_count) + _element("active", info.active) + _element("locked", info.locked)
    )
    if conference_state:
        conference_state = f"<conference-state>{conference_state}</conference-state>"
    users = ""
    if info.users is not None or info.state is State.FULL:
        users = f"<users{_state(info.users_state)}>{''.join(map(_user, info.users or ()))}</users>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<conference-info xmlns="{_NAMESPACE}"'
        f' entity="{escape_attribute(info.entity)}" state="{info.state.value}" version="{info.version}">'
        f"{description}{conference_state}{users}</conference-info>"
    ).encode()


def decode_conference_info(data: bytes, limits: XmlLimits, *, max_users: int) -> ConferenceInfo:
    """Read a document; elements that we do not know are passed over. Raises DecodeError, LimitExceeded."""
    root = decode_xml(data, limits)
    if root.name != "conference-info" or root.namespace != _NAMESPACE:
        raise DecodeError("not a conference-info document", code="conference_info.root")
    entity = root.attribute("entity")
    if not entity:
        raise DecodeError("the roster of no conference", code="conference_info.entity")
    version = _number(root.attribute("version"))
    if version is None:
        # Section 4.3: "The 'version' attribute MUST be included"; without it nobody can tell old from new.
        raise DecodeError("a document without a version", code="conference_info.version")
    description, conference_state = root.child("conference-description"), root.child("conference-state")
    users = root.child("users")
    state = _read_state(root)
    users_state = State.FULL if users is None else _read_state(users)
    if state is State.FULL and users_state is not State.FULL:
        raise DecodeError("a part that is less whole than the document", code="conference_info.state")
    return ConferenceInfo(
        entity=entity,
        version=version,
        state=state,
        subject=_text(description, "subject"),
        icon=_icon(description),
        maximum_user_count=_number(_text(description, "maximum-user-count")),
        user_count=_number(_text(conference_state, "user-count")),
        active=_boolean(_text(conference_state, "active")),
        locked=_boolean(_text(conference_state, "locked")),
        users=None if users is None else _users(users, users_state, max_users),
        users_state=users_state,
        encrypted_subject=_read_encrypted(description, "encrypted-subject-description"),
        encrypted_icon=_read_encrypted(description, "encrypted-icon-description"),
        mls_group_info=_read_group_info(description),
    )


# --- writing ---------------------------------------------------------------------------------------
def _element(name: str, value: str | int | bool | None) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>"


def _encrypted(name: str, description: EncryptedDescription | None) -> str:
    if description is None:
        return ""
    told = (("participant", description.participant), ("timestamp", description.timestamp))
    inside = "".join(_element(child, value) for child, value in told if value)
    return f'<{name} xmlns="{GROUP_DATA}">{escape(description.text)}{inside}</{name}>'


def _group_info(message: bytes | None) -> str:
    if message is None:
        return ""
    return f'<mls-group-info xmlns="{GROUP_DATA}">{base64.b64encode(message).decode()}</mls-group-info>'


def _state(state: State) -> str:
    return "" if state is State.FULL else f' state="{state.value}"'


def _user(user: User) -> str:
    roles = ""
    if user.roles:
        roles = f"<roles>{''.join(_element('entry', role) for role in user.roles)}</roles>"
    inside = _element("display-text", user.display_text) + roles + "".join(map(_endpoint, user.endpoints))
    return f'<user entity="{escape_attribute(user.entity)}"{_state(user.state)}>{inside}</user>'


def _endpoint(endpoint: Endpoint) -> str:
    inside = (
        _element("status", endpoint.status and endpoint.status.value)
        + _element("joining-method", endpoint.joining and endpoint.joining.value)
        + _by("joining-info", endpoint.joined_by)
        + _element("disconnection-method", endpoint.disconnection and endpoint.disconnection.value)
        + _by("disconnection-info", endpoint.removed_by)
    )
    return f'<endpoint entity="{escape_attribute(endpoint.entity)}"{_state(endpoint.state)}>{inside}</endpoint>'


def _by(name: str, who: str | None) -> str:
    return "" if who is None else f"<{name}>{_element('by', who)}</{name}>"


# --- reading ---------------------------------------------------------------------------------------
T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)


def _users(element: Element, parent: State, max_users: int) -> tuple[User, ...]:
    found = [item for item in element.children if item.name == "user" and item.namespace == _NAMESPACE]
    if len(found) > max_users:
        raise LimitExceeded(f"{len(found)} users, at most {max_users} allowed", code="conference_info.limit")
    return _keyed((_read_user(item, parent) for item in found), lambda user: user.entity)


def _read_user(element: Element, parent: State) -> User:
    state = _child_state(element, parent)
    roles = element.child("roles")
    endpoints = [item for item in element.children if item.name == "endpoint" and item.namespace == _NAMESPACE]
    if state is State.DELETED:
        # Section 4.4: "Any information provided for child elements of a "deleted" parent MUST be ignored".
        return User(_entity(element), state=state)
    return User(
        _entity(element),
        element.child_text("display-text"),
        None if roles is None else tuple(item.text for item in roles.children if item.name == "entry"),
        _keyed((_read_endpoint(item, state) for item in endpoints), lambda endpoint: endpoint.entity),
        state,
    )


def _read_endpoint(element: Element, parent: State) -> Endpoint:
    return Endpoint(
        _entity(element),
        _known(EndpointStatus, element.child_text("status")),
        _known(Joining, element.child_text("joining-method")),
        _text(element.child("joining-info"), "by"),
        _known(Disconnection, element.child_text("disconnection-method")),
        _text(element.child("disconnection-info"), "by"),
        _child_state(element, parent),
    )


def _keyed(items: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    """Section 4.5: a key is unique among its siblings. Two readers that take different ones would see other rosters."""
    found: dict[str, T] = {}
    for item in items:
        if key(item) in found:
            raise DecodeError("one entity twice", code="conference_info.duplicate")
        found[key(item)] = item
    return tuple(found.values())


def _entity(element: Element) -> str:
    entity = element.attribute("entity")
    if not entity:
        raise DecodeError(f"a {element.name} that is nobody", code="conference_info.entity")
    return entity


def _read_state(element: Element) -> State:
    text = element.attribute("state")
    try:
        return State.FULL if text is None else State(text.strip())
    except ValueError:
        raise DecodeError("not a state", code="conference_info.state") from None


def _child_state(element: Element, parent: State) -> State:
    state = _read_state(element)
    if parent is State.FULL and state is not State.FULL:
        # Section 4.4: "if the parent's 'state' is "full", the state of its children MUST be "full"".
        raise DecodeError("a part that is less whole than its parent", code="conference_info.state")
    return state


def _known(kind: type[E], text: str | None) -> E | None:
    """A value of an enumeration; one that was added later is as good as absent."""
    return next((item for item in kind if item.value == text), None)


def _text(element: Element | None, name: str) -> str | None:
    return None if element is None else element.child_text(name)


def _icon(description: Element | None) -> str | None:
    for item in () if description is None else description.children:
        if (item.namespace, item.name) == (GROUP_DATA, "icon"):
            return item.text
    return None


def _anywhere(description: Element | None, name: str) -> Element | None:
    children = () if description is None else description.children
    return next((item for item in children if item.name == name), None)


def _read_encrypted(description: Element | None, name: str) -> EncryptedDescription | None:
    found = _anywhere(description, name)
    if found is None:
        return None
    return EncryptedDescription(found.text, found.child_text("participant") or "", found.child_text("timestamp") or "")


def _read_group_info(description: Element | None) -> bytes | None:
    found = _anywhere(description, "mls-group-info")
    if found is None:
        return None
    try:
        return base64.b64decode(found.text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("a GroupInfo that is not base64", code="conference_info.group_info") from None


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    match = _UNSIGNED.fullmatch(text.strip())
    if match is None or int(match[1]) >= 2**32:
        raise DecodeError("not an unsigned 32-bit number", code="conference_info.number")
    return int(match[1])


def _boolean(text: str | None) -> bool | None:
    if text is None:
        return None
    if text in ("true", "1", "false", "0"):
        return text in ("true", "1")
    raise DecodeError("neither true nor false", code="conference_info.boolean")

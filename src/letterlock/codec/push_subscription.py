"""How a device asks to be woken: which push service, its address there, and the keys of a Web Push body.

A JSON object: `{"kind", "token", "topic"}` for APNs and FCM; `{"kind", "endpoint", "keys": {"p256dh", "auth"}}` for Web Push
and UnifiedPush, which is what a browser's `PushSubscription.toJSON()` gives, with its kind. Form and bounds are checked
here; whether the key is a point of the curve and the address is public, the push service asks (SR-12, SR-14).
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import DecodeError, InputError, LimitExceeded

__all__ = ["MAX_SUBSCRIPTION", "PushKind", "Subscription", "decode", "encode"]

MAX_SUBSCRIPTION = 8192
"""Of an encoded subscription, in bytes."""

_POINT = 65
_AUTH = 16
_MAX_ENDPOINT = 2048
# Apple calls its tokens opaque and of variable length; so far they are 32 bytes, and 80 for some kinds.
_APNS_TOKEN = re.compile(r"(?:[0-9a-f]{2}){16,100}", re.ASCII)
_FCM_TOKEN = re.compile(r"[A-Za-z0-9_:\-]{16,4096}", re.ASCII)
_TOPIC = re.compile(r"[A-Za-z0-9.\-]{1,155}", re.ASCII)
_ENDPOINT = re.compile(
    r"https://(?:[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?", re.ASCII
)


class PushKind(enum.Enum):
    """Who wakes the device. UnifiedPush speaks as Web Push does; the word says which app registered."""

    APNS = "apns"
    FCM = "fcm"
    WEB_PUSH = "webpush"
    UNIFIED_PUSH = "unifiedpush"

    @property
    def over_web(self) -> bool:
        """Whether its address is one that the device chose."""
        return self in (PushKind.WEB_PUSH, PushKind.UNIFIED_PUSH)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where to wake a device. Whoever has it can: `address` and keys are not printed (SR-10). Raises InputError.

    `address` is a token of APNs (hexadecimal, small letters) or FCM, or an https endpoint. `topic` is the app's, for
    APNs; `p256dh`, an uncompressed P-256 point, and `auth` are for what is sent to an endpoint (RFC 8291).
    """

    kind: PushKind
    address: str = field(repr=False)
    topic: str = ""
    p256dh: bytes = field(default=b"", repr=False)
    auth: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        web = self.kind.over_web
        if not _ADDRESSES[self.kind].fullmatch(self.address) or len(self.address) > (_MAX_ENDPOINT if web else 4096):
            raise InputError(f"not an address of {self.kind.value}", code="input.push", hint=_HINTS[self.kind])
        if (self.kind is PushKind.APNS) != bool(self.topic) or (self.topic and not _TOPIC.fullmatch(self.topic)):
            raise InputError("the topic is that of an app at APNs", code="input.push", hint=_HINTS[PushKind.APNS])
        point = len(self.p256dh) == _POINT and self.p256dh[0] == 4 and len(self.auth) == _AUTH
        if web != point or (not web and (self.p256dh or self.auth)):
            raise InputError("the keys are those of an endpoint", code="input.push", hint=_HINTS[PushKind.WEB_PUSH])


_ADDRESSES = {
    PushKind.APNS: _APNS_TOKEN,
    PushKind.FCM: _FCM_TOKEN,
    PushKind.WEB_PUSH: _ENDPOINT,
    PushKind.UNIFIED_PUSH: _ENDPOINT,
}
_WEB_HINT = "an https endpoint, p256dh of 65 bytes and auth of 16, as the browser or the distributor gave them"
_HINTS = {
    PushKind.APNS: "the device token in hexadecimal, and the bundle identifier as topic",
    PushKind.FCM: "the registration token as the app got it",
    PushKind.WEB_PUSH: _WEB_HINT,
    PushKind.UNIFIED_PUSH: _WEB_HINT,
}


def encode(subscription: Subscription) -> bytes:
    """The JSON text."""
    members: dict[str, Any] = {"kind": subscription.kind.value}
    if subscription.kind.over_web:
        members["endpoint"] = subscription.address
        members["keys"] = {"p256dh": _unpadded(subscription.p256dh), "auth": _unpadded(subscription.auth)}
    else:
        members["token"] = subscription.address
        if subscription.topic:
            members["topic"] = subscription.topic
    return json.dumps(members, separators=(",", ":")).encode()


def decode(data: bytes) -> Subscription:
    """Members that are not known are passed over: browsers add their own. Raises DecodeError, LimitExceeded."""
    if len(data) > MAX_SUBSCRIPTION:
        raise LimitExceeded(f"a subscription over {MAX_SUBSCRIPTION} bytes", code="push.limit")
    try:
        members = json.loads(data.decode(), object_pairs_hook=_once)
    # Too deep is RecursionError, an integer of thousands of digits ValueError.
    except (ValueError, RecursionError):
        raise _malformed("not a JSON text") from None
    if not isinstance(members, dict):
        raise _malformed("not a JSON object")
    try:
        kind = PushKind(_text(members, "kind"))
    except ValueError:
        raise _malformed("a kind of push that is not known") from None
    try:
        if not kind.over_web:
            return Subscription(kind, _text(members, "token"), _text(members, "topic") if "topic" in members else "")
        keys = members.get("keys")
        if not isinstance(keys, dict):
            raise _malformed("no keys")
        return Subscription(
            kind, _text(members, "endpoint"), p256dh=_octets(keys, "p256dh"), auth=_octets(keys, "auth")
        )
    except InputError as error:
        raise _malformed(str(error)) from None


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise _malformed(f"no {name}")
    return value


def _octets(members: dict[str, Any], name: str) -> bytes:
    """Base64 for URLs, padded or not: browsers leave the padding out."""
    text = _text(members, name).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(f"{name} is not base64") from None


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _malformed(what: str) -> DecodeError:
    return DecodeError(f"push subscription: {what}", code="push.subscription")

"""Subscriptions as devices write them: what is taken, and what is refused with one error (SR-09)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from letterlock.codec.push_subscription import MAX_SUBSCRIPTION, decode, encode
from letterlock.errors import DecodeError, InputError, LimitExceeded
from letterlock.services.push import PushKind, Subscription

POINT, AUTH = b"\x04" + bytes(64), bytes(range(16))
B64_POINT = "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
EXAMPLES = [
    Subscription(PushKind.APNS, "ab" * 32, "com.example.app"),
    Subscription(PushKind.FCM, "fcm-registration:token_with-all-of_it"),
    Subscription(PushKind.WEB_PUSH, "https://push.example.com/a/b?c=d", p256dh=POINT, auth=AUTH),
    Subscription(PushKind.UNIFIED_PUSH, "https://[2001:db8::1]:8443/x", p256dh=POINT, auth=AUTH),
]


@pytest.mark.parametrize("subscription", EXAMPLES, ids=lambda each: each.kind.value)
def test_there_and_back(subscription: Subscription) -> None:
    assert decode(encode(subscription)) == subscription


def test_what_a_browser_writes_is_taken() -> None:
    """`PushSubscription.toJSON()` with a kind; padded keys, too."""
    members = {
        "kind": "webpush", "endpoint": "https://push.example.com/x", "expirationTime": None,
        "keys": {"p256dh": B64_POINT + "=", "auth": "AAECAwQFBgcICQoLDA0ODw=="},
    }  # fmt: skip
    assert decode(json.dumps(members).encode()) == Subscription(
        PushKind.WEB_PUSH, "https://push.example.com/x", p256dh=POINT, auth=AUTH
    )


WEB = {"kind": "webpush", "endpoint": "https://h/x", "keys": {"p256dh": B64_POINT, "auth": "AAECAwQFBgcICQoLDA0ODw"}}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"kind": "carrier pigeon"},
        {"kind": 1},
        {"kind": "apns", "token": "ab" * 32},
        {"kind": "apns", "token": "AB" * 32, "topic": "x"},
        {"kind": "apns", "token": "ab" * 15, "topic": "x"},
        {"kind": "apns", "token": "ab" * 101, "topic": "x"},
        {"kind": "apns", "token": "../../etc/passwd0" * 4, "topic": "x"},
        {"kind": "apns", "token": "ab" * 32, "topic": "x\r\ny"},
        {"kind": "apns", "token": "ab" * 32, "topic": 1},
        {"kind": "fcm", "token": "short"},
        {"kind": "fcm", "token": "x" * 4097},
        {"kind": "fcm", "token": "x" * 16, "topic": "an.app"},
        {"kind": "fcm", "endpoint": "https://h/x"},
        {**WEB, "endpoint": "http://h/x"},
        {**WEB, "endpoint": "https://user@h/x"},
        {**WEB, "endpoint": "https://h\\@evil/x"},
        {**WEB, "endpoint": "https://h/a b"},
        {**WEB, "endpoint": "https://h/\u00e9"},
        {**WEB, "endpoint": "https://h/" + "x" * 2048},
        {**WEB, "endpoint": "file:///etc/passwd"},
        {**WEB, "keys": None},
        {**WEB, "keys": {"p256dh": B64_POINT}},
        {**WEB, "keys": {"p256dh": B64_POINT[:-4], "auth": "AAECAwQFBgcICQoLDA0ODw"}},
        {**WEB, "keys": {"p256dh": "A" + B64_POINT[1:], "auth": "AAECAwQFBgcICQoLDA0ODw"}},
        {**WEB, "keys": {"p256dh": B64_POINT, "auth": "AAEC"}},
        {**WEB, "keys": {"p256dh": B64_POINT, "auth": "\u00e9"}},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_refused(value: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(json.dumps(value).encode())
    assert caught.value.code == "push.subscription"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[" * 5000, b'{"a":' * 1000, b"1" * 5000, b'{"kind":"fcm","kind":"fcm"}']
)
def test_what_is_no_json_of_ours(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_subscription_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        decode(b" " * (MAX_SUBSCRIPTION + 1))


def test_our_own_mistakes_are_input_errors() -> None:
    with pytest.raises(InputError):
        Subscription(PushKind.FCM, "x" * 20, p256dh=POINT, auth=AUTH)

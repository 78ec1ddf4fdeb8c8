"""What the push service reads of devices and of push services, with honest examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec import push_subscription
from letterlock.codec.push_subscription import PushKind, Subscription
from letterlock.services.push import http2_frames

_WEB = Subscription(PushKind.WEB_PUSH, "https://push.example.test/a", p256dh=b"\x04" + bytes(64), auth=bytes(16))
_SETTINGS = bytes.fromhex("000000040000000000")
_GOAWAY = bytes.fromhex("000008070000000000") + (5).to_bytes(4, "big") + (0).to_bytes(4, "big")
_PING = bytes.fromhex("000008060000000000") + bytes(8)


def push_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    return (
        (
            "push subscription",
            push_subscription.decode,
            (
                push_subscription.encode(Subscription(PushKind.APNS, "ab" * 32, "com.example.app")),
                push_subscription.encode(Subscription(PushKind.FCM, "registration-token-1")),
                push_subscription.encode(_WEB),
            ),
        ),
        ("HTTP/2 frames", http2_frames.split, (_SETTINGS + _PING + _GOAWAY + _PING[:5], _GOAWAY)),
    )

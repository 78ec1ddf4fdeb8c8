"""The vectors of docs/spec/frame.md. `python tests/frame_vectors.py` (src and tests on the path) writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from letterlock.codec.frame import FrameCopy, WireFrame, encode_frame
from letterlock.codec.prekeys import (
    KemPreKey,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyUpload,
    SignedPreKey,
    encode_bundle,
    encode_upload,
)
from letterlock.ids import AccountId, ConversationId, DeviceId, MessageId, Number
from letterlock.seam import Content, Header, Party, Seen
from letterlock.signal.inner import encode_inner, padded_size

FILE = Path(__file__).parent / "vectors" / "frame.json"

FRAME = WireFrame(
    AccountId(bytes(range(16))),
    DeviceId(1),
    AccountId(bytes(range(16, 32))),
    b"the sender's list",
    (FrameCopy(DeviceId(1), 3, b"\x44" + bytes(99)), FrameCopy(DeviceId(127), 2, b"\x44\x01")),
)
CONTENT = Content(
    Header(
        Party(Number("+15550100"), FRAME.sender_account, DeviceId(1)),
        Party(Number("+15550101"), FRAME.recipient_account, DeviceId(127)),
        ConversationId(b"conversation id "),
        MessageId("3f2b8c6e-0000-4000-8000-000000000001"),
        258,
        3,
        (Seen(FRAME.recipient_account, DeviceId(1), 7), Seen(FRAME.recipient_account, DeviceId(127), 1)),
        b"\xaa" * 32,
        b"\xbb" * 32,
    ),
    b"Content-Type: text/plain\r\n\r\nhello",
)
_SIGNED = SignedPreKey(1, b"\x05" + b"\x11" * 32, b"\x12" * 64)
_KEM = KemPreKey(2, b"\x08" + b"\x21" * 1568, b"\x22" * 64)
_ONE_TIME = OneTimePreKey(0xFFFFFF, b"\x05" + b"\x31" * 32)
UPLOAD = PreKeyUpload(4242, _SIGNED, _KEM, (_ONE_TIME,), (), True)
BUNDLE = PreKeyBundle(4242, DeviceId(1), b"\x05" + b"\x41" * 32, _SIGNED, _KEM, True, _ONE_TIME)


def build() -> dict[str, Any]:
    """The whole file."""
    return {
        "frame": encode_frame(FRAME).hex(),
        "inner": encode_inner(CONTENT).hex(),
        "upload": encode_upload(UPLOAD).hex(),
        "bundle": encode_bundle(BUNDLE).hex(),
        "padded_sizes": {str(n): padded_size(n) for n in (1, 160, 161, 3999, 4000, 4001, 5000, 70_000, 1_000_000)},
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")

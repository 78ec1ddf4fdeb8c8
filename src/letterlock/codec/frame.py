"""The frame that carries `signal` ciphertexts: `application/vnd.letterlock.signal` (docs/spec/frame.md).

One frame goes to one account and holds a copy per device of it, from the first version on. It is
outside the encryption: whatever it says is a claim until the copy it holds has been opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DecodeError, LimitExceeded
from ..ids import AccountId, DeviceId
from . import tls

__all__ = ["MEDIA_TYPE", "FrameCopy", "WireFrame", "decode_frame", "encode_frame"]

MEDIA_TYPE = "application/vnd.letterlock.signal"

_VERSION = 1


@dataclass(frozen=True, slots=True)
class FrameCopy:
    """The ciphertext for one device; `type` is 2 (message) or 3 (pre-key message)."""

    device: DeviceId
    type: int
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class WireFrame:
    """A decoded frame. `device_list` is the sender's signed list, empty when it is not introduced."""

    sender_account: AccountId
    sender_device: DeviceId
    recipient_account: AccountId
    device_list: bytes
    copies: tuple[FrameCopy, ...]


def encode_frame(frame: WireFrame) -> bytes:
    """The bytes of a frame."""
    copies = b"".join(tls.u8(copy.device) + tls.u8(copy.type) + tls.opaque(copy.ciphertext) for copy in frame.copies)
    return b"".join(
        (
            tls.u8(_VERSION),
            frame.sender_account,
            tls.u8(frame.sender_device),
            frame.recipient_account,
            tls.opaque(frame.device_list),
            tls.opaque(copies),
        )
    )


def decode_frame(data: bytes, *, max_frame: int, max_list: int, max_copies: int) -> WireFrame:
    """Read a frame. Raises DecodeError, or LimitExceeded when it is over one of the bounds (bytes, bytes, count)."""
    if len(data) > max_frame:
        raise LimitExceeded(f"frame of {len(data)} bytes, at most {max_frame} allowed", code="frame.limit")
    reader = tls.Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(
            f"frame version {version}",
            code="frame.version",
            hint="the sender runs a newer Letterlock; update this one",
        )
    sender_account = AccountId(reader.take(16))
    sender_device = _device(reader.u8())
    recipient_account = AccountId(reader.take(16))
    device_list = reader.opaque(max_list)
    copies: list[FrameCopy] = []
    inner = tls.Reader(reader.opaque(max_frame))
    reader.end()
    while inner.more():
        if len(copies) == max_copies:
            raise LimitExceeded(f"more than {max_copies} copies", code="frame.limit")
        copy = FrameCopy(_device(inner.u8()), inner.u8(), inner.opaque(max_frame))
        # One copy per device, in order: a second one could only serve to confuse.
        if copies and copy.device <= copies[-1].device:
            raise DecodeError("copies are not in order of device", code="frame.order")
        copies.append(copy)
    return WireFrame(sender_account, sender_device, recipient_account, device_list, tuple(copies))


def _device(value: int) -> DeviceId:
    if not 1 <= value <= 127:
        raise DecodeError(f"device id {value}", code="frame.device")
    return DeviceId(value)

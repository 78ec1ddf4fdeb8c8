"""PreSharedKeyID: which pre-shared key to mix in; never the key itself (RFC 9420 section 8.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from ...codec.tls import Reader, opaque, u8, u64, whole
from ...errors import DecodeError

__all__ = ["PSKType", "PreSharedKeyID", "ResumptionPSKUsage"]


class PSKType(IntEnum):
    """Where the key comes from: the application, or an epoch of a group."""

    EXTERNAL = 1
    RESUMPTION = 2


class ResumptionPSKUsage(IntEnum):
    """What a key of another epoch is used for."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


@dataclass(frozen=True, slots=True)
class PreSharedKeyID:
    """`psk_id` belongs to an external key, `usage`, `psk_group_id` and `psk_epoch` to a resumption key."""

    psktype: PSKType
    psk_id: bytes
    usage: ResumptionPSKUsage | None
    psk_group_id: bytes
    psk_epoch: int
    psk_nonce: bytes

    @classmethod
    def external(cls, psk_id: bytes, psk_nonce: bytes) -> Self:
        return cls(PSKType.EXTERNAL, psk_id, None, b"", 0, psk_nonce)

    @classmethod
    def resumption(cls, usage: ResumptionPSKUsage, psk_group_id: bytes, psk_epoch: int, psk_nonce: bytes) -> Self:
        return cls(PSKType.RESUMPTION, b"", usage, psk_group_id, psk_epoch, psk_nonce)

    def encode(self) -> bytes:
        if self.usage is None:
            name = opaque(self.psk_id)
        else:
            name = u8(self.usage) + opaque(self.psk_group_id) + u64(self.psk_epoch)
        return u8(self.psktype) + name + opaque(self.psk_nonce)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        psktype = reader.u8()
        if psktype == PSKType.EXTERNAL:
            return cls.external(reader.vector(), reader.vector())
        if psktype != PSKType.RESUMPTION:
            raise DecodeError(f"psktype {psktype}", code="mls.psk_type")
        usage = reader.u8()
        if not 1 <= usage <= 3:
            raise DecodeError(f"resumption usage {usage}", code="mls.psk_usage")
        return cls.resumption(ResumptionPSKUsage(usage), reader.vector(), reader.u64(), reader.vector())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)

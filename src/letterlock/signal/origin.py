"""What never changes in a session: who it is between and how it began."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, final

from ..errors import DecodeError
from ..ids import Instant

__all__ = ["Ends", "Origin"]

_LAYOUT = struct.Struct(">BQII32s32s18s18s32s")


class Ends(NamedTuple):
    """Who a session is between. Identity keys are raw; an address is service id (17 bytes) and device (1)."""

    local_identity: bytes
    remote_identity: bytes
    local_address: bytes
    remote_address: bytes


@final
class Origin:
    """The fixed part of a session, and what every message derives from it, worked out once. Holds no secret."""

    __slots__ = (
        "addresses_in",
        "addresses_out",
        "base_key",
        "created_at",
        "ends",
        "is_initiator",
        "local_registration_id",
        "mac_in",
        "mac_out",
        "packed",
        "remote_registration_id",
    )

    SIZE: Final = _LAYOUT.size

    def __init__(
        self,
        ends: Ends,
        *,
        is_initiator: bool,
        created_at: Instant,
        local_registration_id: int,
        remote_registration_id: int,
        base_key: bytes,
    ) -> None:
        self.ends = ends
        self.is_initiator = is_initiator
        self.created_at = created_at
        self.local_registration_id = local_registration_id
        self.remote_registration_id = remote_registration_id
        self.base_key = base_key
        local, remote = b"\x05" + ends.local_identity, b"\x05" + ends.remote_identity
        self.mac_out = local + remote
        self.mac_in = remote + local
        self.addresses_out = ends.local_address + ends.remote_address
        self.addresses_in = ends.remote_address + ends.local_address
        self.packed = _LAYOUT.pack(
            is_initiator,
            created_at,
            local_registration_id,
            remote_registration_id,
            *ends,
            base_key,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Origin:
        """The inverse of `packed`. Raises DecodeError."""
        if len(data) != _LAYOUT.size or data[0] > 1:
            raise DecodeError("not the start of a session", code="signal.session.format")
        initiator, created_at, local_id, remote_id, a, b, c, d, base_key = _LAYOUT.unpack(data)
        return cls(
            Ends(a, b, c, d),
            is_initiator=initiator == 1,
            created_at=created_at,
            local_registration_id=local_id,
            remote_registration_id=remote_id,
            base_key=base_key,
        )

    def __repr__(self) -> str:
        return f"Origin(base_key={self.base_key.hex()[:8]}..., is_initiator={self.is_initiator})"

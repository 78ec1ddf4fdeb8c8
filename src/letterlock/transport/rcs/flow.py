"""What a request of ours goes out on."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.sip import Uri
from .sip_connection import SipConnection

__all__ = ["Flow"]


@dataclass(frozen=True, slots=True)
class Flow:
    """RFC 5626: the registered connection, our contact there, the Route to write."""

    connection: SipConnection
    contact: Uri
    service_route: tuple[str, ...]

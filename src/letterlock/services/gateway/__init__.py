"""The gateway: keeps the registrations of many accounts with the carrier, and hands on what comes to clients that link.

It holds no key of the end-to-end encryption: ciphertext is opaque to it. What a user sends unencrypted it could read, as
the carrier can; and it has the passwords of the accounts at the carrier (docs/gateway.md).
"""

from __future__ import annotations

from .carrier import CarrierProfile
from .gateway import Gateway
from .limits import GatewayLimits

__all__ = ["CarrierProfile", "Gateway", "GatewayLimits"]

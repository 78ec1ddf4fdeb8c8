"""What the transport needs to know about an account at a gateway, and what it refuses to do for it (SR-19)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...codec.addresses import is_loopback
from ...codec.gateway import FrameLimits
from ...errors import InputError
from ...ids import Number

__all__ = ["SUBPROTOCOL", "GatewayConfig", "GatewaySettings", "base_of"]

SUBPROTOCOL = "letterlock-gateway.v1"
_LABEL = b"\xff\x80letterlock/gateway-token/v1\x00"  # SR-23
_FRAMES = FrameLimits(max_frame=(8 << 20) + 65_536, max_text=16_384, max_items=4_096)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Times and bounds of a link."""

    frames: FrameLimits = _FRAMES
    connect_s: float = 15.0
    heartbeat_s: float = 30.0
    link_wait_s: float = 10.0
    """How long whoever wants to send waits for a link."""
    answer_s: float = 75.0
    """For an answer, over as many links as that takes; the engine gives up after 90."""
    max_in_flight: int = 64
    max_taking: int = 64
    """Messages that are being committed at once; with so many of them the link is not read."""
    backoff_s: tuple[float, float] = (1.0, 60.0)
    refused_wait_s: float = 300.0
    replaced_wait_s: float = 60.0
    """Another process is this device: not to take turns with it for ever."""
    goodbye_s: float = 2.0


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One device of one account. `token` is this device's secret, `password` the account's; `instance` a UUID."""

    url: str
    number: Number
    instance: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    sip_username: str
    sip_password: str = field(repr=False)
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def device_token(self) -> str:
        """What the gateway knows this device by. It is another one when the account at the carrier is, so that the gateway
        asks for that again: nothing else has to tell it."""
        hashed = hashlib.sha256(_LABEL)
        for part in (self.token, self.sip_username, self.sip_password):
            hashed.update(len(part.encode()).to_bytes(4, "big") + part.encode())
        return base64.urlsafe_b64encode(hashed.digest()).decode().rstrip("=")


def base_of(url: str) -> str:
    """The address of a gateway without a slash at its end. Raises InputError for one that is none, or that would have us
    speak in the clear beyond this machine (SR-19)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InputError(
            f"not the address of a gateway: {url[:80]!r}",
            code="input.gateway",
            hint="for example https://gateway.example.net",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InputError(
            "a gateway on another machine needs https",
            code="gateway.tls",
            hint="the link says who you talk to and when; write https://",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"

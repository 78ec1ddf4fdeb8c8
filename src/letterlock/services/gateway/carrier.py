"""The carrier at which a gateway registers, the same for all of its accounts: a client names none, so that it cannot send
the gateway anywhere (SR-14)."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import Number
from ...transport.rcs.config import ConferenceConfig, RcsConfig, SessionConfig

__all__ = ["CarrierProfile"]


@dataclass(frozen=True, slots=True)
class CarrierProfile:
    """As `RcsConfig` has it, without what is an account's."""

    server: str
    port: int
    domain: str
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    insecure_lab: bool = False
    trust_from: bool = False
    msrp_relay: str | None = None
    idle_s: float = 30.0
    conference_factory: str | None = None
    max_group: int = 1000

    def config(
        self, number: Number, instance: str, username: str, password: str, tags: tuple[tuple[str, str], ...]
    ) -> RcsConfig:
        """What one account's transport takes."""
        return RcsConfig(
            number=number,
            domain=self.domain,
            username=username,
            password=password,
            server=self.server,
            port=self.port,
            instance=instance,
            tls=self.tls,
            ca_file=self.ca_file,
            tls_name=self.tls_name,
            insecure_lab=self.insecure_lab,
            trust_from=self.trust_from,
            sessions=SessionConfig(msrp_relay=self.msrp_relay, idle_s=self.idle_s),
            conferences=ConferenceConfig(factory=self.conference_factory, max_members=self.max_group),
            tags=tags,
        )

"""The accounts of a device: at its carrier, its gateway, an SMSC, the content server and the key distribution server.

Their passwords and tokens are records of the encrypted store, and stand in no repr (SR-10).
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field

from ..errors import InputError
from ..ids import Number, Rng
from ..transport.gateway.config import GatewayConfig, base_of
from ..transport.rcs.config import ConferenceConfig, RcsConfig, SessionConfig
from ..transport.sms.config import LongMessages, SmsConfig

__all__ = ["ContentAccount", "GatewayAccount", "KdsAccount", "SipAccount", "SmsAccount"]

_TOKEN_LABEL = b"\xff\x80letterlock/provisioned-gateway-token/v1\x00"  # SR-23


@dataclass(frozen=True, slots=True)
class SipAccount:
    """The account at the carrier. `insecure_lab` permits plaintext SIP beyond this machine (SR-19); for labs."""

    server: str
    port: int
    domain: str
    username: str
    password: str = field(repr=False)
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    insecure_lab: bool = False
    trust_from: bool = False
    tel_addresses: bool = False
    msrp_relay: str | None = None
    idle_s: int = 30
    conference_factory: str | None = None
    max_group: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    """Further feature tags to register with. Not kept: what can be done is found anew when the profile is opened."""

    def config(self, number: Number, instance: str) -> RcsConfig:
        """What the transport takes."""
        return RcsConfig(
            number=number,
            domain=self.domain,
            username=self.username,
            password=self.password,
            server=self.server,
            port=self.port,
            instance=instance,
            tls=self.tls,
            ca_file=self.ca_file,
            tls_name=self.tls_name,
            insecure_lab=self.insecure_lab,
            trust_from=self.trust_from,
            tel_addresses=self.tel_addresses,
            tags=self.tags,
            sessions=SessionConfig(msrp_relay=self.msrp_relay, idle_s=float(self.idle_s)),
            conferences=ConferenceConfig(
                factory=self.conference_factory, max_members=self.max_group or ConferenceConfig().max_members
            ),
        )


@dataclass(frozen=True, slots=True)
class ContentAccount:
    """The account at the content server, where files are uploaded. `ca_file`: trust this authority for it, too."""

    url: str
    username: str
    password: str = field(repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """The account at the gateway that keeps our registration with the carrier, instead of this device itself.

    `password` is the account's there, `token` this device's own (32 random bytes in base64), which `enrol` tells the
    gateway. It needs the account at the carrier: `sip_username` and `sip_password`. `ca_file`: trust this authority for it.
    """

    url: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    sip_username: str
    sip_password: str = field(repr=False)
    ca_file: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    """Further feature tags to register with. Not kept, as those of `SipAccount`."""

    @classmethod
    def new(
        cls,
        url: str,
        password: str,
        sip_username: str,
        sip_password: str,
        ca_file: str | None = None,
        rng: Rng = os.urandom,
    ) -> GatewayAccount:
        """An account of a device that is new to the gateway. Raises InputError for an address that is not to be used (SR-19)."""
        base_of(url)
        token = base64.urlsafe_b64encode(rng(32)).decode().rstrip("=")
        return cls(url, password, token, sip_username, sip_password, ca_file)

    @classmethod
    def provisioned(
        cls, url: str, password: str, instance: str, sip_username: str, sip_password: str, ca_file: str | None
    ) -> GatewayAccount:
        """As an operator's document names it: the token follows from the password, which the operator made from its secret,
        so that the next document means the same device."""
        token = hashlib.sha256(_TOKEN_LABEL + password.encode() + b"\x00" + instance.encode()).digest()
        token_text = base64.urlsafe_b64encode(token).decode().rstrip("=")
        return cls(url, password, token_text, sip_username, sip_password, ca_file)

    def config(self, number: Number, instance: str) -> GatewayConfig:
        """What the transport takes."""
        return GatewayConfig(
            url=self.url,
            number=number,
            instance=instance,
            password=self.password,
            token=self.token,
            sip_username=self.sip_username,
            sip_password=self.sip_password,
            tags=self.tags,
        )


@dataclass(frozen=True, slots=True)
class SmsAccount:
    """The account at an SMSC (SMPP 3.4): with it, SMS is an option of a NotEncrypted, and never more than that (SR-01).

    `insecure_lab` permits plaintext beyond this machine (SR-19). `long_messages` is `udh16`, `udh8` or `payload`: how the
    SMSC wants texts that need several short messages.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    insecure_lab: bool = False
    system_type: str = ""
    long_messages: str = LongMessages.WIDE.value
    window: int = 10

    def config(self, number: Number) -> SmsConfig:
        """What the transport takes. Raises InputError for a way of sending long messages that there is not."""
        try:
            long_messages = LongMessages(self.long_messages)
        except ValueError:
            known = ", ".join(each.value for each in LongMessages)
            raise InputError(f"long messages go as {known}", code="sms.account") from None
        return SmsConfig(
            number=number,
            host=self.host,
            port=self.port,
            system_id=self.username,
            password=self.password,
            tls=self.tls,
            ca_file=self.ca_file,
            tls_name=self.tls_name,
            insecure_lab=self.insecure_lab,
            system_type=self.system_type,
            long_messages=long_messages,
            window=self.window,
        )


@dataclass(frozen=True, slots=True)
class KdsAccount:
    """The key distribution server of RCC.16, and the operator's word for our participant key (rcc16.md 1.7).

    `identity_proof` is passed on as it is. The trust anchors lie at `anchors_uri`, of this generation, signed by
    `anchors_signer` (DER SubjectPublicKeyInfo). `vendor` is that of the server's root; it is corrected by the root itself.
    """

    url: str
    identity_proof: bytes = field(repr=False)
    anchors_uri: str
    anchors_generation: int
    anchors_signer: bytes
    ca_file: str | None = None
    vendor: int = 0

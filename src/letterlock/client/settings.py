"""How this device reaches its carrier and its directory: a record of the encrypted store, SIP password included."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import DecodeError, InputError
from ..ids import Number, Rng
from ..seam import Key, RecordKind
from ..transport.gateway.config import GatewayConfig, base_of
from ..transport.rcs.config import ConferenceConfig, RcsConfig, SessionConfig
from ..transport.sms.config import LongMessages, SmsConfig

__all__ = [
    "PROTOCOLS",
    "SETTINGS",
    "ContentAccount",
    "GatewayAccount",
    "KdsAccount",
    "Settings",
    "SipAccount",
    "SmsAccount",
    "spoken",
]

PROTOCOLS = ("signal", "rcc16")
"""All that this client speaks, in the order in which it prefers them."""

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


@dataclass(frozen=True, slots=True)
class Settings:
    """`sip` None: no carrier yet; messages wait. `instance` is what the carrier knows this device by (RFC 5626).

    `content` None: no uploads; files can be fetched all the same. `protocols` are those that are spoken, best first.
    """

    directory: str
    directory_ca: str | None
    sip: SipAccount | None
    instance: str
    content: ContentAccount | None = None
    kds: KdsAccount | None = None
    protocols: tuple[str, ...] = ("signal",)
    gateway: GatewayAccount | None = None
    """Set: it speaks with the carrier, and this device with it; `sip` is not used."""
    sms: SmsAccount | None = None

    @classmethod
    def new(
        cls,
        directory: str,
        sip: SipAccount | None,
        rng: Rng,
        directory_ca: str | None = None,
        content: ContentAccount | None = None,
        kds: KdsAccount | None = None,
        protocols: Sequence[str] = ("signal",),
        gateway: GatewayAccount | None = None,
        sms: SmsAccount | None = None,
    ) -> Settings:
        instance = str(uuid.UUID(bytes=rng(16), version=4))
        return cls(directory, directory_ca, sip, instance, content, kds, tuple(protocols), gateway, sms)


def spoken(protocols: Sequence[str]) -> tuple[str, ...]:
    """These in our order of preference. One that nobody knows stays, to be refused where its name can be said."""
    known = tuple(name for name in PROTOCOLS if name in protocols)
    return known + tuple(name for name in dict.fromkeys(protocols) if name not in PROTOCOLS)


_SIP_FIELDS: dict[str, tuple[type, ...]] = {
    "server": (str,),
    "port": (int,),
    "domain": (str,),
    "username": (str,),
    "password": (str,),
    "tls": (bool,),
    "ca_file": (str, type(None)),
    "tls_name": (str, type(None)),
    "insecure_lab": (bool,),
    "trust_from": (bool,),
    "tel_addresses": (bool,),
    "msrp_relay": (str, type(None)),
    "idle_s": (int,),
    "conference_factory": (str, type(None)),
    "max_group": (int, type(None)),
}


_CONTENT_FIELDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "username": (str,),
    "password": (str,),
    "ca_file": (str, type(None)),
}


_GATEWAY_FIELDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "password": (str,),
    "token": (str,),
    "sip_username": (str,),
    "sip_password": (str,),
    "ca_file": (str, type(None)),
}


_SMS_FIELDS: dict[str, tuple[type, ...]] = {
    "host": (str,),
    "port": (int,),
    "username": (str,),
    "password": (str,),
    "tls": (bool,),
    "ca_file": (str, type(None)),
    "tls_name": (str, type(None)),
    "insecure_lab": (bool,),
    "system_type": (str,),
    "long_messages": (str,),
    "window": (int,),
}


_KDS_FIELDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "identity_proof": (bytes,),
    "anchors_uri": (str,),
    "anchors_generation": (int,),
    "anchors_signer": (bytes,),
    "ca_file": (str, type(None)),
    "vendor": (int,),
}


def _encode(settings: Settings) -> bytes:
    sip = settings.sip
    return json.dumps(
        {
            "version": 1,
            "directory": settings.directory,
            "directory_ca": settings.directory_ca,
            "instance": settings.instance,
            "sip": None if sip is None else {name: getattr(sip, name) for name in _SIP_FIELDS},
            "content": None
            if settings.content is None
            else {name: getattr(settings.content, name) for name in _CONTENT_FIELDS},
            "kds": None if settings.kds is None else {name: _plain(settings.kds, name) for name in _KDS_FIELDS},
            "protocols": list(settings.protocols),
            "gateway": None
            if settings.gateway is None
            else {name: getattr(settings.gateway, name) for name in _GATEWAY_FIELDS},
            "sms": None if settings.sms is None else {name: getattr(settings.sms, name) for name in _SMS_FIELDS},
        }
    ).encode()


def _plain(account: KdsAccount, name: str) -> object:
    value = getattr(account, name)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _decode(data: bytes) -> Settings:
    try:
        value = json.loads(data)
        if value["version"] != 1:
            raise DecodeError("settings of a newer version", code="record.settings")
        sip = None
        if value["sip"] is not None:
            given = {name: value["sip"][name] for name in _SIP_FIELDS if name in value["sip"]}
            if not all(isinstance(field, _SIP_FIELDS[name]) for name, field in given.items()):
                raise ValueError("type")
            sip = SipAccount(**given)
        content = None
        if value.get("content") is not None:  # settings of an older version have none
            named = {name: value["content"][name] for name in _CONTENT_FIELDS if name in value["content"]}
            if not all(isinstance(field, _CONTENT_FIELDS[name]) for name, field in named.items()):
                raise ValueError("type")
            content = ContentAccount(**named)
        kds = None
        if value.get("kds") is not None:
            given = {name: item for name, item in value["kds"].items() if name in _KDS_FIELDS}
            read: dict[str, Any] = {
                name: base64.b64decode(item) if bytes in _KDS_FIELDS[name] else item for name, item in given.items()
            }
            if not all(isinstance(item, _KDS_FIELDS[name]) for name, item in read.items()):
                raise ValueError("type")
            kds = KdsAccount(**read)
        protocols = tuple(str(name) for name in value.get("protocols", ("signal",)))  # an older version had this one
        gateway = None
        if value.get("gateway") is not None:
            named = {name: value["gateway"][name] for name in _GATEWAY_FIELDS if name in value["gateway"]}
            if not all(isinstance(field, _GATEWAY_FIELDS[name]) for name, field in named.items()):
                raise ValueError("type")
            gateway = GatewayAccount(**named)
        sms = None
        if value.get("sms") is not None:
            named = {name: value["sms"][name] for name in _SMS_FIELDS if name in value["sms"]}
            if not all(isinstance(field, _SMS_FIELDS[name]) for name, field in named.items()):
                raise ValueError("type")
            sms = SmsAccount(**named)
        return Settings(
            value["directory"], value["directory_ca"], sip, value["instance"], content, kds, protocols, gateway, sms
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError("the settings record is damaged", code="record.settings") from error


SETTINGS = Key(RecordKind[Settings]("client", _encode, _decode), "client/settings")

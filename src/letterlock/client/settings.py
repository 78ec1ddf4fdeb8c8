"""How this device reaches its carrier and its directory: a record of the encrypted store, SIP password included."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DecodeError
from ..ids import Rng
from ..seam import Key, RecordKind
from .accounts import ContentAccount, GatewayAccount, KdsAccount, SipAccount, SmsAccount

__all__ = [
    "PROTOCOLS",
    "SETTINGS",
    "Settings",
    "spoken",
]

PROTOCOLS = ("signal", "rcc16")
"""All that this client speaks, in the order in which it prefers them."""


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

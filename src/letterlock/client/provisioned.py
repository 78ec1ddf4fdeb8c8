"""What the operator has configured: the record of it, and the settings that a document means, all of them or none.

The operator is trusted with where messages go and which passwords are used, and with nothing of the encryption. A
document from another machine cannot send us to this one, nor make us speak in the clear (SR-14, SR-19).
"""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..codec.addresses import is_loopback
from ..codec.provisioning import DISABLED, DORMANT, RESET, ImsAccount, ProvisioningDocument
from ..errors import DecodeError, InputError, ProvisioningError
from ..ids import Instant, Number
from ..seam import Key, RecordKind
from ..transport.rcs.config import check
from .accounts import ContentAccount, GatewayAccount, KdsAccount, SipAccount
from .settings import Settings

__all__ = ["PROVISIONED", "Provisioned", "ProvisioningState", "effective", "key_server_of", "settings_of"]


class ProvisioningState(enum.Enum):
    """How this device stands with its operator; the value is its stable name."""

    BEGUN = "begun"
    """A code was asked for; no configuration yet."""
    ACTIVE = "active"
    RESET = "reset"
    """The operator took the configuration back and may give another one at the next contact (version 0)."""
    DORMANT = "dormant"
    """The carrier is not used until the operator says so; the configuration stays (version -2)."""
    DISABLED = "disabled"
    """The operator took the configuration back; nobody is asked again until the user sets it up anew (version -1)."""
    UNKNOWN = "unknown"
    """The operator does not know this device any more; a new code is needed, which only the user can ask for."""


STATES = {RESET: ProvisioningState.RESET, DORMANT: ProvisioningState.DORMANT, DISABLED: ProvisioningState.DISABLED}


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The record: where the configuration came from, its version, and when to ask again (0: not by itself)."""

    url: str
    ca_file: str | None
    state: ProvisioningState
    version: int = 0
    token: str = field(default="", repr=False)
    check_at: Instant = 0
    cookies: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def effective(settings: Settings, provisioned: Provisioned | None) -> Settings:
    """The settings to work with now: without carrier and content server while the operator does not let us."""
    if provisioned is None or provisioned.state in (ProvisioningState.ACTIVE, ProvisioningState.UNKNOWN):
        return settings
    return dataclasses.replace(settings, sip=None, content=None, gateway=None)


def settings_of(
    document: ProvisioningDocument,
    number: Number,
    source: Provisioned,
    instance: str,
    protocols: tuple[str, ...] = ("signal",),
) -> Settings:
    """The settings of a document with a configuration. Raises ProvisioningError, with one code, for anything wrong."""
    try:
        settings = _settings(document, number, source, instance)
        kds = key_server_of(document, source) if "rcc16" in protocols else None
        return dataclasses.replace(settings, kds=kds, protocols=protocols)
    except InputError as error:
        raise ProvisioningError(
            f"the operator's configuration cannot be used: {error}",
            code="provisioning.document",
            hint="nothing of it was taken; tell your operator",
        ) from error


def key_server_of(document: ProvisioningDocument, source: Provisioned) -> KdsAccount | None:
    """The key distribution server that a document names, None for none. Raises InputError for one that is not to be used."""
    named = document.encryption
    if named is None or not named.kds_uri:
        return None
    local = is_loopback(urlsplit(source.url).hostname or "")
    for address in (named.kds_uri, named.anchors_uri):
        if not _may_be_used(address, ("https", "http"), local):
            raise InputError("its key distribution server is not to be used")
    if not named.identity_proof or not named.anchors_signer:
        raise InputError("it names a key distribution server, and not what one needs there")
    return KdsAccount(
        named.kds_uri,
        named.identity_proof,
        named.anchors_uri,
        named.anchors_generation,
        named.anchors_signer,
        source.ca_file,
    )


def _settings(document: ProvisioningDocument, number: Number, source: Provisioned, instance: str) -> Settings:
    ims, messaging, services = document.ims, document.messaging, document.services
    if ims is None or services is None or not services.directory_url:
        raise InputError("it names no carrier, or no directory")
    if _number_of(ims) != number:
        raise InputError("it is for another number")
    home = urlsplit(source.url).hostname or ""
    local = is_loopback(home)
    if is_loopback(ims.host) and not local:
        raise InputError("it names this machine as the carrier")
    relay = services.msrp_relay or None
    if relay is not None and not _may_be_used(relay.partition(";")[0], ("msrps", "msrp"), local):
        raise InputError("its MSRP relay is not to be used")
    if not _may_be_used(services.directory_url, ("https", "http"), local) or urlsplit(
        services.directory_url
    ).path not in ("", "/"):
        raise InputError("its directory is not to be used")
    sip = SipAccount(
        server=ims.host.strip("[]"),
        port=ims.port or (5061 if ims.tls else 5060),
        domain=ims.domain,
        username=ims.username,
        password=ims.password,
        tls=ims.tls,
        ca_file=source.ca_file,
        msrp_relay=relay,
    )
    content = None
    if messaging is not None:
        sip = dataclasses.replace(
            sip,
            idle_s=messaging.idle_s or sip.idle_s,
            conference_factory=messaging.conference_factory or None,
            max_group=messaging.max_group or None,
        )
        if messaging.content_url:
            if not _may_be_used(messaging.content_url, ("https", "http"), local):
                raise InputError("its content server is not to be used")
            user = messaging.content_user or number
            content = ContentAccount(messaging.content_url, user, messaging.content_password, source.ca_file)
    # SR-19: no document can have us speak in the clear beyond this machine.
    check(sip.config(number, instance))
    gateway = None
    if services.gateway_url:
        if not _may_be_used(services.gateway_url, ("https", "http"), local):
            raise InputError("its gateway is not to be used")
        gateway = GatewayAccount.provisioned(
            services.gateway_url, services.gateway_password, instance, sip.username, sip.password, source.ca_file
        )
    return Settings(services.directory_url, source.ca_file, sip, instance, content, gateway=gateway)


def _number_of(ims: ImsAccount) -> str:
    scheme, _, rest = ims.public_identity.partition(":")
    return rest.partition(";")[0] if scheme == "tel" else rest.partition("@")[0].partition(";")[0]


def _may_be_used(address: str, schemes: tuple[str, str], local: bool) -> bool:
    """Whether an address is encrypted and elsewhere, or on this machine, as the operator itself is."""
    secure, plain = schemes
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        return False
    if not host or url.username or url.password or port == 0:
        return False
    return (local and url.scheme in (secure, plain)) if is_loopback(host) else url.scheme == secure


# --- the record ----------------------------------------------------------------------------------------------
def _encode(value: Provisioned) -> bytes:
    plain = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return json.dumps({"form": 1, **plain, "state": value.state.value}).encode()


_FIELDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "ca_file": (str, type(None)),
    "version": (int,),
    "token": (str,),
    "check_at": (int,),
}


def _decode(data: bytes) -> Provisioned:
    try:
        value: dict[str, Any] = json.loads(data)
        if value.pop("form") != 1:
            raise DecodeError("a provisioning record of a newer version", code="record.provisioning")
        if not all(isinstance(value[name], kinds) for name, kinds in _FIELDS.items()):
            raise ValueError("type")
        value["state"] = ProvisioningState(value["state"])
        value["cookies"] = tuple((str(name), str(text)) for name, text in value["cookies"])
        return Provisioned(**value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError("the provisioning record is damaged", code="record.provisioning") from error


PROVISIONED = Key(RecordKind[Provisioned]("client", _encode, _decode), "client/provisioning")

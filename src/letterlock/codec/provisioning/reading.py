"""A configuration document as a client reads it: as a whole or not at all (SR-14)."""

from __future__ import annotations

import re

from ...errors import DecodeError
from ..xml import decode_xml
from .characteristics import Characteristics
from .document import (
    DORMANT,
    IMS_APPLICATION,
    OWN_APPLICATION,
    RCS_APPLICATION,
    DocumentLimits,
    EncryptionServices,
    ImsAccount,
    Messaging,
    OperatorServices,
    ProvisioningDocument,
)

__all__ = ["decode_document"]

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII
)
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]]{1,253})(?::([0-9]{1,5}))?", re.ASCII)
_URI = re.compile(r"(?:sips?|tel):[!-~]{1,250}", re.ASCII)
_URL = re.compile(r"https?://[!-~]{1,1000}", re.ASCII)
_MSRP = re.compile(r"msrps?://[!-~]{1,250}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]{1,512}", re.ASCII)
_CODE = re.compile(r"[0-9]{8}", re.ASCII)
_TRANSPORTS = {"SIPoTLS": True, "SIPoTCP": False, "SIPoUDP": False}
_MAX_VERSION = 2**31 - 1
_MAX_GENERATION = 10**15 - 1


def decode_document(data: bytes, limits: DocumentLimits) -> ProvisioningDocument:
    """Read a document. Raises DecodeError, LimitExceeded."""
    root = decode_xml(data, limits.xml)
    if root.name != "wap-provisioningdoc":
        raise DecodeError("not a configuration document", code="provisioning.root")
    top = Characteristics([root])
    vers = top.inside("VERS")
    if not vers.text("version"):
        raise DecodeError("a configuration without a version", code="provisioning.version")
    version = vers.number("version", DORMANT, _MAX_VERSION)
    # Of a version that is no configuration the validity is often the version again, or 0.
    least = 1 if version > 0 else DORMANT
    validity = vers.number("validity", least, limits.max_validity_s, default=0 if version <= 0 else -1)
    if version > 0 and validity < 0:
        raise DecodeError("a configuration without a validity", code="provisioning.version")
    token = top.inside("TOKEN")
    found = ProvisioningDocument(
        version,
        max(0, validity),
        token.matching("token", _VISIBLE),
        token.number("validity", 0, limits.max_validity_s),
    )
    if version <= 0:
        return found
    rcs = top.application(RCS_APPLICATION)
    ims = top.application(IMS_APPLICATION) or top.application("urn:oma:mo:ext-3gpp-ims:1.0")
    return ProvisioningDocument(
        found.version,
        found.validity_s,
        found.token,
        found.token_validity_s,
        _ims(ims, rcs) if ims else None,
        _messaging(rcs, limits) if rcs else None,
        _own(top.application(OWN_APPLICATION)),
        _encryption(top.anywhere()),
    )


def _ims(ims: Characteristics, rcs: Characteristics) -> ImsAccount:
    address = ims.inside("LBO_P-CSCF_Address").first("Address")
    found = _ADDRESS.fullmatch(address)
    port = int(found[2] or 0) if found else 0
    if found is None or port > 65535 or not (found[1].startswith("[") or _HOST.fullmatch(found[1])):
        raise DecodeError("the address of the carrier is none", code="provisioning.value")
    auth = ims.inside("APPAUTH")
    public = ims.inside("Public_User_Identity_List").first("Public_User_Identity")
    if not _URI.fullmatch(public):
        raise DecodeError("the public identity is none", code="provisioning.value")
    domain = ims.matching("Home_network_domain_name", _HOST)
    private = ims.matching("Private_User_Identity", _VISIBLE)
    username, password = auth.matching("UserName", _VISIBLE), auth.text("UserPwd")
    if not domain or not (username or private) or not password or len(password) > 512 or not password.isprintable():
        raise DecodeError("an account without domain, user or password", code="provisioning.value")
    if auth.text("AuthType") and auth.text("AuthType").lower() != "digest":
        raise DecodeError("the carrier wants a way to authenticate that we do not have", code="provisioning.auth")
    signalling = rcs.inside("OTHER").inside("transportProto").text("psSignalling")
    return ImsAccount(
        found[1],
        port,
        # TLS wherever the document does not speak of something else (SR-19).
        _TRANSPORTS.get(signalling, True),
        domain,
        public,
        private or username,
        username or private,
        password,
        auth.text("Realm")[:255],
    )


def _messaging(rcs: Characteristics, limits: DocumentLimits) -> Messaging:
    # Older documents say IM and keep file transfer apart.
    part = rcs.inside("Messaging") or rcs.inside("IM")
    return Messaging(
        part.matching("conf-fcty-uri", _URI),
        part.number("max_adhoc_group_size", 0, limits.max_group),
        part.number("MaxSize1to1", 0, limits.max_size),
        part.number("MaxSizeFileTr", 0, limits.max_size // 1024) * 1024,
        part.number("TimerIdle", 0, 86_400),
        part.matching("ftHTTPCSURI", _URL),
        part.text("ftHTTPCSUser")[:255],
        part.text("ftHTTPCSPwd")[:512],
    )


def _own(own: Characteristics) -> OperatorServices | None:
    if not own:
        return None
    return OperatorServices(
        own.matching("DirectoryURL", _URL),
        own.matching("ClaimCode", _CODE),
        own.matching("MsrpRelay", _MSRP),
        own.matching("GatewayURL", _URL),
        own.matching("GatewayPwd", _VISIBLE),
    )


def _encryption(anywhere: Characteristics) -> EncryptionServices | None:
    found = EncryptionServices(
        anywhere.matching("openrcs-kds-uri", _URL),
        anywhere.octets("openrcs-encryption-identity-proof"),
        anywhere.matching("openrcs-trust-anchors-uri", _URL),
        anywhere.number("openrcs-trust-anchors-generation", 0, _MAX_GENERATION),
        anywhere.octets("openrcs-trust-anchors-signer"),
    )
    return None if found == EncryptionServices() else found

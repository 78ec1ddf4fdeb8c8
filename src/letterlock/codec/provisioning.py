"""The configuration document of RCC.14 (rcs.md 2.11): `wap-provisioningdoc`, a tree of characteristics with parameters.

Read as a whole or not at all: a value that cannot be (an address that is none, a negative size, a validity of a
thousand years) refuses the document, so that no client ends up with half of a configuration (SR-14). What we do not
know is passed over. Our own part is an application of its own, `urn:letterlock:provisioning:v1`.

What RCC.16 adds (rcc16.md 1.7) has the names of a recorded lab network, `openrcs-...`: those of the GSMA are not known.
They are found in any characteristic, in either case, and written into SERVICEPROVIDEREXT.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import DecodeError, LimitExceeded
from .xml import Element, XmlLimits, decode_xml, escape_attribute

__all__ = [
    "DISABLED",
    "DORMANT",
    "MEDIA_TYPE",
    "RESET",
    "DocumentLimits",
    "EncryptionServices",
    "ImsAccount",
    "Messaging",
    "OperatorServices",
    "ProvisioningDocument",
    "decode_document",
    "encode_document",
]

MEDIA_TYPE = "text/xml"

RESET, DISABLED, DORMANT = 0, -1, -2
"""Versions that are no configuration: forget it, forget it and do not ask again, keep it and do not use it."""

_IMS = "ap2001"
_RCS = "ap2002"
_OWN = "urn:letterlock:provisioning:v1"

_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
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
_BASE64 = re.compile(r"[A-Za-z0-9+/]{0,1368}={0,2}", re.ASCII)
_MAX_VERSION = 2**31 - 1
_MAX_GENERATION = 10**15 - 1


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Bounds, checked before a value is kept (SR-08)."""

    xml: XmlLimits
    max_validity_s: int
    max_group: int
    max_size: int
    """Of messages and files, in bytes."""


@dataclass(frozen=True, slots=True)
class ImsAccount:
    """Where and as whom to register. `tls` as `transportProto` says it, else TLS; `port` 0: the usual one."""

    host: str
    port: int
    tls: bool
    domain: str
    public_identity: str
    private_identity: str
    username: str
    password: str = field(repr=False)
    realm: str = ""


@dataclass(frozen=True, slots=True)
class Messaging:
    """What may be sent how; 0 or empty where the document does not say. Sizes are in bytes."""

    conference_factory: str = ""
    max_group: int = 0
    max_message: int = 0
    max_file: int = 0
    idle_s: int = 0
    content_url: str = ""
    content_user: str = ""
    content_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OperatorServices:
    """Our own part: the directory, a code to claim the number there with this very key (SR-21), the MSRP relay; a gateway
    that speaks with the carrier in the client's place, and the password of the account there."""

    directory_url: str = ""
    claim_code: str = field(default="", repr=False)
    msrp_relay: str = ""
    gateway_url: str = ""
    gateway_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EncryptionServices:
    """What RCC.16 needs (rcc16.md 1.7): the key distribution server, and the configuration server's word for us.

    `identity_proof` is a SignedEncryptionIdentityProof, passed on verbatim. The list of trust anchors is at
    `anchors_uri`, of this generation or a later one, signed by `anchors_signer` (DER SubjectPublicKeyInfo).
    """

    kds_uri: str = ""
    identity_proof: bytes = field(default=b"", repr=False)
    anchors_uri: str = ""
    anchors_generation: int = 0
    anchors_signer: bytes = b""


@dataclass(frozen=True, slots=True)
class ProvisioningDocument:
    """A whole document. `version` 0 and below are RESET, DISABLED and DORMANT and carry no configuration.

    `ims` None with a version above 0: what the client has is still right; `encryption` may be there all the same, with
    a new proof.
    """

    version: int
    validity_s: int
    token: str = field(default="", repr=False)
    token_validity_s: int = 0
    ims: ImsAccount | None = None
    messaging: Messaging | None = None
    services: OperatorServices | None = None
    encryption: EncryptionServices | None = None


# --- writing -------------------------------------------------------------------------------------------------
def encode_document(document: ProvisioningDocument) -> bytes:
    """The document."""
    parts = [_written("VERS", [("version", document.version), ("validity", document.validity_s)])]
    if document.token:
        parts.append(_written("TOKEN", [("token", document.token), ("validity", document.token_validity_s)]))
    if document.ims is not None:
        parts.append(_written_ims(document.ims))
    if document.messaging is not None:
        parts.append(_written_messaging(document.messaging))
    if (own := document.services) is not None:
        parms = [
            ("AppID", _OWN),
            ("DirectoryURL", own.directory_url),
            ("ClaimCode", own.claim_code),
            ("MsrpRelay", own.msrp_relay),
            ("GatewayURL", own.gateway_url),
            ("GatewayPwd", own.gateway_password),
        ]
        parts.append(_written("APPLICATION", parms))
    if document.encryption is not None:
        parts.append(_written_encryption(document.encryption))
    body = "".join(parts)
    return f'<?xml version="1.0"?>\r\n<wap-provisioningdoc version="1.1">{body}</wap-provisioningdoc>'.encode()


def _written(kind: str, parms: Iterable[tuple[str, object]], *children: str) -> str:
    inner = "".join(
        f'<parm name="{name}" value="{escape_attribute(str(value))}"/>' for name, value in parms if value != ""
    )
    return f'<characteristic type="{kind}">{inner}{"".join(children)}</characteristic>'


def _written_ims(ims: ImsAccount) -> str:
    address = f"{ims.host}:{ims.port}" if ims.port else ims.host
    auth = [("AuthType", "Digest"), ("Realm", ims.realm), ("UserName", ims.username), ("UserPwd", ims.password)]
    return _written(
        "APPLICATION",
        [
            ("AppID", _IMS),
            ("Name", "IMS Settings"),
            ("AppRef", "IMS-Settings"),
            ("Private_User_Identity", ims.private_identity),
            ("Home_network_domain_name", ims.domain),
        ],
        _written("Public_User_Identity_List", [("Public_User_Identity1", ims.public_identity)]),
        _written("LBO_P-CSCF_Address", [("Address1", address), ("AddressType1", "FQDN")]),
        _written("APPAUTH", auth),
    ) + _written(
        "APPLICATION",
        [("AppID", _RCS), ("Name", "RCS settings"), ("AppRef", "RCSe-Settings")],
        _written("OTHER", [], _written("transportProto", [("psSignalling", "SIPoTLS" if ims.tls else "SIPoTCP")])),
    )


def _written_messaging(messaging: Messaging) -> str:
    parms: list[tuple[str, object]] = [
        ("conf-fcty-uri", messaging.conference_factory),
        ("max_adhoc_group_size", messaging.max_group or ""),
        ("MaxSize1to1", messaging.max_message or ""),
        ("MaxSizeFileTr", messaging.max_file // 1024 or ""),
        ("TimerIdle", messaging.idle_s or ""),
        ("ftHTTPCSURI", messaging.content_url),
        ("ftHTTPCSUser", messaging.content_user),
        ("ftHTTPCSPwd", messaging.content_password),
    ]
    on = [("ChatAuth", 1), ("GroupChatAuth", int(bool(messaging.conference_factory)))]
    services = _written("SERVICES", [*on, ("ftAuth", int(bool(messaging.content_url)))])
    return _written("APPLICATION", [("AppID", _RCS)], services, _written("Messaging", parms))


def _written_encryption(encryption: EncryptionServices) -> str:
    parms: list[tuple[str, object]] = [
        ("openrcs-kds-uri", encryption.kds_uri),
        ("openrcs-encryption-identity-proof", base64.b64encode(encryption.identity_proof).decode()),
        ("openrcs-trust-anchors-uri", encryption.anchors_uri),
        ("openrcs-trust-anchors-generation", encryption.anchors_generation or ""),
        ("openrcs-trust-anchors-signer", base64.b64encode(encryption.anchors_signer).decode()),
    ]
    return _written("SERVICEPROVIDEREXT", parms)


# --- reading -------------------------------------------------------------------------------------------------
class _Characteristics:
    """The characteristics of one place in the tree; several of one type are read as one."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self._elements = list(elements)

    def inside(self, kind: str) -> _Characteristics:
        """Those of this type directly in these; types are compared without case, as deployed documents differ in it."""
        return _Characteristics(
            child
            for element in self._elements
            for child in element.children
            if child.name == "characteristic" and (child.attribute("type") or "").lower() == kind.lower()
        )

    def application(self, name: str) -> _Characteristics:
        """The applications with this AppID."""
        found = self.inside("APPLICATION")._elements
        return _Characteristics(element for element in found if _Characteristics([element]).text("AppID") == name)

    def text(self, *names: str) -> str:
        """A parameter by any of its names, empty where there is none. Raises DecodeError when it stands there twice."""
        wanted = {name.lower() for name in names}
        values = [
            child.attribute("value") or ""
            for element in self._elements
            for child in element.children
            if child.name == "parm" and (child.attribute("name") or "").lower() in wanted
        ]
        if len(values) > 1:
            raise DecodeError(f"{names[0]} stands there twice", code="provisioning.repeated")
        return values[0].strip() if values else ""

    def first(self, prefix: str) -> str:
        """The value of the first parameter of a list, `prefix` and a number."""
        name = re.compile(re.escape(prefix) + "[0-9]*", re.IGNORECASE)
        for element in self._elements:
            for child in element.children:
                if child.name == "parm" and name.fullmatch(child.attribute("name") or ""):
                    return (child.attribute("value") or "").strip()
        return ""

    def number(self, name: str, least: int, most: int, default: int = 0) -> int:
        text = self.text(name)
        if not text:
            return default
        if not _NUMBER.fullmatch(text):
            raise DecodeError(f"{name} is no number", code="provisioning.value")
        if not least <= int(text) <= most:
            raise LimitExceeded(f"{name} is {text}, beyond {least} to {most}", code="provisioning.limit")
        return int(text)

    def octets(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.matching(name, _BASE64), validate=True)
        except binascii.Error as error:
            raise DecodeError(f"{name} is not what stands there", code="provisioning.value") from error

    def anywhere(self) -> _Characteristics:
        """These, and all inside them."""
        found, waiting = [], list(self._elements)
        while waiting:
            element = waiting.pop()
            found.append(element)
            waiting += [child for child in element.children if child.name == "characteristic"]
        return _Characteristics(found)

    def matching(self, name: str, form: re.Pattern[str], *more: str) -> str:
        text = self.text(name, *more)
        if text and not form.fullmatch(text):
            raise DecodeError(f"{name} is not what stands there", code="provisioning.value")
        return text

    def __bool__(self) -> bool:
        return bool(self._elements)


def decode_document(data: bytes, limits: DocumentLimits) -> ProvisioningDocument:
    """Read a document. Raises DecodeError, LimitExceeded."""
    root = decode_xml(data, limits.xml)
    if root.name != "wap-provisioningdoc":
        raise DecodeError("not a configuration document", code="provisioning.root")
    top = _Characteristics([root])
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
    rcs = top.application(_RCS)
    ims = top.application(_IMS) or top.application("urn:oma:mo:ext-3gpp-ims:1.0")
    return ProvisioningDocument(
        found.version,
        found.validity_s,
        found.token,
        found.token_validity_s,
        _ims(ims, rcs) if ims else None,
        _messaging(rcs, limits) if rcs else None,
        _own(top.application(_OWN)),
        _encryption(top.anywhere()),
    )


def _ims(ims: _Characteristics, rcs: _Characteristics) -> ImsAccount:
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


def _messaging(rcs: _Characteristics, limits: DocumentLimits) -> Messaging:
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


def _own(own: _Characteristics) -> OperatorServices | None:
    if not own:
        return None
    return OperatorServices(
        own.matching("DirectoryURL", _URL),
        own.matching("ClaimCode", _CODE),
        own.matching("MsrpRelay", _MSRP),
        own.matching("GatewayURL", _URL),
        own.matching("GatewayPwd", _VISIBLE),
    )


def _encryption(anywhere: _Characteristics) -> EncryptionServices | None:
    found = EncryptionServices(
        anywhere.matching("openrcs-kds-uri", _URL),
        anywhere.octets("openrcs-encryption-identity-proof"),
        anywhere.matching("openrcs-trust-anchors-uri", _URL),
        anywhere.number("openrcs-trust-anchors-generation", 0, _MAX_GENERATION),
        anywhere.octets("openrcs-trust-anchors-signer"),
    )
    return None if found == EncryptionServices() else found

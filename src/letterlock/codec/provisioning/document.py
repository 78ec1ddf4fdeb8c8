"""What a configuration document says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..xml import XmlLimits

__all__ = [
    "DISABLED",
    "DORMANT",
    "IMS_APPLICATION",
    "MEDIA_TYPE",
    "OWN_APPLICATION",
    "RCS_APPLICATION",
    "RESET",
    "DocumentLimits",
    "EncryptionServices",
    "ImsAccount",
    "Messaging",
    "OperatorServices",
    "ProvisioningDocument",
]

MEDIA_TYPE = "text/xml"

RESET, DISABLED, DORMANT = 0, -1, -2
"""Versions that are no configuration: forget it, forget it and do not ask again, keep it and do not use it."""

IMS_APPLICATION: Final = "ap2001"
RCS_APPLICATION: Final = "ap2002"
OWN_APPLICATION: Final = "urn:letterlock:provisioning:v1"


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

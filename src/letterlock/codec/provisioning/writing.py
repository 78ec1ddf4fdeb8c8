"""A configuration document as a server writes it."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from ..xml import escape_attribute
from .document import (
    IMS_APPLICATION,
    OWN_APPLICATION,
    RCS_APPLICATION,
    EncryptionServices,
    ImsAccount,
    Messaging,
    ProvisioningDocument,
)

__all__ = ["encode_document"]


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
            ("AppID", OWN_APPLICATION),
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
            ("AppID", IMS_APPLICATION),
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
        [("AppID", RCS_APPLICATION), ("Name", "RCS settings"), ("AppRef", "RCSe-Settings")],
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
    return _written("APPLICATION", [("AppID", RCS_APPLICATION)], services, _written("Messaging", parms))


def _written_encryption(encryption: EncryptionServices) -> str:
    parms: list[tuple[str, object]] = [
        ("openrcs-kds-uri", encryption.kds_uri),
        ("openrcs-encryption-identity-proof", base64.b64encode(encryption.identity_proof).decode()),
        ("openrcs-trust-anchors-uri", encryption.anchors_uri),
        ("openrcs-trust-anchors-generation", encryption.anchors_generation or ""),
        ("openrcs-trust-anchors-signer", base64.b64encode(encryption.anchors_signer).decode()),
    ]
    return _written("SERVICEPROVIDEREXT", parms)

"""The account at the carrier that `setup` is told of, and what it is in a lab on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...carrier.settings import DEFAULT_DOMAIN
from ...client import ContentAccount, GatewayAccount, SipAccount
from ...codec.addresses import is_loopback
from ...codec.sip import Uri
from ...errors import DecodeError, InputError

__all__ = [
    "LAB_CARRIER",
    "LAB_CONTENT_PORT",
    "LAB_DIRECTORY",
    "LAB_DIRECTORY_PORT",
    "LAB_GATEWAY_PORT",
    "LAB_KDS_PORT",
    "LAB_PASSWORD",
    "LAB_PROVISIONING_PORT",
    "LAB_SIP_PORT",
    "carrier_account",
    "content_account",
    "gateway_account",
]

LAB_SIP_PORT = 5060
LAB_DIRECTORY_PORT = 8460
LAB_CONTENT_PORT = 8470
LAB_PROVISIONING_PORT = 8480
LAB_KDS_PORT = 8490
LAB_GATEWAY_PORT = 8500
LAB_PASSWORD = "lab"  # noqa: S105 - the password of a lab where whoever knows it can be anybody
LAB_CARRIER = f"sip:127.0.0.1:{LAB_SIP_PORT}"
LAB_DIRECTORY = f"http://127.0.0.1:{LAB_DIRECTORY_PORT}"


def carrier_account(arguments: argparse.Namespace, number: str) -> SipAccount:
    """The SIP account that --carrier and its companions describe. TLS unless the server is on this machine."""
    try:
        uri = Uri.parse(arguments.carrier)
    except DecodeError as error:
        raise InputError(
            f"not a SIP address: {arguments.carrier}",
            code="input.carrier",
            hint="for example sips:sip.example.net:5061",
        ) from error
    if uri.scheme not in ("sip", "sips"):
        raise InputError("the carrier is a sip: or sips: address", code="input.carrier")
    tls = uri.scheme == "sips" or (uri.params.get("transport") or "").lower() == "tls"
    local = is_loopback(uri.host)
    if not tls and not local and not arguments.insecure_lab:
        # SR-19: said here, before anything connects.
        raise InputError(
            "plaintext SIP beyond this machine",
            code="input.plaintext_sip",
            hint="write sips:, or --insecure-lab if this is a lab and you mean it",
        )
    return SipAccount(
        server=uri.host,
        port=uri.port or (5061 if tls else 5060),
        domain=arguments.domain or (DEFAULT_DOMAIN if local else uri.host),
        username=arguments.sip_user or number,
        password=arguments.sip_password,
        tls=tls,
        ca_file=str(Path(arguments.carrier_ca).expanduser().absolute()) if arguments.carrier_ca else None,
        insecure_lab=arguments.insecure_lab,
    )


def content_account(arguments: argparse.Namespace, number: str) -> ContentAccount | None:
    """The account at the content server that --content and its companions describe."""
    if not arguments.content:
        return None
    return ContentAccount(
        url=arguments.content,
        username=number,
        password=arguments.content_password,
        ca_file=str(Path(arguments.content_ca).expanduser().absolute()) if arguments.content_ca else None,
    )


def gateway_account(arguments: argparse.Namespace, number: str) -> GatewayAccount | None:
    """The account at the gateway that --gateway and its companions describe; the gateway knows its carrier itself."""
    if not arguments.gateway:
        return None
    return GatewayAccount.new(
        arguments.gateway,
        arguments.gateway_password,
        arguments.sip_user or number,
        arguments.sip_password,
        str(Path(arguments.gateway_ca).expanduser().absolute()) if arguments.gateway_ca else None,
    )

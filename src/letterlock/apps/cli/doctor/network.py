"""What the profile needs of others: operator, directory, carrier or gateway, relay, content and key servers, SMSC; and how
their clocks and certificates stand."""

from __future__ import annotations

import asyncio
import email.utils
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp

from .... import ids
from ....client import ContentAccount, GatewayAccount, KdsAccount, ProvisioningState, Settings, SipAccount
from ....client.environment import system_clock
from ....client.provisioned import Provisioned
from ....codec.msrp import MsrpUri
from ....errors import ProvisioningError, TransportError
from ....ids import Number
from ....transport.directory import DirectoryClient
from ....transport.gateway.config import GatewaySettings
from ....transport.gateway.connection import GatewayHttp
from ....transport.sms.transport import probe
from .findings import Worry

__all__ = [
    "Server", "carrier", "certificates", "clock", "content", "directory", "kds", "operator", "push", "relay", "sms",
]  # fmt: skip

_SECONDS = 10.0
_LATE_SECONDS = 30
_FEW_DAYS = 14
_MSRP_PORT = 2855

Server: TypeAlias = tuple[str, str, str | None]
"""What it is called, its address, and the authority that it is trusted by where that is not the system's."""


async def directory(settings: Settings) -> str:
    tls = ssl.create_default_context(cafile=settings.directory_ca) if settings.directory_ca else None
    client = DirectoryClient(settings.directory, rng=os.urandom, now=system_clock, tls=tls, timeout_s=_SECONDS)
    async with client as opened:
        try:
            await opened.health()
        except TransportError as error:
            raise TransportError(
                str(error), code="doctor.directory", hint="is it running? on this machine: letterlock directory"
            ) from error
    return f"{settings.directory} answers"


async def clock(servers: Sequence[Server]) -> str:
    """Against theirs. Device lists and certificates are refused by a clock that is far off."""
    compared, worst = [], 0
    for name, url, ca_file in servers:
        answer = await _get(f"{_origin(url)}/", ca_file)
        there = email.utils.parsedate_to_datetime(answer.date).timestamp() if answer.date else None
        if there is None:
            continue
        compared.append(name)
        off = round(system_clock() / 1000 - there)
        worst = max(worst, off, key=abs)
        if abs(off) > _LATE_SECONDS:
            raise Worry(
                f"this clock is {abs(off)} seconds {'ahead of' if off > 0 else 'behind'} that of the {name}",
                f"set it by the network: timedatectl set-ntp true; if it is right, tell the operator of the {name}",
            )
    if not compared:
        return "no server says a time to compare with"
    return f"within {max(1, abs(worst))} s of the {' and the '.join(compared)}"


async def certificates(servers: Sequence[Server]) -> str:
    """How long what the servers show themselves with is valid. That it is whose it should be, their own checks have seen."""
    until = {}
    for name, url, ca_file in servers:
        parts = urlsplit(url)
        if parts.scheme == "https":
            until[name] = await _valid_until(parts.hostname or "", parts.port or 443, ca_file)
    if not until:
        return "none: the servers are on this machine, without TLS"
    name = min(until, key=lambda each: until[each])
    days = int((until[name] - system_clock() / 1000) // 86_400)
    if days < _FEW_DAYS:
        raise Worry(
            f"that of the {name} ends in {days} days; then nobody can reach it",
            f"tell the operator of the {name} to renew it",
        )
    return f"that of the {name} is valid for {days} days"


async def _valid_until(host: str, port: int, ca_file: str | None) -> float:
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context(cafile=ca_file))
    except (OSError, TimeoutError) as error:
        raise TransportError(f"{host}:{port} does not answer ({_reason(error)})", code="doctor.silent") from error
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return ssl.cert_time_to_seconds(certificate["notAfter"])


async def operator(source: Provisioned) -> str:
    """Whoever configured this profile, and whether he still lets us."""
    match source.state:
        case ProvisioningState.ACTIVE:
            try:
                await _get(f"{source.url.rstrip('/')}/health", source.ca_file)
            except TransportError as error:
                raise Worry(
                    f"{error}; what it said last goes on to hold", "changes of its configuration come when it answers"
                ) from error
            return f"{_origin(source.url)} answers; its configuration is version {source.version}"
        case ProvisioningState.DORMANT | ProvisioningState.RESET:
            raise Worry(
                f"{_origin(source.url)} has put this device on hold",
                "the carrier is not used until the operator says so",
            )
        case ProvisioningState.UNKNOWN:
            raise Worry(
                f"{_origin(source.url)} does not know this device any more",
                "letterlock setup NUMBER --provisioning URL with this profile asks for a new code",
            )
        case _:
            raise ProvisioningError(
                f"{_origin(source.url)} has {_TAKEN_BACK[source.state]}",
                code="doctor.operator",
                hint="ask your operator",
            )


_TAKEN_BACK = {
    ProvisioningState.DISABLED: "taken the configuration back: nothing can be sent or come",
    ProvisioningState.BEGUN: "asked for a code that was never typed",
}


async def relay(sip: SipAccount, address: str) -> str:
    """The MSRP relay, through which large messages and groups go where two devices cannot reach each other."""
    uri = MsrpUri.parse(address)
    port = uri.port or _MSRP_PORT
    where = f"{uri.host}:{port}"
    tls = ssl.create_default_context(cafile=sip.ca_file) if uri.secure else None
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(uri.host, port, ssl=tls)
    except (OSError, TimeoutError) as error:
        raise TransportError(
            f"the MSRP relay {where} does not answer ({_reason(error)})",
            code="doctor.relay",
            hint="large messages and groups wait for it; tell the carrier's operator",
        ) from error
    writer.close()
    return f"{where} takes connections{'' if tls else ', without TLS'}"


async def carrier(settings: Settings, number: str) -> str:
    if settings.gateway is not None:
        return await _gateway(settings.gateway, number, settings.instance)
    sip = settings.sip
    if sip is None:
        raise Worry("none is set: nothing can be sent or come", "letterlock setup --carrier URI, or --provisioning URL")
    where = f"{sip.server}:{sip.port}"
    try:
        tls = ssl.create_default_context(cafile=sip.ca_file) if sip.tls else None
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(
                sip.server, sip.port, ssl=tls, server_hostname=(sip.tls_name or sip.server) if tls else None
            )
    except (OSError, TimeoutError) as error:
        raise TransportError(
            f"{where} does not answer ({_reason(error)})",
            code="doctor.carrier",
            hint="is it running? on this machine: letterlock carrier",
        ) from error
    writer.close()
    return f"{where} takes connections{'' if sip.tls else ', without TLS'}"


async def _gateway(account: GatewayAccount, number: str, instance: str) -> str:
    """Whether it answers. To link would end the link of the process that has the profile open, so nobody does that here."""
    tls = ssl.create_default_context(cafile=account.ca_file) if account.ca_file else None
    http = GatewayHttp(account.config(ids.number(number), instance), GatewaySettings(connect_s=_SECONDS), tls)
    try:
        await http.healthy()
    finally:
        await http.close()
    return f"gateway {account.url} answers; it speaks with the carrier"


async def push(settings: Settings) -> str:
    """Waking is the gateway's; where a device is woken, its app says at every start."""
    if settings.gateway is None:
        return "none: what comes while this profile is closed waits at the carrier (a gateway would wake the device)"
    return f"gateway {settings.gateway.url} wakes this device where an app has asked for it"


async def content(account: ContentAccount | None) -> str:
    if account is None:
        raise Worry(
            "none is set: files can be fetched, and none can be sent",
            "ask the operator for one (letterlock setup --content URL); in a lab, letterlock network has one",
        )
    where = f"{_origin(account.url)}/health"
    try:
        await _get(where, account.ca_file)
    except TransportError as error:
        raise TransportError(
            str(error), code="doctor.content", hint=error.hint or "is it running? on this machine: letterlock content"
        ) from error
    return f"{account.url} answers; files can be sent"


async def kds(account: KdsAccount | None) -> str:
    if account is None:
        return "none: this profile speaks the Signal protocol alone (setup --protocols rcc16,signal adds RCC.16)"
    try:
        await _get(f"{account.url.rstrip('/')}/mls/v1/health", account.ca_file)
    except TransportError as error:
        raise TransportError(
            str(error), code="doctor.kds", hint=error.hint or "is it running? in a lab: letterlock kds run"
        ) from error
    return f"{account.url} answers"


async def sms(settings: Settings, number: Number) -> str:
    """Bind as the profile does; nothing is sent."""
    account = settings.sms
    if account is None:
        return "none: where a message cannot be encrypted, SMS is no choice (letterlock sms --smsc URL adds it)"
    await probe(account.config(number))
    return f"{account.host}:{account.port} lets {account.username} bind{'' if account.tls else ', without TLS'}"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    date: str


async def _get(url: str, ca_file: str | None) -> _Answer:
    """Whether somebody answers there, and the time that it says. Raises TransportError."""
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else True
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, ssl=tls, allow_redirects=False) as response,
        ):
            answer = _Answer(response.status, response.headers.get("Date", "")[:64])
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        distrusted = isinstance(error, aiohttp.ClientConnectorCertificateError)
        hint = "who signed it is named at setup (--directory-ca, --content-ca); or its operator has to renew it"
        raise TransportError(
            f"{_origin(url)} does not answer ({_reason(error)})", code="doctor.silent", hint=hint if distrusted else ""
        ) from error
    if answer.status >= 500:
        raise TransportError(f"{_origin(url)} answers {answer.status}", code="doctor.answer")
    return answer


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # What a failed handshake has for a number is OpenSSL's and not the system's: 1 would read "operation not permitted".
    handshake = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(handshake, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {handshake.verify_message}"
    if isinstance(handshake, ssl.SSLError):
        return "no TLS there"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)

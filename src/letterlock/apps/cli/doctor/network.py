"""What the profile needs of others: directory, carrier or gateway, content and key servers, SMSC; and the clock."""

from __future__ import annotations

import asyncio
import email.utils
import os
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from .... import ids
from ....client import ContentAccount, GatewayAccount, KdsAccount, Settings
from ....client.environment import system_clock
from ....errors import TransportError
from ....ids import Number
from ....transport.directory import DirectoryClient
from ....transport.gateway.config import GatewaySettings
from ....transport.gateway.connection import GatewayHttp
from ....transport.sms.transport import probe
from .findings import Worry

__all__ = ["carrier", "clock", "content", "directory", "kds", "push", "sms"]

_SECONDS = 10.0
_LATE_SECONDS = 30


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


async def clock(settings: Settings) -> str:
    """Against the directory's. Device lists and certificates are refused by a clock that is far off."""
    answer = await _get(f"{settings.directory.rstrip('/')}/v1/health", settings.directory_ca)
    there = email.utils.parsedate_to_datetime(answer.date).timestamp() if answer.date else None
    if there is None:
        return "the directory says no time to compare with"
    off = round(system_clock() / 1000 - there)
    if abs(off) > _LATE_SECONDS:
        raise Worry(
            f"this clock is {abs(off)} seconds {'ahead of' if off > 0 else 'behind'} the directory's",
            "set it by the network: timedatectl set-ntp true; if it is right, tell the directory's operator",
        )
    return f"within {max(1, abs(off))} s of the directory's"


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
            str(error), code="doctor.content", hint="is it running? on this machine: letterlock content"
        ) from error
    return f"{account.url} answers; files can be sent"


async def kds(account: KdsAccount | None) -> str:
    if account is None:
        return "none: this profile speaks the Signal protocol alone (setup --protocols rcc16,signal adds RCC.16)"
    try:
        await _get(f"{account.url.rstrip('/')}/mls/v1/health", account.ca_file)
    except TransportError as error:
        raise TransportError(
            str(error), code="doctor.kds", hint="is it running? in a lab: letterlock kds run"
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
        raise TransportError(f"{_origin(url)} does not answer ({_reason(error)})", code="doctor.silent") from error
    if answer.status >= 500:
        raise TransportError(f"{_origin(url)} answers {answer.status}", code="doctor.answer")
    return answer


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)

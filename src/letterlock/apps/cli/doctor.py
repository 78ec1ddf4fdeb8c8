"""`letterlock doctor`: what works on this machine and in this profile, and what to do about what does not."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from ... import ids
from ...client import Client, Environment, GatewayAccount, Settings
from ...client.environment import system_clock
from ...client.identity import IDENTITY
from ...client.opening import open_store
from ...client.profile import ProfilePaths, unlock_with
from ...client.settings import SETTINGS
from ...crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from ...crypto.pyca import Pyca
from ...engine.events import NumberReset, OwnListMismatch, Recorded
from ...errors import InputError, LetterlockError, StoreError, TransportError
from ...ids import Number
from ...store import ProfileLock
from ...transport.directory import DirectoryClient
from ...transport.gateway.config import GatewaySettings
from ...transport.gateway.connection import GatewayHttp
from ...transport.sms.transport import probe
from .options import Unlock, add_profile, is_open_elsewhere, open_client, profile_path, unlock_arguments
from .terminal import EXIT, Terminal

__all__ = ["add_parsers"]

_SECONDS = 10.0
_LEAST_DAYS = 30


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="find out what is wrong",
        description="Check this machine, and a profile if there is one: the store, the directory, the carrier, and "
        "whether strangers are shown the device list that you made. Nothing is changed.",
    )
    add_profile(doctor)
    doctor.set_defaults(run=run_doctor)


class _Findings:
    """Prints each check as it ends."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.failed = 0

    def tell(self, name: str, result: str, *, ok: bool = True, hint: str = "") -> None:
        self.failed += not ok
        text = f"{'ok  ' if ok else 'FAIL'}  {name}: {result}"
        if hint and not ok:
            text += f"\n      hint: {hint}"
        self._terminal.data({"check": name, "ok": ok, "result": result, "hint": "" if ok else hint}, text)

    async def check(self, name: str, work: Callable[[], Awaitable[str]]) -> bool:
        try:
            self.tell(name, await work())
        except LetterlockError as error:
            self.tell(name, str(error), ok=False, hint=error.hint)
            return False
        return True


async def run_doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    findings = _Findings(terminal)
    findings.tell("python", platform.python_version(), ok=sys.version_info >= (3, 11), hint="3.11 or newer is needed")
    await findings.check("cryptography", _cryptography)
    paths = ProfilePaths.of(profile_path(arguments))
    if not paths.exists():
        findings.tell("profile", f"there is none called '{arguments.profile}'; make one: letterlock setup NUMBER")
        return EXIT["user"] if findings.failed else EXIT["ok"]
    others = paths.folder.stat().st_mode & 0o077
    findings.tell(
        "profile", str(paths.folder), ok=not others, hint=f"others can read the folder: chmod 700 {paths.folder}"
    )
    if is_open_elsewhere(paths.folder):
        findings.tell("store", "another process has this profile open; end it to have directory and carrier checked")
        await findings.check("account", lambda: _account(arguments, None))
        return EXIT["network"] if findings.failed else EXIT["ok"]
    unlock = unlock_arguments(arguments)
    try:
        settings, number, who = await _look_inside(paths, unlock)
    except LetterlockError as error:
        findings.tell("store", str(error), ok=False, hint=error.hint)
        return EXIT["network"]
    findings.tell("store", f"opens; {who}")
    directory = await findings.check("directory", lambda: _directory(settings))
    carrier = await findings.check("carrier", lambda: _carrier(settings, who.partition(",")[0]))
    if directory and carrier:
        await findings.check("account", lambda: _account(arguments, unlock))
    if settings.sms is not None:
        await findings.check("sms", lambda: _sms(settings, number))
    if settings.kds is not None:
        await findings.check("rcc16", lambda: _certificate(arguments, unlock))
    return EXIT["network"] if findings.failed else EXIT["ok"]


async def _cryptography() -> str:
    """The primitives that decide whether a chat can be post-quantum here."""
    crypto = Pyca()
    seed = os.urandom(64)
    secret, ciphertext = kyber1024_encapsulate(crypto, crypto.mlkem1024_public(seed), os.urandom)
    if kyber1024_decapsulate(crypto, seed, ciphertext) != secret:
        raise InputError("ML-KEM gives wrong results", code="doctor.mlkem", hint="install cryptography 50 or newer")
    return "ML-KEM, X25519 and the rest work"


async def _look_inside(paths: ProfilePaths, unlock: Unlock) -> tuple[Settings, Number, str]:
    """The settings, and whose profile it is; without connecting to anything."""
    given = unlock_with(unlock["passphrase"], unlock["key_file"])
    assert given is not None  # unlock_arguments() saw to it
    async with contextlib.AsyncExitStack() as opened:
        lock = ProfileLock.acquire(paths.lock)
        opened.callback(lock.release)
        store = await open_store(paths, given, Environment(), lock)
        opened.push_async_callback(asyncio.to_thread, store.close)
        settings, identity = store.get(SETTINGS), store.get(IDENTITY)
    if settings is None or identity is None:
        raise StoreError(
            "this profile was set up only in part", code="store.unclaimed", hint="run letterlock setup again"
        )
    return settings, identity.number, f"{identity.number}, device {identity.device}"


async def _directory(settings: Settings) -> str:
    tls = ssl.create_default_context(cafile=settings.directory_ca) if settings.directory_ca else None
    client = DirectoryClient(settings.directory, rng=os.urandom, now=system_clock, tls=tls, timeout_s=_SECONDS)
    async with client as directory:
        try:
            await directory.health()
        except TransportError as error:
            raise TransportError(
                str(error), code="doctor.directory", hint="is it running? on this machine: letterlock directory"
            ) from error
    return f"{settings.directory} answers"


async def _gateway(account: GatewayAccount, number: str, instance: str) -> str:
    """Whether it answers. To link would end the link of the process that has the profile open, so nobody does that here."""
    tls = ssl.create_default_context(cafile=account.ca_file) if account.ca_file else None
    http = GatewayHttp(account.config(ids.number(number), instance), GatewaySettings(connect_s=_SECONDS), tls)
    try:
        await http.healthy()
    finally:
        await http.close()
    return f"gateway {account.url} answers; it speaks with the carrier"


async def _carrier(settings: Settings, number: str) -> str:
    if settings.gateway is not None:
        return await _gateway(settings.gateway, number, settings.instance)
    sip = settings.sip
    if sip is None:
        return "none is set"
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


async def _sms(settings: Settings, number: Number) -> str:
    """Bind as the profile does; nothing is sent."""
    account = settings.sms
    assert account is not None
    await probe(account.config(number))
    return f"{account.host}:{account.port} lets {account.username} bind{'' if account.tls else ', without TLS'}"


async def _account(arguments: argparse.Namespace, unlock: Unlock | None) -> str:
    """Open the profile as any command does; its engine looks itself up as a stranger would (SR-22)."""
    async with open_client(arguments, unlock=unlock) as me:
        cursor = await me.cursor()
        await me.settled()
        devices = await me.devices()
        async for recorded in _new_events(me, cursor):
            if isinstance(recorded.event, OwnListMismatch | NumberReset):
                raise InputError(
                    "strangers are shown other keys for your number",
                    code="doctor.own_list",
                    hint="ask the directory's operator; compare codes with your contacts",
                )
        return f"{me.number} with {len(devices)} device{'s' if len(devices) != 1 else ''}"


async def _certificate(arguments: argparse.Namespace, unlock: Unlock) -> str:
    """What this device has at the key distribution server; without it nobody can write to us by RCC.16."""
    async with open_client(arguments, unlock=unlock) as me:
        await me.settled()
        info = await me.certificate()
    if info is None or not info.ready:
        trouble = info.trouble if info is not None else ""
        raise InputError(
            f"no certificate that is valid, or no key packages{f': {trouble}' if trouble else ''}",
            code="doctor.rcc16",
            hint="is the key distribution server there? the profile asks again by itself while it is open",
        )
    days = (info.not_after - system_clock()) // 86_400_000
    until = datetime.fromtimestamp(info.not_after / 1000, UTC).strftime("%Y-%m-%d")
    if days < _LEAST_DAYS:
        raise InputError(
            f"the certificate ends on {until}, in {days} days",
            code="doctor.certificate",
            hint="groups refuse members whose certificate ends within 30 days; open the profile where it has network",
        )
    return f"certificate until {until} ({days} days), {info.packages} key packages published"


async def _new_events(me: Client, cursor: int) -> AsyncIterator[Recorded]:
    """The events between `cursor` and now."""
    last = await me.cursor()
    if last <= cursor:
        return
    async for recorded in me.events(after=cursor):
        yield recorded
        if recorded.cursor >= last:
            return


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)

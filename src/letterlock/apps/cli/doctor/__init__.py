"""`letterlock doctor`: what works on this machine and in this profile, and what to do about what does not.

Nothing is changed. First the machine, then the profile as it lies there, then what it needs of others, and last the
profile opened as any command does, which has its engine look itself up as a stranger would (SR-22).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ....client import Client, Environment, Settings
from ....client.environment import system_clock
from ....client.identity import IDENTITY
from ....client.opening import open_store
from ....client.profile import ProfilePaths, unlock_with
from ....client.provisioned import PROVISIONED, Provisioned, effective
from ....client.settings import SETTINGS
from ....engine.events import NumberReset, OwnListMismatch, Recorded
from ....errors import InputError, LetterlockError, StoreError
from ....ids import Number
from ....store import ProfileLock
from ...daemon.unix import is_answered, socket_path
from ..options import (
    DEFAULT_PROFILE,
    Unlock,
    add_profile,
    is_open_elsewhere,
    open_client,
    profile_path,
    unlock_arguments,
)
from ..terminal import EXIT, Terminal
from . import machine, network
from .findings import Findings, Worry

__all__ = ["add_parsers"]

_LEAST_DAYS = 30


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="find out what is wrong or missing",
        description="Check this machine, and a profile if there is one: the store, the daemon, the directory, the carrier, "
        "the servers for files and keys, certificates and clocks, and whether strangers are shown the device list that you made. Each line is ok, a "
        "warning or a failure, with what to do next. Nothing is changed. The exit code is 0 without failures.",
    )
    add_profile(doctor)
    doctor.set_defaults(run=run_doctor)


async def run_doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    findings = Findings(terminal)
    paths = ProfilePaths.of(profile_path(arguments))
    await findings.check("python", machine.python)
    await findings.check("versions", machine.versions)
    await findings.check("cryptography", machine.cryptography)
    await findings.check("search", machine.search)
    await findings.check("decoders", machine.decoders)
    await findings.check("browser", machine.browser)
    await findings.check("disk", partial(machine.disk, paths.folder))
    if not paths.exists():
        _tell_of_none(findings, paths, arguments.profile)
        return _ended(findings, terminal, EXIT["user"])
    others = paths.folder.stat().st_mode & 0o077
    findings.tell(
        "profile",
        str(paths.folder),
        level="fail" if others else "ok",
        hint=f"others can read the folder: chmod 700 {paths.folder}",
    )
    await findings.check("daemon", partial(_daemon, paths, arguments.profile))
    if is_open_elsewhere(paths.folder):
        findings.tell("store", "another process has this profile open; end it to have the network checked as well")
        await findings.check("account", lambda: _account(arguments, None))
        return _ended(findings, terminal)
    unlock = unlock_arguments(arguments)
    try:
        found = await _look_inside(paths, unlock)
    except LetterlockError as error:
        findings.tell("store", str(error), level="fail", hint=error.hint)
        return _ended(findings, terminal)
    findings.tell("store", f"opens; {found.number}, device {found.device}")
    await _look_around(findings, found, arguments, unlock)
    return _ended(findings, terminal)


def _tell_of_none(findings: Findings, paths: ProfilePaths, profile: str) -> None:
    """A profile that was named and is not there is wrong; that nothing was set up so far is what a newcomer has."""
    others = sorted(each.name for each in paths.folder.parent.glob("*/") if ProfilePaths.of(each).exists())
    there = f"there are {', '.join(others)}: --profile {others[0]}; or " if others else ""
    findings.tell(
        "profile",
        f"there is none called '{profile}'",
        level="warn" if profile == DEFAULT_PROFILE else "fail",
        hint=f"{there}make one: letterlock setup NUMBER --profile NAME",
    )


async def _look_around(findings: Findings, found: _Inside, arguments: argparse.Namespace, unlock: Unlock) -> None:
    if found.operator is not None:
        await findings.check("operator", partial(network.operator, found.operator))
    settings, number = effective(found.settings, found.operator), found.number
    directory = await findings.check("directory", partial(network.directory, settings))
    carrier = await findings.check("carrier", partial(network.carrier, settings, number))
    if settings.sip is not None and settings.sip.msrp_relay:
        await findings.check("relay", partial(network.relay, settings.sip, settings.sip.msrp_relay))
    await findings.check("push", partial(network.push, settings))
    content = await findings.check("content", partial(network.content, settings.content))
    servers = [("directory", settings.directory, settings.directory_ca)] if directory else []
    if content and settings.content is not None:
        servers.append(("content server", settings.content.url, settings.content.ca_file))
    if servers:
        await findings.check("clock", partial(network.clock, servers))
        await findings.check("certificates", partial(network.certificates, servers))
    await findings.check("sms", partial(network.sms, settings, number))
    kds = await findings.check("kds", partial(network.kds, settings.kds))
    if directory and carrier:
        await findings.check("account", lambda: _account(arguments, unlock))
    if settings.kds is not None and kds:
        await findings.check("rcc16", lambda: _certificate(arguments, unlock))


def _ended(findings: Findings, terminal: Terminal, failed: int = EXIT["network"]) -> int:
    if not terminal.json:
        found = [f"{findings.failed} to repair"] * bool(findings.failed)
        found += [f"{findings.warned} to know of"] * bool(findings.warned)
        terminal.say(", ".join(found) or "all is well")
    return failed if findings.failed else EXIT["ok"]


async def _daemon(paths: ProfilePaths, profile: str) -> str:
    if await is_answered(socket_path(paths.folder)):
        return f"runs for this profile; its page: letterlock web --profile {profile}"
    return "none runs; programs and the page need one: letterlock web, or letterlock daemon"


@dataclass(frozen=True, slots=True)
class _Inside:
    """What lies in the profile."""

    settings: Settings
    operator: Provisioned | None
    number: Number
    device: int


async def _look_inside(paths: ProfilePaths, unlock: Unlock) -> _Inside:
    """The settings, and whose profile it is; without connecting to anything."""
    given = unlock_with(unlock["passphrase"], unlock["key_file"])
    assert given is not None  # unlock_arguments() saw to it
    async with contextlib.AsyncExitStack() as opened:
        lock = ProfileLock.acquire(paths.lock)
        opened.callback(lock.release)
        store = await open_store(paths, given, Environment(), lock)
        opened.push_async_callback(asyncio.to_thread, store.close)
        settings, identity, operator = store.get(SETTINGS), store.get(IDENTITY), store.get(PROVISIONED)
    if settings is None or identity is None:
        raise StoreError(
            "this profile was set up only in part", code="store.unclaimed", hint="run letterlock setup again"
        )
    return _Inside(settings, operator, identity.number, identity.device)


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
            hint="the profile asks again by itself while it is open: letterlock listen",
        )
    days = (info.not_after - system_clock()) // 86_400_000
    until = datetime.fromtimestamp(info.not_after / 1000, UTC).strftime("%Y-%m-%d")
    if days < _LEAST_DAYS:
        raise Worry(
            f"the certificate ends on {until}, in {days} days",
            "groups refuse members whose certificate ends within 30 days; open the profile where it has network",
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

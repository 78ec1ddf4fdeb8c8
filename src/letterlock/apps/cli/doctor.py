"""`letterlock doctor`: what works on this machine and in this profile, and what to do about what does not."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from ...client import Client, Settings
from ...client.identity import IDENTITY, Identity
from ...client.settings import SETTINGS
from ...crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from ...crypto.pyca import Pyca
from ...errors import InputError, LetterlockError, StoreLocked
from ...keystore import KeyFile, Keystore, Passphrase
from ...store import ProfileLock, Store
from .options import add_profile, open_client, profile_path, unlock_arguments
from .terminal import EXIT, Terminal

__all__ = ["add_parsers"]


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
            text += f"\n      {hint}"
        self._terminal.data({"check": name, "ok": ok, "result": result, "hint": hint}, text)

    async def check(self, name: str, work: Callable[[], Awaitable[str]]) -> bool:
        try:
            self.tell(name, await work())
        except LetterlockError as error:
            self.tell(name, str(error), ok=False, hint=error.hint)
            return False
        except (OSError, aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            self.tell(name, f"{type(error).__name__}: {error}", ok=False)
            return False
        return True


async def run_doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    findings = _Findings(terminal)
    findings.tell("python", platform.python_version(), ok=sys.version_info >= (3, 11), hint="3.11 or newer is needed")
    await findings.check("cryptography", _cryptography)
    path = profile_path(arguments)
    if not (path / "key.json").exists():
        findings.tell("profile", f"there is none called '{arguments.profile}'; make one: letterlock setup +15550100")
        return EXIT["user"] if findings.failed else EXIT["ok"]
    mode = path.stat().st_mode & 0o077
    findings.tell("profile", str(path), ok=mode == 0, hint=f"others can read the folder: chmod 700 {path}")
    found = await _look_inside(arguments, path, findings)
    if found is not None:
        settings, _ = found
        await findings.check("directory", lambda: _directory(settings))
        await findings.check("carrier", lambda: _carrier(settings))
    await findings.check("account", lambda: _account(arguments))
    return EXIT["network"] if findings.failed else EXIT["ok"]


async def _cryptography() -> str:
    """The primitives that decide whether a chat can be post-quantum here."""
    crypto = Pyca()
    seed = os.urandom(64)
    secret, ciphertext = kyber1024_encapsulate(crypto, crypto.mlkem1024_public(seed), os.urandom)
    if kyber1024_decapsulate(crypto, seed, ciphertext) != secret:
        raise InputError("ML-KEM gives wrong results", code="doctor.mlkem", hint="install cryptography 50 or newer")
    return "ML-KEM, X25519 and the rest work"


async def _look_inside(
    arguments: argparse.Namespace, path: Path, findings: _Findings
) -> tuple[Settings, Identity] | None:
    """Read the settings, if no other process owns the profile."""
    try:
        lock = ProfileLock.acquire(path / "owner.lock")
        try:
            unlock = await unlock_arguments(arguments)
        except LetterlockError:
            lock.release()
            raise
        passphrase = unlock["passphrase"] or os.environ.get("LETTERLOCK_PASSPHRASE")
        key_file = unlock["key_file"] or os.environ.get("LETTERLOCK_KEY_FILE")
    except StoreLocked:
        findings.tell("store", "another process has the profile open, and it answers for it")
        return None
    except LetterlockError as error:
        findings.tell("store", str(error), ok=False, hint=error.hint)
        return None
    try:
        keystore = Keystore(path / "key.json", Pyca(), os.urandom)
        secret = KeyFile(Path(key_file)) if key_file else Passphrase(passphrase or "")
        key = await asyncio.to_thread(keystore.unwrap, secret)
        from ...client.profile import ProfilePaths

        paths = ProfilePaths.of(path)
        store = await asyncio.to_thread(lambda: Store.open(paths.store, key, witness_folder=paths.state, lock=lock))
    except LetterlockError as error:
        lock.release()
        findings.tell("store", str(error), ok=False, hint=error.hint)
        return None
    try:
        settings, identity = store.get(SETTINGS), store.get(IDENTITY)
    finally:
        await asyncio.to_thread(store.close)
    if settings is None or identity is None:
        findings.tell("store", "set up only in part", ok=False, hint="run letterlock setup again")
        return None
    findings.tell("store", f"opens; {identity.number}, device {identity.device}")
    return settings, identity


async def _directory(settings: Settings) -> str:
    tls = ssl.create_default_context(cafile=settings.directory_ca) if settings.directory_ca else True
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{settings.directory.rstrip('/')}/v1/health", ssl=tls) as answer,
    ):
        if answer.status != 200:
            raise InputError(f"{settings.directory} answers {answer.status}", code="doctor.directory")
    return f"{settings.directory} answers"


async def _carrier(settings: Settings) -> str:
    sip = settings.sip
    if sip is None:
        return "none is set"
    tls = ssl.create_default_context(cafile=sip.ca_file) if sip.tls else None
    async with asyncio.timeout(10):
        _, writer = await asyncio.open_connection(
            sip.server, sip.port, ssl=tls, server_hostname=(sip.tls_name or sip.server) if tls else None
        )
    writer.close()
    return f"{sip.server}:{sip.port} takes connections{'' if sip.tls else ', without TLS'}"


async def _account(arguments: argparse.Namespace) -> str:
    """Open the profile as any command does; its engine looks itself up as a stranger would (SR-22)."""
    client: Client = await open_client(arguments)
    async with client as me:
        cursor = await me.cursor()
        await me.settled()
        devices = await me.devices()
        newer = [recorded async for recorded in _until(me, cursor)]
        wrong = [r.event for r in newer if type(r.event).__name__ in ("OwnListMismatch", "NumberReset")]
        if wrong:
            raise InputError(
                "strangers are shown other keys for your number",
                code="doctor.own_list",
                hint="ask the directory's operator; compare codes with your contacts",
            )
        return f"{me.number} with {len(devices)} device{'s' if len(devices) != 1 else ''}"


async def _until(me: Client, cursor: int):  # type: ignore[no-untyped-def]
    """The events between `cursor` and now."""
    last = await me.cursor()
    if last <= cursor:
        return
    async for recorded in me.events(after=cursor):
        yield recorded
        if recorded.cursor >= last:
            return

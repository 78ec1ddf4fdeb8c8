"""Debian's linphone-daemon, driven over its unix socket: an independent client of other people's making.

A process of its own with a home of its own; nothing of it is linked or read. It answers each command with lines that
begin with `Status:`, and queues events that `pop-event` fetches.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.kamailio import LAB_PASSWORD, Kamailio

_CONFIGURATION = """[sip]
sip_port=-1
sip_tcp_port={tcp}
sip_tls_port={tls}
default_proxy=0
register_only_when_network_is_up=0
verify_server_certs=1
verify_server_cn=1
root_ca={authority}
guess_hostname=0
contact=sip:{number}@127.0.0.1
media_encryption=none
supported=replaces, outbound, gruu

[net]
dns_srv_enabled=0
dns_search_enabled=0

[misc]
store_friends=0
uuid={instance}

[auth_info_0]
username={number}
passwd={password}
realm={domain}
domain={domain}

[proxy_0]
reg_proxy=<sip:{host}:{port};transport={transport}>
reg_route=<sip:{host}:{port};transport={transport};lr>
reg_identity=sip:{number}@{domain}
reg_expires=600
reg_sendregister=1
conference_factory_uri=sip:conference-factory@{domain}
publish=0
cpim_in_basic_chat_rooms_enabled=1
cpim_in_basic_chat_room_enabled=1

{extra}
"""


DRIVER = Path(__file__).parent / "linphone_api" / "driver.py"


def missing() -> str:
    """Why it cannot be started here, empty when it can."""
    if shutil.which("linphone-daemon") is None:
        return "linphone-daemon is not installed (apt-get install linphone-cli)"
    return ""


def library_missing() -> str:
    """Why its library cannot be driven here, empty when it can."""
    return "" if ctypes.util.find_library("linphone") else "liblinphone is not installed (apt-get install linphone-cli)"


@dataclass(frozen=True)
class Event:
    """What the daemon tells: the kind and its fields."""

    kind: str
    fields: dict[str, str]


class Linphone:
    """One registered daemon, as an async context manager. TCP without `tls`; its certificate check is on.

    `extra` goes at the end of its configuration file.
    """

    def __init__(
        self, server: Kamailio, number: str, *, tls: bool = False, extra: str = "", wait_s: float = 20
    ) -> None:
        self.number = number
        self.domain = server.domain
        self._wait_s = wait_s
        self.events: list[Event] = []
        self._folder = Path(tempfile.mkdtemp(prefix="letterlock-linphone-"))
        # Its own libraries keep their database there, and do without when the folder is missing.
        (self._folder / ".local" / "share" / "linphone").mkdir(parents=True)
        # The name of the socket is short: it stands in /tmp, and sun_path holds 108 bytes.
        self._pipe = f"ll-linphone-{uuid.uuid4().hex[:8]}"
        transport = "tls" if tls else "tcp"
        (self._folder / "linphonerc").write_text(
            _CONFIGURATION.format(
                number=number,
                password=LAB_PASSWORD,
                domain=server.domain,
                port=server.tls_port if tls else server.tcp_port,
                transport=transport,
                # Its TLS library knows names and no addresses in certificates.
                host="localhost" if tls else "127.0.0.1",
                tcp=0 if tls else -2,
                tls=-2 if tls else 0,
                authority=server.certificate.authority,
                instance=uuid.uuid4(),
                extra=extra,
            )
        )
        self._environment = {"HOME": str(self._folder), "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Linphone:
        command = ["linphone-daemon", "--config", str(self._folder / "linphonerc"), "--pipe", self._pipe]
        command += ["--log", str(self._folder / "linphone.log"), "--disable-stats-events"]
        self._process = subprocess.Popen(
            command,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await self._until_registered()
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._end()

    async def command(self, text: str) -> dict[str, str]:
        """What it answers, line by line; `Status` is among it."""
        if self._socket is None:
            # One connection for all: it serves one at a time, and takes its time to notice an end.
            self._socket = await asyncio.open_unix_connection(f"/tmp/{self._pipe}")
        reader, writer = self._socket
        writer.write(text.encode() + b"\n")
        data = b""
        async with asyncio.timeout(10):
            # No length and no end mark: an error is two lines, else blank lines stand after the status and at the end.
            while data.count(b"\n") < 2 if data.startswith(b"Status: Error") else data.count(b"\n\n") < 2:
                chunk = await reader.read(65_536)
                assert chunk, "linphone-daemon closed its socket"
                data += chunk
        lines = data.decode(errors="replace").splitlines()
        return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}

    async def say(self, to: str, text: str) -> str:
        """Send a chat message; its id there."""
        answer = await self.command(f"message sip:{to}@{self.domain} {text}")
        assert answer.get("Status") == "Ok", answer
        return answer.get("Id", "")

    async def heard(self, kind: str, **fields: str) -> Event:
        """Wait for an event that has these fields; those before it are kept in `events`."""
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if event.kind == kind and all(
                        event.fields.get(k.replace("_", "-")) == v for k, v in fields.items()
                    ):
                        return event
                answer = await self.command("pop-event")
                if "Event-type" in answer:
                    self.events.append(Event(answer["Event-type"], answer))
                else:
                    await asyncio.sleep(0.02)

    def file(self, name: str) -> bytes:
        """A file that it has downloaded."""
        return (self._folder / ".local" / "share" / "linphone" / name).read_bytes()

    def files(self) -> list[str]:
        """What is in the folder of what it downloads, but for its own databases."""
        folder = self._folder / ".local" / "share" / "linphone"
        return sorted(path.name for path in folder.iterdir() if path.is_file() and ".db" not in path.name)

    def log(self) -> str:
        """What it logged."""
        path = self._folder / "linphone.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def _until_registered(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._wait_s
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"linphone-daemon did not register:\n{self.log()[-6000:]}")
            try:
                answer = await self.command("register-status ALL")
            except OSError:
                answer = {}
            if answer.get("State") == "LinphoneRegistrationOk":
                return
            await asyncio.sleep(0.05)

    def _end(self) -> None:
        if self._socket is not None:
            self._socket[1].close()
            self._socket = None
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        Path(f"/tmp/{self._pipe}").unlink(missing_ok=True)


class LinphoneLibrary(Linphone):
    """The same client by its library, for what the daemon has no command for: files, typing, groups."""

    def __init__(self, server: Kamailio, number: str, *, file_server: str = "", extra: str = "") -> None:
        super().__init__(server, number, extra=extra)
        self._file_server = file_server
        self._driver: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> LinphoneLibrary:
        self._driver = await asyncio.create_subprocess_exec(
            *(sys.executable, str(DRIVER), str(self._folder / "linphonerc"), self._file_server),
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._folder / "linphone.log").open("wb"),
        )
        try:
            async with asyncio.timeout(self._wait_s):
                while not (await self.ask("registered"))["registered"]:
                    await asyncio.sleep(0.05)
        except BaseException:
            await self._quit()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._quit()

    async def ask(self, op: str, **given: Any) -> dict[str, Any]:
        """One command of the driver and its answer."""
        assert self._driver is not None and self._driver.stdin is not None and self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"op": op, **given}).encode() + b"\n")
        async with asyncio.timeout(10):
            line = await self._driver.stdout.readline()
        assert line, f"the driver ended:\n{self.log()[-2000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def until(self, op: str, expected: dict[str, Any], **given: Any) -> None:
        """Ask until the answer has these fields; fails after ten seconds with the last answer."""
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(10):
                while not expected.items() <= (answer := await self.ask(op, **given)).items():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{op}: {answer}, not {expected}") from None

    async def _quit(self) -> None:
        if self._driver is not None:
            if self._driver.returncode is None:
                self._driver.kill()
            await self._driver.wait()
        self._end()

"""Debian's Kamailio on loopback, with the configuration that deploy/kamailio keeps."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from lab_certificate import LabCertificate, write_lab_certificate

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "kamailio"
DOMAIN = "rcs.example.test"
LAB_PASSWORD = "lab"
OWN_NUMBER, OWN_PASSWORD = "+15550900", "its own"

_PING = (
    "OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKping;rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:ping@{domain}>;tag=1\r\nTo: <sip:{domain}>\r\nCall-ID: ping\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def missing() -> str:
    """Why Kamailio cannot be started here, empty when it can."""
    if program() is None:
        return "kamailio is not installed (apt-get install kamailio kamailio-tls-modules kamailio-extra-modules)"
    return ""


def program() -> str | None:
    """Where kamailio is: its folder is not on every user's path."""
    return shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")


class Kamailio:
    """One running server on free ports: SIP and MSRP relay, both over TCP and TLS, and one for application servers.

    `focus` and `mailbox` are the ports of application servers on loopback. A context manager; its files are in a
    folder of its own. After `halt` it can be started again, on the same ports.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | None = None,
        *,
        lab_password: str | None = None,
        focus: int | None = None,
        mailbox: int | None = None,
        application_network: str = "127.0.0.0/8",
    ) -> None:
        self.domain = DOMAIN
        self.host = "127.0.0.1"
        ports = free_ports(5)
        self.tcp_port, self.tls_port, self.application_port, self.msrp_port, self.msrps_port = ports
        self.focus = focus
        self.mailbox = mailbox
        self._application_network = application_network
        self.folder = Path(tempfile.mkdtemp(prefix="letterlock-kamailio-"))
        self.certificate: LabCertificate = write_lab_certificate(self.folder)
        self._accounts = dict(accounts or {})
        self._lab_password = lab_password
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Kamailio:
        """Returns once it answers. Raises RuntimeError, with the end of its log, when it does not."""
        for file in CONFIGURATION.glob("*.cfg"):
            shutil.copy(file, self.folder)
        lines = "".join(f'    $sht(users=>{number}) = "{password}";\n' for number, password in self._accounts.items())
        if lines:
            (self.folder / "accounts.cfg").write_text(f"event_route[htable:mod-init] {{\n{lines}}}\n")
        defines = {
            "DOMAIN": f'"{self.domain}"',
            "LISTEN_TCP": f"tcp:{self.host}:{self.tcp_port}",
            "LISTEN_TLS": f"tls:{self.host}:{self.tls_port}",
            "LISTEN_APPLICATION": f"tcp:{self.host}:{self.application_port}",
            "APPLICATION_NETWORK": f'"{self._application_network}"',
            "LISTEN_MSRP": f"tcp:{self.host}:{self.msrp_port}",
            "LISTEN_MSRPS": f"tls:{self.host}:{self.msrps_port}",
            "TLS_CERTIFICATE": f'"{self.certificate.certificate}"',
            "TLS_KEY": f'"{self.certificate.key}"',
        }
        if self._lab_password is not None:
            defines["LAB_PASSWORD"] = f'"{self._lab_password}"'
        for name, port in (("FOCUS", self.focus), ("MAILBOX", self.mailbox)):
            if port is not None:
                defines[name] = f'"sip:{self.host}:{port};transport=tcp"'
        command = [program() or "kamailio", "-DD", "-E", "-m", "512", "-M", "16"]
        command += ["-f", str(self.folder / "kamailio.cfg"), "-w", str(self.folder), "-Y", str(self.folder)]
        command += ["-P", str(self.folder / "kamailio.pid")]
        for name, value in defines.items():
            command += ["-A", f"{name}={value}"]
        with (self.folder / "kamailio.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 15
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_end = self.log()[-2000:]
                self.stop()
                raise RuntimeError(f"kamailio did not start:\n{log_end}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it and its children, and remove its files."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def halt(self) -> None:
        """End it and its children. What it knew, registrations and dialogs, is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                # Its children too; they are a process group of their own.
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None

    def log(self) -> str:
        """What it has said so far."""
        path = self.folder / "kamailio.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Kamailio:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.tcp_port), timeout=1) as connection:
                connection.sendall(_PING.format(domain=self.domain).encode())
                return connection.recv(4096).startswith(b"SIP/2.0 200")
        except OSError:
            return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, below those that the system gives to connections: none of them is taken meanwhile."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(16_384, 32_768)
        try:
            with socket.create_server(("127.0.0.1", port)):
                ports.append(port)
        except OSError:
            continue
    if len(set(ports)) < count:
        return free_ports(count)
    return ports

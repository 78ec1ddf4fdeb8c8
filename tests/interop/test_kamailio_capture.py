"""What goes through Kamailio as tshark reads it: SIP without a malformed note (a second opinion on our codecs)."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from interop.kamailio import Kamailio
from interop.test_kamailio_rcs import fresh_number, phone

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


def unable() -> str:
    """Why nothing can be captured here, empty when it can."""
    if shutil.which("tshark") is None or shutil.which("dumpcap") is None:
        return "tshark is not installed (apt-get install tshark)"
    probe = subprocess.run(
        ["dumpcap", "-i", "lo", "-a", "duration:0", "-w", os.devnull, "-q"], capture_output=True, text=True, timeout=10
    )
    return "" if probe.returncode == 0 else f"dumpcap may not capture on lo: {probe.stderr.strip().splitlines()[-1:]}"


class Capture:
    """Everything to and from one port on loopback, into a file."""

    def __init__(self, port: int, path: Path) -> None:
        self.port = port
        self.path = path
        self._process = subprocess.Popen(
            ["dumpcap", "-i", "lo", "-f", f"tcp port {port}", "-w", str(path), "-q"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.startswith("File:"):
                break

    def end(self) -> None:
        """The kernel hands packets over in batches: end when a last one of our own has come."""
        marker = os.urandom(16).hex().encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"\r\n\r\n")
            connection.recv(16)
            connection.sendall(
                b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%b\r\n"
                b"Max-Forwards: 1\r\nFrom: <sip:end@example.test>;tag=1\r\nTo: <sip:end@example.test>\r\n"
                b"Call-ID: %b\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (marker, marker)
            )
            connection.recv(4096)
        deadline = time.monotonic() + 10
        while marker not in self.path.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._process.terminate()
        self._process.communicate(timeout=10)

    def read(self, display_filter: str, *fields: str) -> list[str]:
        """One line for each packet that passes the filter."""
        command = ["tshark", "-r", str(self.path), "-d", f"tcp.port=={self.port},sip", "-Y", display_filter]
        if fields:
            command += ["-T", "fields", *(part for field in fields for part in ("-e", field))]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return run.stdout.splitlines()


async def test_tshark_reads_all_of_it(kamailio: Kamailio, tmp_path: Path) -> None:
    reason = unable()
    if reason:
        pytest.skip(f"capture: {reason}")
    capture = Capture(kamailio.tcp_port, tmp_path / "sip.pcapng")
    try:
        async with phone(kamailio, fresh_number()) as alice, phone(kamailio, fresh_number()) as bob:
            sizes = (1, 900, 4_000, 30_000)
            for size in sizes:
                assert await alice.send(bob.me, os.urandom(size)) == 200
                assert len((await bob.next()).body) == size
            assert await alice.send(bob.me, "Grüße".encode(), "text/plain;charset=UTF-8") == 200
            await bob.next()
            assert await alice.transport.capabilities(bob.me) is not None
    finally:
        capture.end()
    # tshark must have seen what we think happened, before its silence means anything.
    messages = capture.read('sip.Method == "MESSAGE"', "sip.Content-Type")
    assert len(messages) >= 2 * (len(sizes) + 1)
    assert all("message/cpim" in line for line in messages)
    assert len(capture.read('sip.Method == "OPTIONS"')) >= 2
    assert len(capture.read('sip.Method == "REGISTER"')) >= 4
    statuses = " ".join(capture.read("sip.Status-Code", "sip.Status-Code"))
    assert re.search(r"\b200\b", statuses)
    assert capture.read("_ws.malformed") == []

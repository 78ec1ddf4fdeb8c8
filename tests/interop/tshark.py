"""tshark, as a second reader of what goes over the wire: captures on loopback, and what it makes of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path


def unable() -> str:
    """Why nothing can be captured here, empty when it can."""
    if shutil.which("tshark") is None or shutil.which("dumpcap") is None:
        return "tshark is not installed (apt-get install tshark)"
    probe = subprocess.run(
        ["dumpcap", "-i", "lo", "-a", "duration:0", "-w", os.devnull, "-q"], capture_output=True, text=True, timeout=10
    )
    return "" if probe.returncode == 0 else f"dumpcap may not capture on lo: {probe.stderr.strip().splitlines()[-1:]}"


class Capture:
    """Everything on loopback that `wanted` names (a filter of pcap), into a file.

    `port` is a SIP server's, over which the end is marked; `decode` says what else stands on which port.
    """

    def __init__(self, port: int, path: Path, *, wanted: str = "", decode: Mapping[int, str] | None = None) -> None:
        self.port = port
        self.path = path
        self._decode = {port: "sip", **(decode or {})}
        self._process = subprocess.Popen(
            ["dumpcap", "-i", "lo", "-f", wanted or f"tcp port {port}", "-w", str(path), "-q"],
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
        command = ["tshark", "-r", str(self.path), "-Y", display_filter]
        for port, protocol in self._decode.items():
            command += ["-d", f"tcp.port=={port},{protocol}"]
        if fields:
            command += ["-T", "fields", *(part for field in fields for part in ("-e", field))]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return run.stdout.splitlines()

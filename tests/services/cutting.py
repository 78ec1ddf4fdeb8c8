"""A Unix socket before PostgreSQL's that cuts a connection when certain bytes pass."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["Cutter"]

_NAME = ".s.PGSQL.5432"


class Cutter:
    """`folder` is the host of a URL. After one cut it lets everything pass."""

    def __init__(self, server: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llcut-", dir="/tmp"))
        self.cuts = 0
        self._server = server
        self._at: bytes | None = None
        self._hand_on = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / _NAME))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Cutter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        shutil.rmtree(self.folder)

    def cut_at(self, data: bytes, *, hand_on: bool) -> None:
        """Cut the next connection over which this goes to the server: when the server has answered it, or before it comes."""
        self._at, self._hand_on = data, hand_on

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server / _NAME))
                cut = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, cut), daemon=True).start()
                threading.Thread(target=self._to_client, args=(server, client, cut), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if self._at is not None and self._at in data:
                    self._at = None
                    self.cuts += 1
                    if not self._hand_on:
                        break
                    cut.set()
                server.sendall(data)
        if not cut.is_set():
            _close(client, server)

    def _to_client(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if cut.is_set():
                    break  # the server has done it; nobody hears of that
                client.sendall(data)
        _close(client, server)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()

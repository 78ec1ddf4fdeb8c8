"""The unix socket: for programs of this user, who need no token there, and for nobody else (SR-16)."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from daemon.town import ANA, Town
from daemon.visitor import visiting
from letterlock.apps.daemon import Daemon
from letterlock.apps.daemon.asking import ask_login
from letterlock.apps.daemon.unix import bound, is_answered, same_user, socket_path
from letterlock.errors import InputError, StoreError

pytestmark = pytest.mark.anyio

_ASK = """
import os, socket, sys
os.setuid(int(sys.argv[2]))  # once Python has found its own files, which may be root's alone
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"GET /api/v1/check HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    while part := s.recv(4096):
        sys.stdout.buffer.write(part)
"""


async def test_programs_of_this_user_need_no_token(both: Town) -> None:
    mode = both.ana.daemon.socket.lstat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    async with visiting(both.ana, by="socket") as program:
        assert (await program.call("me"))["number"] == both.ana.number
        offered = (await program.ask("POST", "/api/v1/login")).json()
        assert offered["url"] == both.ana.daemon.url
        async with visiting(both.ana, by="stranger") as stranger:
            assert (await stranger.ask("GET", offered["login"].removeprefix(stranger.base))).status == 303


async def test_only_the_socket_gives_out_logins(both: Town) -> None:
    """SR-16: a token that leaked is not turned into sessions of browsers, nor one session into another."""
    for by in ("browser", "program"):
        async with visiting(both.ana, by=by) as visitor:
            answer = await visitor.ask("POST", "/api/v1/login")
            assert (answer.status, answer.code) == (403, "daemon.socket")


async def test_no_page_gets_to_the_socket(both: Town) -> None:
    async with visiting(both.ana, by="socket") as program:
        for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}):
            assert (await program.ask("GET", "/api/v1/check", headers)).status == 403


@pytest.mark.skipif(os.getuid() != 0, reason="only root can begin a process of another user")
async def test_sr16_another_user_is_told_apart_where_modes_are_not(tmp_path: Path) -> None:
    """The mode keeps him out; where a file system knows none, the kernel says who it is."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        async with AsyncExitStack() as stack:
            both = Town(tmp_path, stack)
            await both.start()
            await both.create(tmp_path / "ana", ANA)
            client = await stack.enter_async_context(both.open(tmp_path / "ana"))
            path = Path(place) / "s"
            await stack.enter_async_context(Daemon(client, tmp_path / "ana", socket=path))

            async def ask(user: int) -> bytes:
                asking = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _ASK, str(path), str(user)),
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
                out, _ = await asking.communicate()
                return out

            nobody = 65_534
            assert await ask(nobody) == b""
            os.chmod(path, 0o666)
            refused = await ask(nobody)
            assert refused.startswith(b"HTTP/1.1 403") and b"daemon.user" in refused
            assert (await ask(0)).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_who_is_at_the_other_end() -> None:
    """SR-16: this user, or root; whoever else got so far is refused."""

    class Connection:
        def __init__(self, uid: int) -> None:
            self.uid = uid

        def get_extra_info(self, name: str) -> Any:
            return self

        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("3i", 1, self.uid, 0)

    def ask(uid: int) -> bool:
        connection: Any = Connection(uid)
        return same_user(connection)

    assert ask(os.getuid()) and ask(0) and not ask(os.getuid() + 12_345)


async def test_one_daemon_for_a_profile(both: Town, tmp_path: Path) -> None:
    """Also at another socket: both would delete what the other one has open."""
    for elsewhere in (None, tmp_path / "other.sock"):
        with pytest.raises(InputError) as refused:
            await Daemon(both.ana.client, both.ana.folder, socket=elsewhere).start()
        assert refused.value.code == "daemon.running"
    async with visiting(both.ana, by="program") as program:
        assert (await program.ask("GET", "/api/v1/check")).status == 200


async def test_the_socket_of_a_killed_daemon_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not await is_answered(path)
    (await bound(path)).close()


async def test_what_is_no_socket_and_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    """SR-16: what is sent there is what people write."""
    os.chmod(tmp_path, 0o700)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError):
        await bound(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in ("open", "link"):
        with pytest.raises(StoreError):
            await bound(tmp_path / folder / "s")
    with pytest.raises(InputError):
        await bound(tmp_path / ("x" * 120))


def test_a_long_path_has_its_socket_elsewhere() -> None:
    assert socket_path(Path("/home/ana/p")) == Path("/home/ana/p/daemon.sock")
    deep = Path("/home") / ("deep" * 40)
    assert len(os.fsencode(socket_path(deep))) <= 100 and socket_path(deep) == socket_path(deep)


def test_where_it_is_does_not_depend_on_tmpdir(tmp_path: Path) -> None:
    """Two programs of a user may have two; and one that is long has no room for a socket, so that no daemon started."""
    deep = Path("/home") / ("deep" * 40)
    long = tmp_path / ("long" * 40)
    long.mkdir()
    said = "from pathlib import Path; from letterlock.apps.daemon.unix import socket_path; import sys"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "TMPDIR": str(long)}
    answer = subprocess.run(
        [sys.executable, "-c", f"{said}; print(socket_path(Path(sys.argv[1])))", str(deep)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == str(socket_path(deep))


async def test_sr16_nobody_is_asked_where_others_could_put_their_socket() -> None:
    """SR-16: who answered is looked at, and asked over the next connection: it must not be somebody else's by then."""
    with tempfile.TemporaryDirectory(prefix="ll-") as place, socket.socket(socket.AF_UNIX) as listener:
        path = Path(place) / "s"
        listener.bind(os.fspath(path))
        listener.listen()
        assert await is_answered(path)
        os.chmod(place, 0o777)
        assert not await is_answered(path)
        assert await ask_login(Path(place), path) is None

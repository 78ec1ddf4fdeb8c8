"""`letterlock daemon` and `letterlock web`, as processes."""

from __future__ import annotations

import asyncio
import html
import json
import os
import pty
import re
import signal
import stat
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from client.files_town import photo
from daemon.process import environment, serving
from daemon.town import ANA, BEN, Town
from letterlock.apps.cli import main
from letterlock.engine.content import File

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def run(both: Town, *arguments: str, **more: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "letterlock", *arguments),
        env={**environment(both), **more},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def log_in(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
        return answer.status


async def test_from_start_to_sigterm(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        both = Town(tmp_path, stack)
        await both.start()
        folder = tmp_path / "ana"
        await both.create(folder, ANA)
        async with serving(both, folder) as daemon:
            said = daemon.said
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", said["url"]) and said["login"].startswith(said["url"])
            assert await log_in(said["login"]) == 303
            assert await log_in(said["login"]) == 403
            assert (await daemon.program.call("me"))["number"] == ANA

            # `web` asks the one that runs; each answer is a login of its own.
            code, out, _ = await run(both, "web", "--profile", str(folder), "--no-open", "-o", "json")
            assert code == 0 and json.loads(out)["url"] == said["url"]
            assert await log_in(json.loads(out)["login"]) == 303

            # Not to a terminal, and nobody asked for JSON: it may go to a journal, and says how to log in.
            code, out, _ = await run(both, "web", "--profile", str(folder), "--no-open")
            assert code == 0 and said["url"] in out and "/login" not in out and "letterlock web" in out

            # A browser is given a file: its command line is for everybody to see.
            seen = tmp_path / "seen"
            browser = tmp_path / "browser"
            browser.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {seen}\n")
            browser.chmod(0o755)
            # One of a terminal would take this one over: without a screen the address is enough.
            (tmp_path / "bin").mkdir()
            (tmp_path / "bin" / "w3m").symlink_to(browser)
            bare = {"TERM": "xterm", "DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
            path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
            code, _, err = await run(both, "web", "--profile", str(folder), PATH=path, **bare)
            assert code == 0 and "no browser could be opened" in err and not seen.exists()
            code, _, _ = await run(both, "web", "--profile", str(folder), BROWSER=str(browser))
            async with asyncio.timeout(20):
                while not (seen.exists() and seen.read_text()):
                    await asyncio.sleep(0.01)
            page = folder / "login.html"
            assert code == 0 and seen.read_text().strip() == page.as_uri()
            assert stat.S_IMODE(page.stat().st_mode) == 0o600
            found = re.search(r'url=([^"]+)"', page.read_text())
            assert found is not None and await log_in(html.unescape(found[1])) == 303

            code, _, err = await run(both, "daemon", "--profile", str(folder))
            assert code == 1 and "a daemon runs for this profile already" in err

            daemon.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await daemon.process.wait() == 0
        left = {path.name for path in folder.iterdir()}
        assert not left & {"daemon.sock", "daemon.token", "login.html", "owner.sock"}


async def test_what_was_not_sent_is_said_when_it_ends_and_after_it_was_killed(tmp_path: Path) -> None:
    """A page that is reloaded meanwhile cannot know of it."""
    words = "1 file was still on the way from the page when the daemon ended, and not sent"
    async with AsyncExitStack() as stack:
        both = Town(tmp_path, stack)
        await both.start()
        folder = tmp_path / "ana"
        await both.person("ben", BEN)
        await both.create(folder, ANA)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            async with serving(both, folder) as daemon:
                assert (await daemon.program.call("send", chat=BEN, text="hello"))["chat"] == BEN
                await both.content.close()
                assert (await daemon.program.upload(b"plan", chat=BEN, name="plan.txt")).status == 202
                daemon.process.send_signal(ending)
                _, err = await daemon.process.communicate()
                assert (words in err.decode()) == (ending is signal.SIGTERM)
        async with serving(both, folder) as again:
            assert again.process.stderr is not None
            async with asyncio.timeout(30):
                said = (await again.process.stderr.readuntil(b"serving")).decode()
            assert words in said


async def test_web_starts_one_where_none_runs_and_says_so_to_a_terminal(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        both = Town(tmp_path, stack)
        await both.start()
        await both.create(tmp_path / "ana", ANA)
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "letterlock", "web", "--no-open", "--profile", str(tmp_path / "ana")),
            env=environment(both),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=asyncio.subprocess.DEVNULL,
        )
        os.close(theirs)
        try:
            async with asyncio.timeout(60):
                line = await asyncio.to_thread(os.read, ours, 4096)
            assert await log_in(line.decode().strip()) == 303
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(20):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(ours)


async def test_where_another_process_owns_the_profile(tmp_path: Path) -> None:
    """The daemon asks that one, which seals a file that only the daemon has open."""
    async with AsyncExitStack() as stack:
        both = Town(tmp_path, stack)
        await both.start()
        ben = await both.person("ben", BEN)
        await both.create(tmp_path / "ana", ANA)
        owner = await stack.enter_async_context(both.open(tmp_path / "ana"))
        async with serving(both, tmp_path / "ana") as daemon:
            assert owner.owner
            picture = photo()
            for name in ("lake.jpg", "again.jpg"):
                answer = await daemon.program.upload(picture, chat=BEN, name=name, type="image/jpeg")
                assert answer.status == 202, answer
            async with asyncio.timeout(20):
                while len(found := await (await ben.client.chat(ANA)).messages()) < 2:
                    await asyncio.sleep(0.01)
            file = found[0].content
            assert isinstance(file, File) and file.pointer is not None and file.pointer.thumbnail is not None
            async with await ben.client.open_file(file) as reader:
                assert await reader.read() == picture
            opened = await daemon.program.call("file.open", chat=BEN, message_id=found[0].message_id)
            part = await daemon.program.ask("GET", opened["path"], {"Range": "bytes=1000-1999"})
            assert (part.status, part.body) == (206, picture[1000:2000])


@pytest.mark.parametrize("address", ["0.0.0.0:8440", "[::]:0", ":0", "192.168.1.5:8440"])
@pytest.mark.parametrize("verb", ["daemon", "web"])
def test_it_listens_to_nobody_else(verb: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SR-16: said before anything is opened; there is no option that makes it do so all the same."""
    code = main([verb, "--profile", str(tmp_path / "none"), "--listen", address])
    err = capsys.readouterr().err
    assert code == 1 and "does not listen on" in err and "hint: 127.0.0.1:PORT" in err


def test_only_pages_of_this_machine_may_frame_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["daemon", "--profile", str(tmp_path / "none"), "--allow-frame", "http://evil.example"])
    assert code == 1 and "not an origin of this machine" in capsys.readouterr().err


def test_a_profile_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("daemon", "web"):
        assert main([verb, "--profile", str(tmp_path / "none")]) == 1
        assert "letterlock setup" in capsys.readouterr().err

"""SR-06 at the network's side: `kill -9` of the mailbox at any moment loses nothing that was answered 202."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from interop.sip_lines import SipLine
from store_and_forward.proxy import BOB, DOMAIN, PHONE, Proxy

pytestmark = pytest.mark.anyio


async def started(folder: Path, proxy: Proxy) -> tuple[asyncio.subprocess.Process, int]:
    """`letterlock mailbox` as an operator starts it, and its port."""
    command = [sys.executable, "-m", "letterlock", "-o", "json", "mailbox", "--port", "0", "--domain", DOMAIN]
    command += ["--proxy", f"127.0.0.1:{proxy.application_port}", "--database", str(folder / "mailbox.db")]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = await process.stdout.readline()
    return process, int(json.loads(line)["mailbox"].rpartition(":")[2].partition(";")[0])


async def killed(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_kill_9_loses_nothing_that_was_answered_202(tmp_path: Path) -> None:
    proxy = Proxy()
    promised: list[bytes] = []
    away = True

    async def sender(line: SipLine, name: int) -> None:
        for number in range(10_000):
            body = b"%d/%d " % (name, number) + os.urandom(600)
            answer = await proxy.hand(line, body, present=(PHONE,))
            if answer.status == 202:
                promised.append(body)

    proxy.answer = lambda _: (480, ()) if away else (200, ())
    async with proxy.listening():
        for _ in range(3):
            process, port = await started(tmp_path, proxy)
            async with proxy.handing_over(port) as line:
                senders = [asyncio.create_task(sender(line, name)) for name in range(8)]
                enough = len(promised) + 60
                await proxy.until(lambda enough=enough: len(promised) >= enough)  # type: ignore[misc]
                await killed(process)
                for task in senders:
                    task.cancel()
                await asyncio.gather(*senders, return_exceptions=True)
        away = False
        proxy.arrived.clear()
        process, port = await started(tmp_path, proxy)
        async with proxy.handing_over(port) as line:
            assert (await proxy.register(line, PHONE)).status == 200
            await proxy.until(lambda: set(promised) <= set(proxy.messages()))
            # In order: as they were promised by each sender.
            for name in range(8):
                mine = [body for body in promised if body.startswith(b"%d/" % name)]
                order = [body for body in proxy.messages() if body in set(mine)]
                assert order == mine
        await killed(process)


async def test_a_kill_between_the_device_and_the_disk_brings_it_twice_not_never(tmp_path: Path) -> None:
    proxy = Proxy()
    proxy.answer = lambda request: None if request.method == "MESSAGE" else (200, ())
    async with proxy.listening():
        process, port = await started(tmp_path, proxy)
        async with proxy.handing_over(port) as line:
            assert (await proxy.hand(line, b"taken, but who knows", present=(PHONE,))).status == 202
            await proxy.until(lambda: bool(proxy.messages()))
            await killed(process)
        proxy.answer = lambda _: (200, ())
        process, port = await started(tmp_path, proxy)
        async with proxy.handing_over(port) as line:
            await proxy.until(lambda: len(proxy.messages()) == 2)
            await proxy.until(lambda: bool(proxy.grants()))
            assert proxy.grants()[-1].uri == f"sip:{BOB}@{DOMAIN}"
        process.terminate()
        assert await process.wait() == 0

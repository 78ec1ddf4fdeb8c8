"""JSON-RPC over lines: answers, events between them, an end; and the real `letterlock rpc`, a process that is spoken with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.terminals import Running, clean_environment, command
from client.phones import ANA, BEN, Town
from letterlock.apps.daemon.stdio import MAX_LINE, LineConnection
from letterlock.apps.verbs import Context
from letterlock.client import Client

pytestmark = pytest.mark.anyio


class Wire:
    """Both ends of a connection: what is typed, and what was said."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=MAX_LINE)
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.broken = False

    async def write(self, line: bytes) -> None:
        if self.broken:
            raise BrokenPipeError
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        self.said.put_nowait(json.loads(line))

    def ask(self, method: str, id: object = 1, **params: Any) -> None:
        self.reader.feed_data(
            json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"
        )

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            return await self.said.get()


@contextlib.asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Wire]:
    wire = Wire()
    serving = asyncio.ensure_future(LineConnection(Context(client), wire.reader.readline, wire.write).serve())
    try:
        yield wire
    finally:
        with contextlib.suppress(AssertionError):
            wire.reader.feed_eof()
        async with asyncio.timeout(20):
            await serving


async def test_events_come_between_answers_and_several_subscriptions_have_their_own_place(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, ben), connected(ana) as wire:
        wire.ask("subscribe", after=0)
        first = await wire.next()
        assert first["result"] == {"subscription": 1, "cursor": 0}  # before any event that bears the number
        await (await ben.chat(ANA)).send("hi")
        kinds: list[str] = []
        while "message-received" not in kinds:
            event = await wire.next()
            assert (event["method"], event["params"]["subscription"]) == ("event", 1) and "id" not in event
            kinds.append(event["params"]["event"]["kind"])
        got = event["params"]["event"]
        assert (got["text"], got["chat"]) == ("hi", BEN)
        wire.ask("subscribe", id="again", after=0)
        seen = []
        while len(seen) < len(kinds):
            said = await wire.next()
            if said.get("id") == "again":
                assert said["result"]["subscription"] == 2
            elif said["params"]["subscription"] == 2:
                seen.append(said["params"]["event"]["kind"])
        assert seen == kinds
        wire.ask("unsubscribe", id=3, subscription=1)
        wire.ask("unsubscribe", id=4, subscription=99)
        ended = {}
        while len(ended) < 2:
            said = await wire.next()
            if "id" in said:
                ended[said["id"]] = said["result"]["ended"]
        assert ended == {3: True, 4: False}


async def test_what_was_begun_is_answered_after_the_end_of_the_input(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, _):
        async with connected(ana) as wire:
            wire.reader.feed_data(b"\n  \n")
            for number in range(20):
                wire.ask("check", id=number)
            wire.ask("send", id="sent", chat=BEN, text="last words")
            wire.reader.feed_data(b'{"jsonrpc":"2.0","id":"cut","method":"me"}')  # without its newline
            wire.reader.feed_eof()
        answers = {}
        while not wire.said.empty():
            said = wire.said.get_nowait()
            answers[said["id"]] = said
        assert set(answers) == {*range(20), "sent", "cut"}
        assert answers["sent"]["result"]["chat"] == BEN


async def test_sr08_a_line_without_end_ends_the_connection_with_one_error(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, _), connected(ana) as wire:
        wire.reader.feed_data(b"x" * (2 * MAX_LINE))
        said = await wire.next()
        assert (said["id"], said["error"]["data"]["code"]) == (None, "rpc.too_large")


async def test_sr08_a_connection_has_a_bounded_number_of_subscriptions(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, _), connected(ana) as wire:
        for number in range(17):
            wire.ask("subscribe", id=number)
        codes = set()
        for _each in range(17):
            said = await wire.next()
            codes.add(said["error"]["data"]["code"] if "error" in said else "")
        assert codes == {"", "input.subscription"}


async def test_a_reader_that_went_away_ends_it(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, _):
        wire = Wire()
        wire.broken = True
        wire.ask("check")
        async with asyncio.timeout(20):
            await LineConnection(Context(ana), wire.reader.readline, wire.write).serve()


@pytest.mark.slow
async def test_letterlock_rpc_speaks_the_protocol_alone_on_its_output(tmp_path: Path) -> None:
    """Without any network: what it says of itself needs none."""
    path = await Town(tmp_path).create(ANA)
    environment = clean_environment(tmp_path, LETTERLOCK_PASSPHRASE="tulip", XDG_STATE_HOME=str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "letterlock").mkdir(parents=True)
    (tmp_path / "state").rename(tmp_path / "xdg" / "letterlock" / "generations")
    given = ["rpc", "--profile", str(path)]
    with Running(given, environment) as program:
        program.type('{"jsonrpc":"2.0","id":1,"method":"me"}')
        assert json.loads(program.line('"id":1'))["result"]["number"] == ANA
        program.type("nonsense")
        assert json.loads(program.line('"id":null'))["error"]["code"] == -32_700
        program.type('[{"jsonrpc":"2.0","id":2,"method":"check"},{"jsonrpc":"2.0","method":"check"}]')
        assert len(json.loads(program.line('"id":2'))) == 1
        assert program.stop(signal.SIGTERM) == 0
        assert all(json.loads(line) for line in program.seen if not line.startswith("! "))
    requests = tmp_path / "requests"
    requests.write_text('{"jsonrpc":"2.0","id":1,"method":"check"}\n{"jsonrpc":"2.0","id":2,"method":"devices"}\n')
    with requests.open("rb") as stream:  # a file is no pipe
        done = subprocess.run(command(*given), stdin=stream, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(line)["id"] for line in done.stdout.splitlines()) == [1, 2]

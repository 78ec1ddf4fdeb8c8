"""The passage to a content server: every byte arrives, and every byte is in the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from letterlock.carrier import read_wire_log
from letterlock.carrier.passage import FIRST_PASSAGE, Passage


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()


@pytest.mark.anyio
async def test_what_goes_through_arrives_and_is_logged(tmp_path: Path) -> None:
    sent = bytes(range(256)) * 2_000
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    log = tmp_path / "wire.log"
    port = server.sockets[0].getsockname()[1]
    async with server, Passage(log, clock=lambda: 7, bytes_per_second=None) as passage:
        passage.lead_to("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", passage.port)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent[::-1]
        writer.close()
        await writer.wait_closed()
    streams = {stream.received: stream for stream in read_wire_log(log).streams()}
    assert streams[True].data == sent
    assert streams[False].data == sent[::-1]
    assert streams[True].connection == FIRST_PASSAGE


@pytest.mark.anyio
async def test_a_server_that_is_not_there_closes_the_connection(tmp_path: Path) -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    log = tmp_path / "wire.log"
    async with Passage(log, clock=lambda: 7, bytes_per_second=None) as passage:
        passage.lead_to("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", passage.port)
        assert await reader.read() == b""
        writer.close()
    assert [record.kind for record in read_wire_log(log).records] == ["O", "C"]


@pytest.mark.anyio
async def test_a_passage_that_leads_nowhere_yet_closes(tmp_path: Path) -> None:
    async with Passage(tmp_path / "wire.log", clock=lambda: 7, bytes_per_second=None) as passage:
        reader, writer = await asyncio.open_connection("127.0.0.1", passage.port)
        assert await reader.read() == b""
        writer.close()

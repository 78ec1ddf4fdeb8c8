"""Files from a page until they are sent: their order, what is listed of them, what was refused and is tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from client.files_town import content, received
from client.phones import event
from daemon.sse import listening
from daemon.test_daemon_uploads import told, uploaded
from daemon.town import Town, town
from daemon.visitor import Visitor, visiting
from letterlock.engine import events as ev
from letterlock.services.content import ContentServer

pytestmark = pytest.mark.anyio


async def reopened(both: Town, folder: Path) -> ContentServer:
    """The content server, where it was."""
    server = ContentServer(folder / "again", password_of=None, port=both.content.port)
    await server.start()
    return server


async def shown(visitor: Visitor, chat: str) -> list[dict[str, object]]:
    return [
        each for each in (await visitor.call("messages", chat=chat))["messages"] if each["kind"] in ("text", "file")
    ]


async def test_a_file_with_a_text_behind_it_answers_a_message(both: Town) -> None:
    """In that order, and the answer is the file."""
    asked = await (await both.ben.client.chat(both.ana.number)).send("which one?")
    await event(both.ana.client, ev.MessageReceived)
    async with visiting(both.ana) as ana, listening(ana) as stream:
        text = "the left one ‮"
        count = str(len(text.encode()))
        answer = await uploaded(ana, both, text.encode() + b"map", name="map.txt", reply_to=asked, text_bytes=count)
        assert answer.status == 202, answer
        await told(stream, answer.json()["transfer"])
        assert await ana.call("uploads") == []
        file = await received(both.ben.client, both.ana.number)
        assert (file.name, file.size) == ("map.txt", 3) and file.reply_to is not None
        async with await both.ben.client.open_file(file) as reader:
            assert await reader.read() == b"map"
        _, mine, beside = await shown(ana, both.ben.number)
        assert (mine["message_id"], mine["kind"]) == (answer.json()["message_id"], "file")
        assert mine["reply"] is not None and mine["reply"]["text"] == "which one?"  # type: ignore[index]
        assert (beside["text"], beside["reply"]) == (text, None)


async def test_a_file_that_is_given_twice_under_one_id_is_sent_once(both: Town) -> None:
    """An answer was lost: the second is refused, while the first is on its way and after it was sent with its text."""
    chosen = "5f0c1c9e-3a53-4c0b-8b0a-0a3b8f5d7c11"
    async with visiting(both.ana) as ana, listening(ana) as stream:
        await both.content.close()
        given = {"name": "plan.txt", "message_id": chosen, "text_bytes": "4"}
        begun = await uploaded(ana, both, b"textplan", **given)
        assert begun.json()["message_id"] == chosen
        twice = await uploaded(ana, both, b"textplan", **given)
        assert (twice.status, twice.code) == (400, "input.message_id_used")
        server = await reopened(both, both.folder)
        assert (await told(stream, begun.json()["transfer"])).data["state"] == "sent"
        after = await uploaded(ana, both, b"textplan", **given)
        assert (after.status, after.code) == (400, "input.message_id_used")
        file, text = await shown(ana, both.ben.number)
        assert (file["message_id"], text["text"]) == (chosen, "text")
        assert await ana.call("uploads") == []
        await server.close()


async def test_files_of_one_chat_are_sent_in_the_order_in_which_they_came(both: Town) -> None:
    """The second is at the server long before the first."""
    async with visiting(both.ana) as ana, listening(ana) as stream:
        first = (await uploaded(ana, both, content(6_000_000), name="film.mp4")).json()
        second = (await uploaded(ana, both, b"small", name="note.txt")).json()
        await told(stream, second["transfer"])
        order = [each["message_id"] for each in await shown(ana, both.ben.number)]
        assert order == [first["message_id"], second["message_id"]]


async def test_what_is_on_its_way_is_listed_for_whoever_asks(both: Town) -> None:
    """A page that was reloaded, and a second one: with what is needed to show it, and to cancel it."""
    async with visiting(both.ana) as ana, visiting(both.ana) as other:
        await both.content.close()
        begun = (await uploaded(ana, both, b"planplan", name="plan.txt", text_bytes="4")).json()
        (found,) = await other.call("uploads")
        assert {name: found[name] for name in ("transfer", "message_id", "chat", "name", "size", "text", "error")} == {
            **begun, "chat": both.ben.number, "name": "plan.txt", "size": 4, "text": "plan", "error": None,
        }  # fmt: skip
        assert found["state"] == "running" and found["reply_to"] is None
        async with listening(ana) as stream:
            await other.call("upload.remove", upload=begun["transfer"])
            assert (await told(stream, begun["transfer"])).data["state"] == "cancelled"
        assert await ana.call("uploads") == [] and not await both.ana.client.transfers()
        assert await shown(ana, both.ben.number) == []


async def test_giving_many_up_waits_for_a_mute_server_once(both: Town) -> None:
    """All are told to it beside each other: a daemon that ends, or starts after it was killed, is not held up by each."""
    asked, three = 0, asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        last = (await reader.readline()).startswith(b"DELETE ")
        asked += last
        if asked == 3:
            three.set()
        # It answers nobody before it has heard of all, and forgets who hung up.
        hung_up, all_heard = asyncio.ensure_future(reader.read()), asyncio.ensure_future(three.wait())
        await asyncio.wait((hung_up, all_heard), return_when=asyncio.FIRST_COMPLETED)
        all_heard.cancel()
        hung_up.cancel()
        asked -= last
        writer.close()

    async with visiting(both.ana) as ana:
        await both.content.close()
        for name in ("a.txt", "b.txt", "c.txt"):
            assert (await uploaded(ana, both, b"x", name=name)).status == 202
        async with await asyncio.start_server(mute, "127.0.0.1", both.content.port):
            await both.ana.daemon.close()
            assert three.is_set()
    assert not await both.ana.client.transfers()


async def test_what_was_refused_stays_until_it_is_sent_or_removed(tmp_path: Path) -> None:
    """Whoever listened when it happened; tried again it is sent, once."""
    async with town(tmp_path) as both, visiting(both.ben) as ben:
        group = await both.ana.client.create_group([both.ben.number], "Lake")
        await event(both.ben.client, ev.GroupJoined)
        mine = await both.ben.client.group(group.name)
        await both.content.close()
        begun = (await ben.upload(b"plan", chat=group.name, name="plan.txt")).json()
        await mine.leave()
        server = await reopened(both, tmp_path)
        async with listening(ben) as stream:
            while (await ben.call("uploads"))[0]["state"] != "refused":
                await stream.next()
            (left,) = await ben.call("uploads")
            assert left["error"]["data"]["code"] == "input.group_left" and left["resumable"]
            with pytest.raises(AssertionError, match="group_left"):
                await ben.call("upload.again", upload=begun["transfer"])
            assert (await ben.call("uploads"))[0]["error"] == left["error"]
            await group.add(both.ben.number)
            while not (await ben.call("chat", chat=group.name))["joined"]:
                await asyncio.sleep(0)
            both_times = await asyncio.gather(
                *(ben.call("upload.again", upload=begun["transfer"]) for _ in range(2)), return_exceptions=True
            )
            assert [each["message_id"] for each in both_times if isinstance(each, dict)] == [begun["message_id"]]
        assert await ben.call("uploads") == []
        assert [each["message_id"] for each in await shown(ben, group.name)] == [begun["message_id"]]
        await server.close()

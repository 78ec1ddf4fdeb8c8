"""The history through the whole client: windows, search, names, codes, sending again, export; alone and beside an owner."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from client.phones import ANA, BEN, BookClient, Town, event, texts
from history_filler import fill_profile
from letterlock.carriage import NetworkResult
from letterlock.client.history_filling import FILLED
from letterlock.client.opening import open_store
from letterlock.client.profile import ProfilePaths, unlock_with
from letterlock.client.remote import RemoteProfile
from letterlock.crypto.pyca import Pyca
from letterlock.engine.derived import derive
from letterlock.engine.events import ChatNamed, MessageDelivered, MessageDisplayed, MessageFailed, SecurityChanged
from letterlock.engine.history_records import Summary, summary_key
from letterlock.engine.record_values import Chat, Message, Status
from letterlock.engine.records import chat_key, message_key, order_of, place_key
from letterlock.engine.security import Security
from letterlock.engine.thread import Place
from letterlock.engine.view import Receipts
from letterlock.errors import InputError
from letterlock.ids import AccountId, DeviceId, MessageId, Number
from letterlock.seam import Staged
from letterlock.store import ProfileLock, Store

pytestmark = pytest.mark.anyio


async def store_of(town: Town, path: Path) -> Store:
    environment = town.environment()
    paths, unlock = ProfilePaths.of(path, environment.state), unlock_with("tulip", None)
    assert unlock is not None
    return await open_store(paths, unlock, environment, ProfileLock.acquire(paths.lock))


async def test_windows_meet_without_a_hole_or_a_double(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    ids = await fill_profile(path, Number(BEN), 330, environment=town.environment())
    async with town.open(path) as ana:
        chat = await ana.chat(BEN)
        everything = [view.message_id for view in await chat.messages(1_000)]
        assert everything == ids
        back: list[str] = []
        window = await chat.window(50)
        assert not window.after
        while True:
            back = [view.message_id for view in window.messages if view.notice is None] + back
            if not window.before:
                break
            window = await chat.window(50, before=window.messages[0].order)
            assert window.after
        assert back == ids
        forth: list[str] = []
        window = await chat.window(64, after=" ")
        while True:
            forth += [view.message_id for view in window.messages if view.notice is None]
            if not window.after:
                break
            window = await chat.window(64, after=window.messages[-1].order)
            assert window.before
        assert forth == ids
        for place in (0, 100, 329):
            window = await chat.window(20, around=ids[place])
            shown = [view.message_id for view in window.messages if view.notice is None]
            assert ids[place] in shown
            assert shown == ids[ids.index(shown[0]) : ids.index(shown[-1]) + 1]
            assert (window.before, window.after) == (place > 0, place < 329)
            same = await chat.window(20, around=window.messages[0].order)
            assert window.messages[0].order in [view.order for view in same.messages]


async def test_windows_refuse_what_names_no_place(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.open(await town.create(ANA)) as ana:
        chat = await ana.chat(BEN)
        assert (await chat.window()).messages in ((), [])
        for wrong in ({"around": "none"}, {"before": "a", "after": "b"}, {"before": "\ud800"}, {"after": "x" * 500}):
            with pytest.raises(InputError):
                await chat.window(10, **wrong)


async def test_the_list_of_chats(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben, third = await ana.chat(BEN), await ana.chat("+15550777")
        await third.set_name("Zoë")
        for n in range(3):
            await to_ben.send(f"{n}")
        await texts(ben, 3)
        first, second = await ana.summaries()
        assert (first.chat, second.chat, second.name) == (BEN, "+15550777", "Zoë")
        assert first.last is not None
        assert (first.last.text, first.unread, first.security) == ("2", 0, Security.ENCRYPTED)
        (line,) = await ben.summaries()
        assert line.unread == 3
        to_ana = await ben.chat(ANA)
        for view in (await to_ana.window()).messages:
            if view.notice is None:
                await to_ana.mark_displayed(view.message_id)
        assert (await to_ana.summary()).unread == 0
        await to_ana.set_name("Ana")
        assert (await event(ben, ChatNamed)).event == ChatNamed(Number(ANA), "Ana")
        assert (await to_ana.summary()).name == "Ana"


async def test_seeing_a_message_is_seeing_those_before_it(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    ids = await fill_profile(path, Number(BEN), 400, unread=250, environment=town.environment())
    async with town.open(path) as ana, town.open(path) as other:
        chat = await other.chat(BEN)
        assert await chat.see(ids[100]) == 0
        assert await chat.see(ids[299]) == 150
        assert (await chat.summary()).unread == 100
        assert await (await ana.chat(BEN)).see(ids[-1]) == 100
        assert (await chat.summary()).unread == 0
        assert await chat.see(ids[-1]) == 0
        with pytest.raises(InputError):
            await chat.see("none")


async def test_search_finds_shows_and_pages(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        sent = [await to_ben.send(text) for text in ("Grüße aus Köln", "grün ist die Wiese", "東京へ", "köln köln")]
        await texts(ben, 4)
        for phone in (ana, ben):
            hits = (await phone.search("koln")).hits
            assert [hit.message.text for hit in hits] == ["köln köln", "Grüße aus Köln"]
            assert [[hit.text[start:end] for start, end in hit.ranges] for hit in hits] == [["köln", "köln"], ["Köln"]]
        page = await ana.search("gr", limit=1)
        assert [hit.message.message_id for hit in page.hits] == [sent[1]]
        rest = await ana.search("gr", limit=1, before=page.before)
        assert ([hit.message.message_id for hit in rest.hits], rest.before) == ([sent[0]], "")
        assert [hit.chat for hit in (await ana.search("京", chat=BEN)).hits] == [BEN]
        assert not (await ana.search("京", chat="+15550777")).hits
        await to_ben.edit(sent[1], "now it is red")
        await to_ben.delete(sent[0])
        await event(ben, SecurityChanged)
        assert [hit.message.message_id for hit in (await ana.search("red")).hits] == [sent[1]]
        assert not (await ana.search("wiese")).hits
        assert not (await ana.search("aus")).hits
        for wrong in ("", "...", "x" * 257):
            with pytest.raises(InputError) as caught:
                await ana.search(wrong)
            assert caught.value.code == "input.search"
        for wrong in ("-1", "9" * 19, "\u0663"):
            with pytest.raises(InputError) as caught:
                await ana.search("x", before=wrong)
            assert caught.value.code == "input.cursor"


async def test_sr18_a_search_sends_nothing(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        await (await ana.chat(BEN)).send("hi there")
        await texts(ben, 1)
        await ben.settled()
        await ana.settled()
        before = len(town.net.sent)
        town.book.down = True
        assert (await ben.search("hi")).hits
        await ben.settled()
        assert len(town.net.sent) == before


async def test_a_fresh_code_asks_for_both_sides_keys(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        await to_ben.send("hi")
        await texts(ben, 1)
        fresh = await to_ben.fresh_code()
        assert fresh.fresh
        assert fresh.code.digits == (await (await ben.chat(ANA)).security_code()).digits
        assert fresh.verified_at == 0
        await to_ben.verify(last_group=fresh.code.groups[-1])
        assert (await to_ben.fresh_code()).verified_at > 0
        assert (await to_ben.summary()).verified_at > 0
        town.book.down = True
        stale = await to_ben.fresh_code()
        assert not stale.fresh
        assert stale.fetched_at >= fresh.fetched_at > 0
        await to_ben.withdraw()
        assert to_ben.security is Security.ENCRYPTED
        assert (await to_ben.summary()).verified_at == 0


async def test_sr22_a_code_is_shown_for_the_keys_that_the_directory_has_now(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        await to_ben.send("hi")
        await texts(ben, 1)
        old = await to_ben.fresh_code()
        other = Town(tmp_path / "other")
        await other.create(BEN)
        town.book.all_lists[Number(BEN)] = other.book.all_lists[Number(BEN)]
        new = await to_ben.fresh_code()
        assert new.code != old.code
        assert to_ben.security is Security.KEYS_NEW


async def test_a_failed_message_is_sent_again(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        await to_ben.send("hi")
        await texts(ben, 1)
        await ana.settled()
        town.net.refuse = lambda outbound: NetworkResult(False, 403, "Forbidden")
        lost = await to_ben.send("lost")
        await event(ana, MessageFailed)
        town.net.refuse = lambda outbound: None
        again = await to_ben.resend(lost)
        window = await to_ben.window()
        shown = {view.message_id: view for view in window.messages}
        assert shown[lost].superseded_by == again
        assert shown[lost].outcome is not None
        assert shown[lost].outcome.code == "forbidden"
        assert shown[again].text == "lost"


async def test_a_message_of_a_group_counts_its_receipts(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        group = await ana.create_group([BEN], "Tea")
        sent = await group.send("tea?")
        await texts(ben, 1)
        await event(ana, MessageDelivered, where=lambda told: told.message_id == sent)

        async def receipts() -> Receipts | None:
            window = await group.window(around=sent)
            return next(view.receipts for view in window.messages if view.message_id == sent)

        assert await receipts() == Receipts(1, 0, 1)
        await (await ben.conversation(group.name)).mark_displayed(sent)
        await event(ana, MessageDisplayed, where=lambda told: told.message_id == sent)
        assert await receipts() == Receipts(1, 1, 1)
        (line, *_) = await ben.summaries()
        assert (line.subject, line.joined, line.members, line.unread) == ("Tea", True, 2, 0)
        assert [view.notice.key for view in (await group.window()).messages if view.notice][-1] == "group-created"


class Silent(BookClient):
    """A directory that stops answering about lists."""

    asked: list[Number] | None = None

    async def lists(self, number: Number, since: int = 0) -> Sequence[bytes]:
        if Silent.asked is None:
            return await super().lists(number, since)
        Silent.asked.append(number)
        await asyncio.Event().wait()
        return ()


async def test_a_code_is_not_waited_for_longer_than_asked(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path, other = await town.create(ANA), await town.create(BEN)
    opened = town.open(
        path, directory=lambda environment, settings, identity: Silent(town.book, identity.signer(Pyca()))
    )
    async with opened as ana, town.open(other) as ben:
        to_ben = await ana.chat(BEN)
        await to_ben.send("hi")
        await texts(ben, 1)
        Silent.asked = []
        try:
            fresh = await to_ben.fresh_code(patience=0.01)
            assert not fresh.fresh
            assert fresh.fetched_at > 0
            assert set(Silent.asked) == {ANA, BEN}
        finally:
            Silent.asked = None


async def test_all_of_it_beside_an_owner(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    ids = await fill_profile(path, Number(BEN), 120, unread=7, environment=town.environment())
    async with town.open(path) as owner, town.open(path) as other:
        assert isinstance(other.profile, RemoteProfile)
        mine, theirs = await owner.chat(BEN), await other.chat(BEN)
        assert await theirs.summary() == await mine.summary()
        assert (await other.summaries())[0].unread == 7
        assert await theirs.window(30, around=ids[60]) == await mine.window(30, around=ids[60])
        assert await other.search("train") == await owner.search("train")
        await theirs.set_name("Ben")
        assert (await mine.summary()).name == "Ben"
        with pytest.raises(InputError) as caught:
            await theirs.resend(ids[0])
        assert caught.value.code == "input.resend"


async def test_sr08_what_is_too_long_for_a_line_comes_in_parts(tmp_path: Path) -> None:
    """SR-08: what others have sent keeps no other process from the list of chats, a window or a search."""
    town = Town(tmp_path)
    path = await town.create(ANA)
    long = "train " + "x" * 200_000
    with await store_of(town, path) as store:
        for n in range(90):
            chat = Number(BEN) if n < 45 else Number(f"+1555{n:07d}")
            order = order_of(n + 1, AccountId(b"\x11" * 16), DeviceId(1), n + 1)
            staged = Staged(store)
            message = Message(
                order, MessageId(f"m{n}"), chat, False, True, Status.RECEIVED, n, n, "text/plain", f"{n} {long}"
            )
            staged.put(message_key(chat, order), message)
            staged.put(place_key(chat, message.message_id, AccountId(b"\x11" * 16)), Place(order, 0))
            staged.put(chat_key(chat), Chat(chat, accepted=True, lamport=n + 1))
            derive(staged, ())
            store.commit((), staged.writes, store.generation)
    async with town.open(path) as owner, town.open(path) as other, asyncio.timeout(60):
        assert [each.chat for each in await other.summaries()] == [each.chat for each in await owner.summaries()]
        chat = await other.chat(BEN)
        found, window = [], await chat.window(45, after=" ")
        while True:
            found += [view.message_id for view in window.messages if view.notice is None]
            if not window.after:
                break
            window = await chat.window(45, after=window.messages[-1].order)
        assert found == [f"m{n}" for n in range(45)]
        hits, before = [], ""
        while True:
            page = await other.search("train", limit=90, before=before)
            hits += [hit.message.message_id for hit in page.hits]
            if not (before := page.before):
                break
        assert hits == [f"m{n}" for n in reversed(range(90))]


async def test_an_export_is_whole_and_has_no_keys(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        first = await to_ben.send("one")
        await texts(ben, 1)
        await to_ben.react(first, "👍")
        await to_ben.edit(first, "two")
        await to_ben.send_location(52.5, 13.4, "Platz")
        group = await ana.create_group([BEN], "Tea")
        await group.send("in the group")
        await ana.settled()
        records = [record async for record in ana.export()]
        lines = "\n".join(json.dumps(record) for record in records)
        assert records[0]["type"] == "profile"
        messages = [record for record in records if record["type"] == "message"]
        assert records[-1] == {
            "type": "end",
            "messages": len([r for r in records if r["type"] in ("message", "notice")]),
        }
        edited = next(record for record in messages if record["message_id"] == first)
        assert (edited["text"], edited["original"], edited["reactions"]) == (
            "two",
            "one",
            [{"sender": ANA, "emoji": "👍"}],
        )
        assert any(record.get("location", {}).get("label") == "Platz" for record in messages)
        assert {record["number"] for record in records if record["type"] == "member"} == {ANA, BEN}
        assert any(record.get("text") == "in the group" for record in messages)
        assert any(record["type"] == "notice" and record["key"] == "group-created" for record in records)
        for secret in ("private", "nonce", "pointer", '"url"', '"key":"'):
            assert secret not in lines.replace('"key": "', '"kind": "')
        only = [record async for record in ana.export(BEN)]
        assert {record.get("chat", BEN) for record in only} == {BEN}
        with pytest.raises(InputError):
            _ = [record async for record in ana.export("+15550777")]


# --- profiles of before ------------------------------------------------------------------------------------------
class Killed(BaseException):
    """As SIGKILL: nothing is finished."""


async def old_profile(town: Town, count: int) -> Path:
    """As schema 1 left it: messages, and nothing of what follows from them."""
    path = await town.create(ANA)
    await fill_profile(path, Number(BEN), count, unread=5, environment=town.environment())
    store = await store_of(town, path)
    # What stands in a summary that nobody has finished must not be added to.
    store.commit((), {summary_key(Number(BEN)): Summary("", 1, 3), FILLED: None}, store.generation)
    for statement in (
        "DROP TRIGGER searchable_new",
        "DROP TRIGGER searchable_gone",
        "DROP TRIGGER searchable_other",
        "DROP TABLE search",
        "DROP TABLE searchable",
        "PRAGMA user_version = 1",
    ):
        store._writer.execute(statement)
    store.close()
    return path


async def test_a_profile_of_schema_1_gets_its_summaries_and_its_index(tmp_path: Path) -> None:
    town = Town(tmp_path / "new")
    path = await town.create(ANA)
    await fill_profile(path, Number(BEN), 1_500, unread=5, environment=town.environment())
    async with town.open(path) as ana:
        wanted, hits = await ana.summaries(), await ana.search("train", limit=200)
    town = Town(tmp_path / "old")
    async with town.open(await old_profile(town, 1_500)) as ana:
        found, again = await ana.summaries(), await ana.search("train", limit=200)
        assert [(each.chat, each.unread) for each in found] == [(each.chat, each.unread) for each in wanted]
        assert found[0].last is not None
        assert wanted[0].last is not None
        assert found[0].last.text == wanted[0].last.text
        assert [hit.message.order for hit in again.hits]
        assert len(again.hits) == len(hits.hits)
        assert (await ana.search("zzzz")).hits in ((), [])


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("place", ["store.indexed", "store.before-commit", "store.committed", "history.filled"])
async def test_sr06_filling_goes_on_where_it_was_killed(tmp_path: Path, place: str, nth: int) -> None:
    town = Town(tmp_path)
    path = await old_profile(town, 1_500)
    left = [nth]

    def kill(name: str) -> None:
        left[0] -= name == place
        if name == place and left[0] == 0:
            raise Killed

    with pytest.raises(BaseException):  # noqa: B017 - what the driver makes of it
        async with town.open(path, checkpoint=kill):
            pass
    assert left[0] <= 0
    store = await store_of(town, path)
    with store:
        done = store.get(FILLED)
    async with town.open(path) as ana:
        (line,) = await ana.summaries()
        assert line.unread == 5
        store = ana.profile._store  # type: ignore[attr-defined]
        assert store.get(FILLED) == "~"
        rows = store._writer.execute("SELECT count(*) FROM searchable").fetchone()[0]
    assert done is None or nth > 1 or place in ("store.committed", "history.filled")
    assert rows == (await _indexed(tmp_path / "whole"))


async def _indexed(folder: Path) -> int:
    town = Town(folder)
    path = await town.create(ANA)
    await fill_profile(path, Number(BEN), 1_500, unread=5, environment=town.environment())
    with await store_of(town, path) as store:
        return int(store._writer.execute("SELECT count(*) FROM searchable").fetchone()[0])


async def test_a_page_of_a_long_chat_costs_little(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    await fill_profile(path, Number(BEN), 20_000, environment=town.environment())
    async with town.open(path) as ana:
        chat = await ana.chat(BEN)
        costs = []
        window = await chat.window(50, around=(await chat.window(50)).messages[0].order)
        for _ in range(40):
            began = time.thread_time()
            window = await chat.window(50, before=window.messages[0].order)
            costs.append(time.thread_time() - began)
        # Some 1 ms here; a page that read the whole chat would take a hundred times as long.
        assert sorted(costs)[len(costs) // 2] < 0.015
        began = time.thread_time()
        await ana.summaries()
        assert time.thread_time() - began < 0.015

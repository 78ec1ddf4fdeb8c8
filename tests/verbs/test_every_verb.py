"""Every verb, by bodies of JSON-RPC, between two profiles over the embedded carrier; every result is what its schema says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from client.phones import event
from daemon.town import ANA, BEN, Town, plain_option, town
from letterlock.apps.daemon.rpc import answer
from letterlock.apps.verbs import METHODS, Context
from letterlock.engine import events as ev
from letterlock.engine.content import File
from verbs.caller import Caller, Failed

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Shelf:
    """The media of a session, without HTTP."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str, File, bool]] = []

    async def show(self, chat: str, message_id: str, file: File, thumbnail: bool) -> dict[str, Any]:
        self.shown.append((chat, message_id, file, thumbnail))
        return {
            "path": "/media/x/y",
            "content_type": file.content_type,
            "size": file.size,
            "name": "y",
            "inline": False,
            "here": False,
        }


class Notes:
    """The subscriptions of a connection."""

    def subscribe(self, after: int) -> int:
        return 7

    def unsubscribe(self, subscription: int) -> bool:
        return subscription == 7


@pytest.fixture
async def people(tmp_path: Path) -> Any:
    async with town(tmp_path) as both:
        yield both


def caller(both: Town, name: str) -> Caller:
    client = getattr(both, name).client
    return Caller(Context(client, media=Shelf(), subscriptions=Notes(), paths=True))


async def test_every_verb_over_the_dispatcher(people: Town, tmp_path: Path) -> None:
    ana, ben = caller(people, "ana"), caller(people, "ben")
    async with asyncio.timeout(100):
        await _who(ana)
        first = await _talk(people, ana, ben)
        await _history(ana, ben, first)
        await _trust(people, ana, ben)
        await _groups(people, ana, ben)
        await _files(people, ana, ben, tmp_path)
        await _devices(ana)
        await _refusals(ana, first)
    assert ana.called | ben.called == set(METHODS) - _ELSEWHERE


_ELSEWHERE = {
    "answer",  # tests/chatbots: needs a chatbot
    "encryption.end", "encryption.revive", "encryption.retry",  # tests/e2e: need RCC.16; refused here
    "resend",  # refused here, of what has not failed; tests/client sends failed ones again
    "keep", "release", "typing",  # below, where nothing can be encrypted
    "devices.add", "devices.vouch", "devices.remove",  # refused here; tests/client has second devices
    "uploads", "upload.again", "upload.remove",  # refused here; tests/daemon/test_daemon_outgoing.py uploads
}  # fmt: skip


async def _who(ana: Caller) -> None:
    me = await ana("me")
    assert (me["number"], me["device"], me["primary"]) == (ANA, 1, True)
    assert me["carried"] == {"rcs": True, "sms": False}
    assert (await ana("check"))["ok"] is True
    assert (await ana("strings", locale="ar-XB"))["dir"] == "rtl"
    assert await ana("certificate") is None
    told = await ana("alarms")
    assert (told["alarms"], (await ana("alarms", seen=told["cursor"]))["alarms"]) == ([], [])
    assert await ana("chats") == []


async def _talk(people: Town, ana: Caller, ben: Caller) -> str:
    assert (await ana("open", chat=BEN))["kind"] == "number"
    sent = await ana("send", chat=BEN, text="helo")
    assert sent["chat"] == BEN
    first: str = sent["message_id"]
    await event(people.ben.client, ev.MessageReceived)
    await ben("displayed", chat=ANA, message_id=first)
    await event(people.ana.client, ev.MessageDisplayed)
    assert (await ana("capabilities", chat=BEN, known=True))["chat"] == BEN
    await ana("edit", chat=BEN, message_id=first, text="hello there")
    await event(people.ben.client, ev.MessageEdited)
    answered = await ben("reply", chat=ANA, message_id=first[:8], text="hi yourself")
    await ben("send", chat=ANA, text="and again", reply_to=answered["message_id"])
    await ben("react", chat=ANA, message_id=first, emoji="👍")
    await event(people.ana.client, ev.ReactionChanged)
    oops = await ana("send", chat=BEN, text="wrong window")
    await ana("delete", chat=BEN, message_id=oops["message_id"])
    await event(people.ben.client, ev.MessageDeleted)
    place = await ana("location", chat=BEN, latitude=48.8584, longitude=2.2945, label="the tower")
    await event(people.ben.client, ev.MessageReceived, where=lambda got: got.message_id == place["message_id"])
    assert await ana("options", chat=BEN) == []
    return first


async def _history(ana: Caller, ben: Caller, first: str) -> None:
    page = await ana("messages", chat=BEN)
    said = {each["message_id"]: each for each in page["messages"]}
    hello = said[first]
    assert (hello["text"], hello["original"], hello["kind"], hello["status"]) == (
        "hello there", "helo", "text", "displayed",
    )  # fmt: skip
    assert hello["reactions"] == [{"sender": BEN, "mine": False, "emoji": "👍"}]
    kinds = [each["kind"] for each in page["messages"]]
    assert "deleted" in kinds and "location" in kinds
    # No divider: it was encrypted from its first message on.
    assert "notice" not in kinds
    assert (page["before"], page["after"]) == (False, False)
    some = await ana("messages", chat=BEN, limit=2)
    assert (len(some["messages"]), some["before"]) == (2, True)
    older = await ana("messages", chat=BEN, limit=3, before=some["messages"][0]["order"])
    assert older["after"] and older["messages"][-1]["order"] < some["messages"][0]["order"]
    middle = await ana("messages", chat=BEN, limit=3, around=first)
    assert first in [each["message_id"] for each in middle["messages"]]
    named = await ana("name", chat=BEN, name="Ben of the lake")
    assert (named["name"], named["named"]) == ("Ben of the lake", True)
    (reply,) = [
        each["reply"]
        for each in (await ana("messages", chat=BEN))["messages"]
        if each["reply"] and each["text"] == "and again"
    ]
    assert reply["sender_name"] == "Ben of the lake" and reply["text"] == "hi yourself"
    found = await ana("search", text="yourself")
    assert [hit["message"]["text"] for hit in found["hits"]] == ["hi yourself"]
    (start, end) = found["hits"][0]["ranges"][0]
    assert found["hits"][0]["text"][start:end] == "yourself"
    assert (await ana("search", text="yourself", chat=BEN, limit=1))["hits"]
    (chat,) = await ana("chats")
    assert chat["name"] == "Ben of the lake" and chat["unread"] == 2
    assert (await ana("chat", chat=BEN))["security"]["composer"] == "encrypted"
    assert (await ana("subscribe", after=0))["cursor"] == 0
    assert await ana("unsubscribe", subscription=7) == {"ended": True}
    with pytest.raises(Failed) as early:
        await ana("subscribe", after=10**9)
    assert early.value.data["code"] == "input.cursor"


async def _trust(people: Town, ana: Caller, ben: Caller) -> None:
    code = await ana("code", chat=BEN)
    other = await ben("code", chat=ANA)
    assert code["digits"] == other["digits"] == "".join(code["groups"])
    assert (code["me"], code["them"], code["them_name"]) == (ANA, BEN, "Ben of the lake")
    assert code["fresh"] and len(set(map(len, code["qr"]))) == 1 and len(code["qr"]) == len(code["qr"][0])
    assert code["qr"][0] == "0" * len(code["qr"])  # the quiet zone
    for wrong in ({"last_group": "00000", "scanned": "00"}, {}, {"scanned": "not hex"}):
        with pytest.raises(Failed) as refused:
            await ana("verify", chat=BEN, **wrong)
        assert refused.value.data["code"] == "input.verify"
    with pytest.raises(Failed) as differs:
        await ana("verify", chat=BEN, last_group=f"{(int(code['groups'][-1]) + 1) % 100_000:05d}")
    assert (differs.value.code, differs.value.data["code"]) == (-32_004, "trust.code_differs")
    verified = await ana("verify", chat=BEN, scanned=other["scannable"])
    assert (verified["state"], verified["verified_at"] > 0) == ("verified", True)
    assert "Ben of the lake" in verified["sentence"]
    assert (await ben("verify", chat=ANA, last_group=code["groups"][-1]))["state"] == "verified"
    assert (await ana("withdraw", chat=BEN))["state"] == "encrypted"
    assert (await ana("security", chat=BEN))["verified_at"] is None
    assert (await ana("accept_keys", chat=BEN))["state"] == "encrypted"


async def _groups(people: Town, ana: Caller, ben: Caller) -> None:
    made = await ana("group.create", subject="Picnic", members=[BEN])
    assert made["members"] == [ANA, BEN] and made["joined"]
    await event(people.ben.client, ev.GroupJoined)
    sent = await ana("send", chat="Picnic", text="who brings the bread?")
    await event(people.ben.client, ev.MessageReceived, where=lambda got: got.message_id == sent["message_id"])
    await event(people.ana.client, ev.MessageDelivered, where=lambda got: got.message_id == sent["message_id"])
    (said,) = [each for each in (await ana("messages", chat="Picnic"))["messages"] if each["kind"] == "text"]
    assert said["receipts"]["members"] == 1 and said["receipts"]["delivered"] == 1
    notices = [
        each["notice"]["text"] for each in (await ben("messages", chat="Picnic"))["messages"] if "notice" in each
    ]
    assert f"{ANA} added you to “Picnic”" in notices
    assert (await ana("group.subject", chat=made["chat"][:8], subject="Picnic on Sunday"))[
        "subject"
    ] == "Picnic on Sunday"
    assert [each["subject"] for each in await ana("group.list")] == ["Picnic on Sunday"]
    assert (await ana("group.info", chat=made["chat"]))["protocol"] == "signal"
    members = await ana("group.members", chat=made["chat"])
    assert [(each["name"], each["me"], each["removable"]) for each in members] == [
        (ANA, True, False), ("Ben of the lake", False, True),
    ]  # fmt: skip
    assert (await ana("group.remove", chat=made["chat"], member=BEN))["members"] == [ANA]
    assert (await ana("group.add", chat=made["chat"], members=[BEN]))["members"] == [ANA, BEN]
    assert (await ana("group.leave", chat=made["chat"]))["joined"] is False
    assert (await ana("security", chat=made["chat"]))["composer"] == "closed"


async def _files(people: Town, ana: Caller, ben: Caller, folder: Path) -> None:
    (folder / "notes.txt").write_bytes(b"bread, cheese\n" * 1_000)
    (asked, *_) = [each for each in (await ana("messages", chat=BEN))["messages"] if each["kind"] == "text"]
    given = {"path": str(folder / "notes.txt"), "content_type": "text/plain", "reply_to": asked["message_id"]}
    sent = await ana("file.send", chat=BEN, **given)
    await event(people.ben.client, ev.MessageReceived, where=lambda got: got.message_id == sent["message_id"])
    (message,) = [each for each in (await ben("messages", chat=ANA))["messages"] if each["kind"] == "file"]
    assert (message["file"]["save_as"], message["file"]["size"]) == ("notes.txt", 14_000)
    assert message["reply"]["message_id"] == asked["message_id"] and message["reply"]["text"] == asked["text"]
    shown = await ben("file.open", chat=ANA, message_id=message["message_id"])
    assert shown["size"] == 14_000
    saved = await ben("file.save", chat=ANA, message_id=message["message_id"], to=str(folder / "there.txt"))
    assert saved["state"] == "done"
    assert (folder / "there.txt").read_bytes() == (folder / "notes.txt").read_bytes()
    assert (await ben("cache"))["used"] > 0
    assert (await ben("cache.budget", bytes=1 << 20))["budget"] == 1 << 20
    assert (await ben("cache.prune"))["used"] == 0
    for done in await ana("transfers"):
        assert done["state"] == "done"
    await _stopped_transfers(people, ana, folder)


async def _stopped_transfers(people: Town, ana: Caller, folder: Path) -> None:
    """With the content server gone an upload goes on trying, until it is paused, resumed, given up."""
    people.content.close_called = True  # type: ignore[attr-defined]
    await people.content.close()
    (folder / "large.bin").write_bytes(bytes(300_000))
    transfer = await people.ana.client.upload(folder / "large.bin", name="large.bin")
    paused = await ana("transfer.pause", transfer=transfer.id[:8])
    assert paused["state"] in ("paused", "failed")
    assert (await ana("transfer.resume", transfer=transfer.id))["transfer"] == transfer.id
    assert (await ana("transfer.cancel", transfer=transfer.id))["state"] == "cancelled"
    with pytest.raises(Failed) as gone:
        await ana("transfer.cancel", transfer=transfer.id)
    assert gone.value.data["code"] == "input.transfer"


async def _devices(ana: Caller) -> None:
    (only,) = await ana("devices")
    assert only["this"] and only["device"] == 1
    assert (await ana("devices.offer"))["offer"]
    for method, params in (
        ("devices.add", {"request": "nonsense"}),
        ("devices.vouch", {"request": "nonsense"}),
        ("devices.remove", {"device": 77}),
    ):
        with pytest.raises(Failed) as refused:
            await ana(method, **params)
        assert refused.value.code in (-32_001, -32_003) and refused.value.data["class"] != "Bug"


async def _refusals(ana: Caller, first: str) -> None:
    """What a text means is checked, too, by codes that stay."""
    for method, params, code in (
        ("send", {"chat": "12345", "text": "x"}, "input.group"),
        ("send", {"chat": "+1", "text": "x"}, "input.number"),
        ("send", {"chat": BEN, "text": ""}, "input.text_empty"),
        ("send", {"chat": BEN, "text": "x" * 9_000}, "input.text_size"),
        ("send", {"chat": BEN, "text": "x", "allow": "plain-rcs.1.00"}, "input.allow"),
        ("send", {"chat": BEN, "text": "x", "reply_to": "zzzz"}, "input.target"),
        ("messages", {"chat": BEN, "before": "a", "after": "b"}, "input.window"),
        ("location", {"chat": BEN, "latitude": 91, "longitude": 0}, "input.location"),
        ("release", {"chat": BEN, "allow": ""}, "input.allow"),
        ("answer", {"chat": BEN, "message_id": "x", "suggestion": 1}, "input.suggestion"),
        ("resend", {"chat": BEN, "message_id": first}, "input.resend"),
        ("encryption.end", {"chat": BEN}, "input.protocol"),
        ("encryption.revive", {"chat": BEN}, "input.protocol"),
        ("encryption.retry", {"chat": BEN}, "input.protocol"),
        ("strings", {"locale": "xx"}, "input.locale"),
        ("file.open", {"chat": BEN, "message_id": "zzzz"}, "input.target"),
        ("group.create", {"subject": "x", "members": ["12"]}, "input.number"),
    ):
        with pytest.raises(Failed) as refused:
            await ana(method, **params)
        assert (refused.value.code, refused.value.data["code"]) == (-32_001, code), (method, refused.value.data)


async def test_sr16_a_page_names_no_place_on_the_disk_and_other_ways_have_no_media(
    people: Town, tmp_path: Path
) -> None:
    """SR-16: without `paths` neither reads nor writes there, however the names look."""
    page = Caller(Context(people.ana.client))
    for method, params in (
        ("file.send", {"chat": BEN, "path": "/etc/hostname"}),
        ("file.save", {"chat": BEN, "message_id": "x", "to": str(tmp_path / "x")}),
        ("file.open", {"chat": BEN, "message_id": "x"}),
        ("subscribe", {}),
        ("unsubscribe", {"subscription": 1}),
    ):
        with pytest.raises(Failed) as refused:
            await page(method, **params)
        assert (refused.value.code, refused.value.data["code"]) == (-32_001, "input.transport")
    assert not (tmp_path / "x").exists()


async def test_sr01_unencrypted_by_the_token_of_a_refusal_alone(tmp_path: Path) -> None:
    async with town(tmp_path, apart=True) as both, asyncio.timeout(60):
        ana = Caller(Context(both.ana.client, paths=True))
        await ana("send", chat=BEN, text="kept until there are keys")
        await plain_option(both)
        with pytest.raises(Failed) as refused:
            await ana("send", chat=BEN, text="is anybody there?", wait=False)
        assert (refused.value.code, refused.value.data["reason"]) == (-32_007, "no-keys-found")
        await ana("name", chat=BEN, name="Ben")
        with pytest.raises(Failed) as refused:
            await ana("send", chat=BEN, text="is anybody there?", wait=False)
        assert refused.value.data["sentence"].startswith("No keys of Ben were found.")
        (option,) = refused.value.data["options"]
        assert (await ana("options", chat=BEN)) == [option]
        assert "carriers" in option["sentence"]
        for made_up in ("plain-rcs", option["token"][:-2], option["token"].replace("rcs", "sms")):
            with pytest.raises(Failed) as forged:
                await ana("send", chat=BEN, text="x", allow=made_up)
            assert forged.value.data["code"] == "input.allow"
            with pytest.raises(Failed) as forged:
                await ana("release", chat=BEN, allow=made_up)
            assert forged.value.data["code"] == "input.allow"
        assert (await ana("chat", chat=BEN))["security"]["composer"] == "closed"
        assert (await ana("send", chat=BEN, text="this too", keep=True))["security"] == "no-keys-found"
        assert (await ana("keep", chat=BEN))["composer"] == "waiting"
        await ana("location", chat=BEN, latitude=1.0, longitude=2.0)  # asked once in a transition
        waiting = (await ana("chat", chat=BEN))["waiting"]
        assert waiting == 3
        assert await ana("release", chat=BEN, allow=option["token"]) == {"released": 3}
        with pytest.raises(Failed) as refused:
            await ana("send", chat=BEN, text="wait", keep=True)
        assert refused.value.data["reason"] == "plain-rcs"
        sent = await ana("send", chat=BEN, text="then unencrypted")
        assert sent["security"] == "plain-rcs"
        with pytest.raises(Failed):
            await ana("send", chat=BEN, text="once more", allow=option["token"])
        security = await ana("security", chat=BEN)
        assert (security["composer"], security["plain"]) == ("plain", True)
        assert await ana("typing", chat=BEN, active=True) == {}
        said = [each for each in (await ana("messages", chat=BEN))["messages"] if each["kind"] == "text"]
        assert [(each["encrypted"], each["text"]) for each in said] == [
            (False, "kept until there are keys"),
            (False, "this too"),
            (False, "then unencrypted"),
        ]


async def test_calls_of_a_batch_are_done_in_their_order(people: Town) -> None:
    calls = [
        {"jsonrpc": "2.0", "method": "send", "params": {"chat": BEN, "text": f"line {number}"}} for number in range(5)
    ]
    last = {"jsonrpc": "2.0", "id": 1, "method": "messages", "params": {"chat": BEN}}
    body = await answer(Context(people.ana.client), json.dumps([*calls, last]).encode())
    assert body is not None
    (said,) = json.loads(body)
    texts = [each["text"] for each in said["result"]["messages"] if each["kind"] == "text"]
    assert texts == [f"line {number}" for number in range(5)]

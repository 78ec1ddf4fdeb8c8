"""One process owns a profile, others work through it (SR-06): the socket, and handing over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from client.phones import ANA, BEN, Town, event, now_ms, texts
from letterlock import errors
from letterlock.carriage import Inbound
from letterlock.client import wire
from letterlock.client.profile import ProfilePaths
from letterlock.client.remote import ConnectionLost, RemoteProfile
from letterlock.engine.content import Location, Text
from letterlock.engine.events import (
    MessageDeleted,
    MessageDelivered,
    MessageReceived,
    MessageSent,
    ReactionChanged,
    SecurityChanged,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.security import Security
from letterlock.errors import InputError, LetterlockError, NotEncrypted, StoreError, TrustRequired
from letterlock.ids import MessageId, Number
from letterlock.seam import RecordKind

pytestmark = pytest.mark.anyio


async def test_listen_in_one_and_send_in_another(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        path = tmp_path / ANA
        async with town.open(path) as sender:
            assert (ana.owner, sender.owner) == (True, False)
            assert sender.me == ana.me
            chat = await sender.chat(BEN)
            sent = await chat.send("through the owner")
            assert await texts(ben, 1) == ["through the owner"]
            # The one that listens sees it too, and both see the receipt.
            assert (await event(ana, MessageSent)).event.message_id == sent
            for client in (ana, sender):
                assert (await event(client, MessageDelivered)).event.message_id == sent
            assert chat.security is Security.ENCRYPTED
            assert [message.text for message in await chat.messages()] == ["through the owner"]
            assert [(c.number, c.security) for c in await sender.chats()] == [(Number(BEN), Security.ENCRYPTED)]


async def test_everything_works_through_the_owner(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (_, ben), town.open(tmp_path / ANA) as ana:
        chat = await ana.chat(BEN)
        await chat.send("hi")
        assert await texts(ben, 1) == ["hi"]
        back = await ben.chat(ANA)
        assert (await chat.security_code()).digits == (await back.security_code()).digits
        with pytest.raises(TrustRequired) as caught:
            await chat.verify(last_group="00000" if (await chat.security_code()).groups[-1] != "00000" else "00001")
        assert caught.value.code == "trust.code_differs"
        cursor = await ana.cursor()
        await chat.verify(last_group=(await back.security_code()).groups[-1])
        await event(ana, SecurityChanged, after=cursor)
        async with asyncio.timeout(5):
            while chat.security is not Security.VERIFIED:
                await asyncio.sleep(0)
        await chat.verify(scanned=(await back.security_code()).scannable)
        with pytest.raises(InputError):
            await chat.verify()
        await back.send("hello")
        received = await event(ana, MessageReceived)
        await chat.mark_displayed(received.event.message_id)
        await chat.typing()
        await ana.settled()
        assert await ana.recall("listen") is None
        await ana.keep("listen", received.cursor)
        assert await ana.recall("listen") == received.cursor
        assert [device.device for device in await ana.devices()] == [1]
        assert (await ana.device_offer()).startswith("ll-offer-")
        with pytest.raises(InputError):
            await ana.chat("not a number")
        with pytest.raises(InputError):
            await ana.chat(ANA)


async def test_all_content_works_through_the_owner(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (_, ben), town.open(tmp_path / ANA) as ana:
        assert not ana.owner
        chat, back = await ana.chat(BEN), await ben.chat(ANA)
        first = await chat.send("hello")
        assert await texts(ben, 1) == ["hello"]
        await back.react(first, "👍")
        reply = await back.reply(first, "hi yourself")
        await event(ana, MessageReceived)
        await chat.edit(first, "hallo")
        await chat.send_location(48.73, -3.46, "café", radius=5)
        gone = await chat.send("oops")
        await chat.delete(gone)
        await event(ben, MessageDeleted)
        for phone in (chat, back):
            one, two, place, last = await phone.messages()
            assert (one.text, one.original, [mark.emoji for mark in one.reactions]) == ("hallo", "hello", ["👍"])
            assert two.message_id == reply
            assert two.reply is not None
            assert (two.reply.message_id, two.reply.sender, two.reply.text) == (first, ANA, "hallo")
            assert place.content == Location(48.73, -3.46, "café", 5)
            assert (last.deleted, last.text, last.content) == (True, None, None)
        await back.react(first, "👍", remove=True)
        await event(ana, ReactionChanged, after=(await event(ana, ReactionChanged)).cursor)
        assert (await chat.messages())[0].reactions == ()
        for wrong in (chat.edit(reply, "x"), chat.delete("nothing"), chat.react("a/../b", "👍"), chat.react(first, "")):
            with pytest.raises(InputError):
                await wrong


async def test_not_encrypted_comes_through_with_its_options(tmp_path: Path) -> None:
    """SR-01: the other process is refused in the same way, and can decide in the same way."""
    town = Town(tmp_path)
    ana = await town.create(ANA)
    async with town.open(ana), town.open(ana) as sender:
        assert not sender.owner
        chat = await sender.chat("+15550142")
        while chat.security is Security.CHECKING:
            await asyncio.sleep(0)
        with pytest.raises(NotEncrypted) as caught:
            await chat.send("secret plans")
        assert caught.value.reason == Security.NO_KEYS_FOUND.value
        assert town.net.sent == []
        (option,) = caught.value.options
        assert isinstance(option, PlainOption)
        with pytest.raises(NotEncrypted):
            await chat.send("secret plans", allow=PlainOption(option.chat, option.transition, b"guess", option.name))
        assert town.net.sent == []
        await chat.send("in the clear", allow=option)
        await sender.settled()
        assert [outbound.content_type for _, outbound in town.net.sent] == ["text/plain"]


async def test_when_the_owner_ends_another_takes_over(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path, ben_path = await town.create(ANA), await town.create(BEN)
    async with town.open(ben_path) as ben:
        first, second, third = (town.open(path) for _ in range(3))
        await first.__aenter__()
        await second.__aenter__()
        await third.__aenter__()
        assert [client.owner for client in (first, second, third)] == [True, False, False]
        listening = asyncio.ensure_future(texts(third, 2))
        await (await second.chat(BEN)).send("one")
        await (await ben.chat(ANA)).send("first back")
        await texts(ben, 1)
        await first.close()
        # Both go on; one of them owns the profile now.
        await asyncio.gather((await second.chat(BEN)).send("two"), (await third.chat(BEN)).send("three"))
        assert [client.owner for client in (second, third)].count(True) == 1
        assert sorted(await texts(ben, 3)) == ["one", "three", "two"]
        await (await ben.chat(ANA)).send("second back")
        assert await listening == ["first back", "second back"]
        with pytest.raises(StoreError):
            await first.chats()
        await second.close()
        await (await third.chat(BEN)).send("four")
        assert third.owner
        assert sorted(await texts(ben, 4)) == ["four", "one", "three", "two"]
        await third.close()


async def test_without_a_passphrase_one_can_work_through_an_owner_only(tmp_path: Path) -> None:
    from letterlock.client import Client

    town = Town(tmp_path)
    path = await town.create(ANA)
    owner = town.open(path)
    await owner.__aenter__()
    async with Client.open(path, environment=town.environment()) as guest:
        assert await guest.chats() == []
        await owner.close()
        with pytest.raises(InputError) as caught:
            await guest.chats()
        assert caught.value.code == "input.unlock"


async def test_a_request_that_is_asked_twice_is_sent_once(tmp_path: Path) -> None:
    """An owner that died after its commit had sent the message; the next one knows the request by its name."""
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        await (await ana.chat(BEN)).send("first")
        first = await ana.profile.send(Number(BEN), Text("once"), None, True, "request-1")
        again = await ana.profile.send(Number(BEN), Text("once"), None, True, "request-1")
        other = await ana.profile.send(Number(BEN), Text("other"), None, True, "request-2")
        assert first == again != other
        assert await texts(ben, 3) == ["first", "once", "other"]
        assert len([m for m in await (await ana.chat(BEN)).messages() if m.text == "once"]) == 1


async def test_sr08_requests_are_forgotten_while_the_owner_runs(tmp_path: Path) -> None:
    town = Town(tmp_path)
    late = [0]
    path, _ = await town.create(ANA), await town.create(BEN)
    async with town.open(path, clock=lambda: now_ms() + late[0]) as ana:
        await ana.chat(BEN)
        await ana.settled()
        for n in range(2):
            await ana.profile.send(Number(BEN), Text("old"), None, True, f"old-{n}")
        late[0] = 25 * 3_600_000
        for n in range(300):
            await ana.profile.send(Number(BEN), Text("new"), None, True, f"new-{n}")
        store = ana.profile._store  # type: ignore[attr-defined]
        kept = [key.name for key in store.scan(RecordKind[bytes]("client-request", bytes, bytes))]
        assert len(kept) == 300


@pytest.mark.skipif(not hasattr(os, "fork") or os.getuid() != 0, reason="only root can play another user")
async def test_sr16_a_socket_of_another_user_is_no_owner(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)  # a folder for everybody, where somebody else was first
        path = Path(folder, "owner.sock")
        script = (
            "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            "s.bind(sys.argv[1]); s.listen(); print('up', flush=True); c, _ = s.accept();"
            "c.sendall(b'{\"letterlock\": 2}\\n'); print('got', c.recv(1000), flush=True)"
        )
        thief = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(path), stdout=asyncio.subprocess.PIPE
        )
        assert thief.stdout is not None
        assert await thief.stdout.readline() == b"up\n"
        with pytest.raises(ConnectionLost):
            async with asyncio.timeout(5):
                await RemoteProfile.connect(path)
        assert await thief.stdout.readline() in (b"", b"got b''\n")
        await thief.wait()


async def test_the_socket_is_for_this_user_only(tmp_path: Path) -> None:
    """SR-16."""
    town = Town(tmp_path)
    path = await town.create(ANA)
    async with town.open(path):
        mode = os.stat(ProfilePaths.of(path).socket).st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not ProfilePaths.of(path).socket.exists()


async def test_a_profile_with_a_long_path_has_a_socket_elsewhere(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    path = await town.create(ANA)
    where = ProfilePaths.of(path).socket
    assert path not in where.parents
    assert len(os.fsencode(where)) < 100
    async with town.open(path), town.open(path) as guest:
        assert not guest.owner
        assert stat.S_IMODE(where.parent.stat().st_mode) & 0o077 == 0
        assert await guest.chats() == []


async def test_what_is_not_a_request_is_answered_with_an_error(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    async with town.open(path) as owner:
        reader, writer = await asyncio.open_unix_connection(ProfilePaths.of(path).socket)
        assert json.loads(await reader.readline()) == {"letterlock": 5}
        for line in (
            b"not json\n",
            b"[]\n",
            b'{"id": 4}\n',
            b'{"id": 5, "method": "close"}\n',
            b'{"id": 5, "method": "__init__"}\n',
            b'{"id": 6, "method": "send", "params": {"number": "+15550199"}}\n',
            b'{"id": 6, "method": "send", "params": {"number": 7, "content": {"kind": "text", "text": "x"}, "allow": null, "wait": true, "request": ""}}\n',
            b'{"id": 7, "method": "chats", "params": {"more": 1}}\n',
            b'{"id": 8, "method": "events", "params": {"after": "x"}}\n',
            b'{"id": 9, "method": "cursor", "params": []}\n',
        ):
            writer.write(line)
            answer = json.loads(await reader.readline())
            if "error" in answer:
                assert answer["error"]["code"] in ("owner.request", "owner.protocol", "input.number"), line
            else:
                assert line.startswith(b'{"id": 9')
        writer.write(b"x" * (2 << 20))  # over the limit of a line: hung up on
        with contextlib.suppress(OSError):
            await writer.drain()
            assert await reader.read() == b""
        writer.close()
        assert await owner.chats() == []


async def test_sr01_a_request_put_together_by_hand_makes_no_decision(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    async with town.open(path) as owner:
        chat = await owner.chat("+15550177")
        await owner.settled()
        (option,) = await chat.options()
        true = {"chat": option.chat, "transition": option.transition, "nonce": option.nonce.hex(), "name": option.name}
        reader, writer = await asyncio.open_unix_connection(ProfilePaths.of(path).socket)
        await reader.readline()
        send = {"number": "+15550177", "content": {"kind": "text", "text": "tulip"}, "wait": False, "request": ""}
        forged = [
            *({**true, "nonce": nonce} for nonce in ("", "00" * 16, "zz", 7, None, true["nonce"][:-2])),
            *({**true, "name": name} for name in ("", "plain-sms", "sms", None)),
            *({**true, "transition": at} for at in (-1, option.transition + 1, None, "x")),
            *({**true, "chat": name} for name in ("+15550199", "15550177", "sip:bot@example.net", "group", None)),
            *(True, [], "plain-rcs", {}),
        ]
        asked = [{**send, "allow": allow} for allow in forged]
        asked += [{**send, "allow": true, "only_encrypted": only} for only in (True, 1, 2, "no", [0])]
        for params in asked:
            writer.write(json.dumps({"id": 1, "method": "send", "params": params}).encode() + b"\n")
            assert "error" in json.loads(await reader.readline()), params
        await owner.settled()
        assert town.net.sent == [] and await chat.messages() == []
        writer.write(json.dumps({"id": 1, "method": "send", "params": {**send, "allow": true}}).encode() + b"\n")
        assert "result" in json.loads(await reader.readline())
        writer.close()


async def test_an_owner_of_another_version_is_not_misunderstood(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"letterlock": 1}\n')
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "sock")
    async with server:
        with pytest.raises(StoreError) as caught:
            await RemoteProfile.connect(tmp_path / "sock")
        assert caught.value.code == "owner.version"


async def test_a_stale_socket_of_a_killed_owner_is_no_owner(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(os.fspath(ProfilePaths.of(path).socket))
    stale.close()
    with pytest.raises(ConnectionLost):
        await RemoteProfile.connect(ProfilePaths.of(path).socket)
    async with town.open(path) as owner, town.open(path) as guest:
        assert (owner.owner, guest.owner) == (True, False)


async def test_a_consumer_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two(), town.open(tmp_path / ANA) as guest, contextlib.aclosing(guest.events(0)) as lazy:
        chat = await guest.chat(BEN)
        await chat.send("first")
        await anext(lazy)
        for n in range(300):
            await chat.send(f"{n:04d}" * 100)
        cursor = await guest.cursor()
        last = 0
        async for recorded in lazy:
            assert recorded.cursor > last
            last = recorded.cursor
            if last >= cursor:
                break


ERRORS = [
    errors.StoreConflict("a"),
    errors.InputError("b", code="input.x", hint="do y"),
    errors.NotEncrypted("c", reason="r", options=(PlainOption(Number(BEN), 3, b"n"),), hint="h"),
    errors.IdentityChanged("d", old=b"1", new=b"2"),
    errors.DirectoryError("e", code="directory.x", status=429),
    errors.TrustRequired("f"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_keep_class_code_message_and_fields(error: LetterlockError) -> None:
    back = wire.decode_error(json.loads(json.dumps(wire.encode_error(error))))
    assert type(back) is type(error)
    assert (str(back), back.code, back.hint) == (str(error), error.code, error.hint)
    for name in ("reason", "options", "old", "new", "status"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_an_error_of_an_unknown_class_is_still_an_error() -> None:
    back = wire.decode_error({"class": "FromTheFuture", "code": "x.y", "message": "m", "hint": ""})
    assert (type(back), back.code, str(back)) == (LetterlockError, "x.y", "m")
    assert isinstance(wire.decode_error({"class": "NotEncrypted"}), LetterlockError)
    assert isinstance(wire.decode_error({"class": "Any"}), LetterlockError)


async def test_sr08_a_page_of_history_that_is_too_long_for_a_line_comes_in_parts(tmp_path: Path) -> None:
    """SR-08: what a contact has sent must not keep another process from the history, nor make it ask for ever."""
    town = Town(tmp_path)
    async with town.two() as (ana, _), town.open(tmp_path / ANA) as reader:
        for n in range(70):
            await unknown_content(town, f"big-{n}", b"x" * 60_000)
        chat, owned = await reader.chat(BEN), await ana.chat(BEN)
        async with asyncio.timeout(20):
            seen = await chat.messages(limit=100)
        assert [message.message_id for message in seen] == [f"big-{n}" for n in range(70)]
        assert seen == await owned.messages(limit=100)


async def unknown_content(town: Town, message_id: str, body: bytes) -> None:
    """As another client of Ben would send it, without encryption."""
    (phone,) = town.net.phones[Number(ANA)]
    inbound = Inbound(Number(BEN), Number(ANA), MessageId(message_id), "application/x-unknown", body, now_ms())
    await phone._on_message(inbound)


async def test_a_request_that_is_too_long_is_refused_and_not_asked_for_ever(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (_, ben), town.open(tmp_path / ANA) as sender:
        chat = await sender.chat(BEN)
        for text in ("x" * (3 << 20), "half a pair: \ud83d"):
            with pytest.raises(InputError):
                async with asyncio.timeout(20):
                    await chat.send(text)
        await chat.send("short")
        assert await texts(ben, 1) == ["short"]


async def test_an_answer_that_cannot_be_written_is_an_error_and_no_silence(tmp_path: Path) -> None:
    """Nobody must wait for ever because the owner has something that is no JSON."""
    town = Town(tmp_path)
    path = await town.create(ANA)
    async with town.open(path):
        reader, writer = await asyncio.open_unix_connection(ProfilePaths.of(path).socket)
        await reader.readline()
        async with asyncio.timeout(20):
            writer.write(b'{"id": "\\ud800", "method": "cursor"}\n')
            assert json.loads(await reader.readline())["id"] == "\ud800"
            writer.write(b'{"id": 2, "method": "transfer", "params": {"transfer": "\\ud800"}}\n')
            assert "error" in json.loads(await reader.readline())
        writer.close()

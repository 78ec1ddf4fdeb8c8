"""Groups through the whole client, store and protocol, over a network in the process and over the embedded carrier."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client.lab import Lab
from client.phones import Town, event, texts
from letterlock.carriage import Conference, ConferenceView
from letterlock.client import Client
from letterlock.engine.events import (
    GroupJoined,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    MessageDelivered,
    MessageReceived,
    ReactionChanged,
    RosterMismatch,
    SubjectChanged,
)
from letterlock.engine.security import Security
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import GroupId, Number

pytestmark = pytest.mark.anyio

NUMBERS = [f"+1555010{place}" for place in range(5)]


@contextlib.asynccontextmanager
async def people(town: Town, count: int) -> AsyncIterator[list[Client]]:
    paths = [await town.create(number) for number in NUMBERS[:count]]
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(town.open(path)) for path in paths]


async def test_a_group_of_four(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with people(town, 4) as clients:
        a, b, c, d = clients
        group = await a.create_group(NUMBERS[1:3], "Hikers")
        joined = (await event(b, GroupJoined)).event
        assert (joined.by, joined.subject, joined.members) == (NUMBERS[0], "Hikers", tuple(NUMBERS[:3]))
        there = await b.group(joined.chat)
        message = await group.send("up we go")
        assert await texts(b, 1) == await texts(c, 1) == ["up we go"]
        await there.react(message, "\N{THUMBS UP SIGN}")
        assert (await event(a, ReactionChanged)).event.chat == group.name
        await there.reply(message, "wait for me")
        received = (await event(a, MessageReceived)).event
        assert (received.sender, received.reply_to, received.text) == (NUMBERS[1], message, "wait for me")
        await group.add(NUMBERS[3])
        assert (await event(b, MemberAdded)).event.member == NUMBERS[3]
        joined = (await event(d, GroupJoined)).event
        late = await d.group(joined.chat)
        await late.send("hello all")
        assert await texts(c, 3) == ["up we go", "wait for me", "hello all"]
        await there.set_subject("Climbers")
        assert (await event(d, SubjectChanged)).event.subject == "Climbers"
        await group.remove(NUMBERS[3])
        assert (await event(d, MemberRemoved)).event.member == NUMBERS[3]
        with pytest.raises(InputError) as caught:
            await late.send("still here?")
        assert caught.value.code == "input.group_left"
        await (await c.group(group.name)).leave()
        assert (await event(a, MemberLeft)).event.member == NUMBERS[2]
        info = await group.info()
        assert [member.number for member in info.members] == NUMBERS[:2] and info.joined
        assert [member.removable for member in info.members] == [False, True]
        assert info.security is group.security is Security.ENCRYPTED
        assert [each.subject for each in await a.groups()] == ["Climbers"]
        assert await a.chats() == [] or all(chat.number in NUMBERS for chat in await a.chats())
        history = [view.text for view in await group.messages() if view.content_type.startswith("text/")]
        assert history == ["up we go", "wait for me", "hello all"]
        assert not any(b"up we go" in outbound.body or b"Hikers" in outbound.body for _, outbound in town.net.sent)


async def test_receipts_of_a_group(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with people(town, 3) as (a, b, c):
        group = await a.create_group(NUMBERS[1:3])
        message = await group.send("x")
        for member in NUMBERS[1:3]:
            await event(
                a,
                MessageDelivered,
                where=lambda told, member=member: (told.message_id, told.member) == (message, member),
            )
        assert await group.delivered(message) == (2, 0, 2)
        for client in (b, c):
            await event(client, MessageReceived)
            await (await client.group(group.name)).mark_displayed(message)


async def test_a_group_needs_the_keys_of_everybody(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with people(town, 2) as (a, _):
        with pytest.raises(NotEncrypted) as caught:
            await a.create_group([NUMBERS[1], "+15559999999"], "x")
        assert caught.value.options == () and caught.value.reason == "no-keys-found"
        group = await a.create_group([NUMBERS[1]], "x")
        with pytest.raises(NotEncrypted):
            await group.add("+15559999999")
        with pytest.raises(InputError):
            await a.group("0" * 32)
        with pytest.raises(InputError):
            await a.group(NUMBERS[1])
        assert (await a.conversation(group.name)).name == group.name


async def test_another_process_uses_groups_too(tmp_path: Path) -> None:
    town = Town(tmp_path)
    paths = [await town.create(number) for number in NUMBERS[:2]]
    async with town.open(paths[0]), town.open(paths[1]) as b, town.open(paths[0]) as second:
        assert not second.owner
        group = await second.create_group([NUMBERS[1]], "Shared")
        await group.send("from the second")
        assert await texts(b, 1) == ["from the second"]
        info = await group.info()
        assert info.subject == "Shared" and [member.me for member in info.members] == [True, False]
        await group.set_icon(bytes(range(32)), "https://content.example.test/x")
        assert (await group.info()).icon_digest == bytes(range(32))
        assert group.security is Security.ENCRYPTED
        await group.remove(NUMBERS[1])
        assert [each.group for each in await second.groups()] == [group.name]
        assert (await group.delivered("nothing-known")).members == 0
        await group.leave()
        with pytest.raises(InputError):
            await group.send("x")


async def test_a_restart_keeps_the_group(tmp_path: Path) -> None:
    town = Town(tmp_path)
    paths = [await town.create(number) for number in NUMBERS[:2]]
    async with town.open(paths[1]) as b:
        async with town.open(paths[0]) as a:
            name = (await a.create_group([NUMBERS[1]], "Stays")).name
            await event(b, GroupJoined)
        async with town.open(paths[0]) as a:
            group = await a.group(name)
            await group.send("after the restart")
            assert await texts(b, 1) == ["after the restart"]
            assert (await group.info()).subject == "Stays"


class Conferencing:
    """A transport that holds conferences, as far as the client sees of one."""

    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.asked: list[tuple[Conference, bool]] = []
        self.report = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def watch_conferences(self, on_conference: object) -> None:
        self.report = on_conference

    async def sync_conference(self, conference: Conference, leave: bool) -> None:
        self.asked.append((conference, leave))


async def test_a_transport_with_conferences(tmp_path: Path) -> None:
    town = Town(tmp_path)
    made: list[Conferencing] = []

    def transport(environment: object, settings: object, identity: object, on_message: object) -> Conferencing:
        made.append(Conferencing(town.net.transport(identity.number, on_message)))  # type: ignore[attr-defined,arg-type]
        return made[-1]

    paths = [await town.create(number) for number in NUMBERS[:3]]
    async with town.open(paths[0], transport=transport) as a, town.open(paths[1]), town.open(paths[2]):
        group = await a.create_group(NUMBERS[1:3], "Hikers")
        await group.remove(NUMBERS[2])
        await a.settled()
        conferences = [conference.members for conference, _ in made[-1].asked]
        assert conferences[-1] == (NUMBERS[1],) and made[-1].asked[-1][0].subject == "Hikers"
        view = ConferenceView(GroupId(bytes.fromhex(group.name)), "sip:conf-1@x", "", (Number("+15558888888"),))
        assert made[-1].report is not None
        await made[-1].report(view)
        told = (await event(a, RosterMismatch)).event
        assert (told.reason, told.numbers) == ("ghost", ("+15558888888",))
        await group.leave()
        await a.settled()
        assert made[-1].asked[-1][1] is True


async def test_four_people_over_the_embedded_carrier(tmp_path: Path) -> None:
    """No focus: each copy is a pager message to its member, and no plaintext is on the wire."""
    async with Lab.running(tmp_path) as lab, contextlib.AsyncExitStack() as stack:
        paths = [await lab.create(number) for number in NUMBERS[:4]]
        clients = [
            await stack.enter_async_context(Client.open(path, passphrase="tulip", environment=lab.environment))
            for path in paths
        ]
        a, b, c, d = clients
        group = await a.create_group(NUMBERS[1:3], "A secret subject")
        await event(b, GroupJoined)
        await group.add(NUMBERS[3])
        for client in (b, c, d):
            joined = (await event(client, GroupJoined)).event
            assert joined.chat == group.name
        for place, client in enumerate(clients):
            await (await client.group(group.name)).send(f"from number {place}")
        for place, client in enumerate(clients):
            expected = {f"from number {other}" for other in range(4) if other != place}
            assert set(await texts(client, 3)) == expected
        await group.remove(NUMBERS[3])
        await event(d, MemberRemoved)
        infos = [await (await client.group(group.name)).info() for client in clients[:3]]
        assert {tuple(member.number for member in info.members) for info in infos} == {tuple(NUMBERS[:3])}
        assert lab.watch.frames > 20 and not lab.watch.reused()

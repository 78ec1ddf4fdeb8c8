"""RCC.16 over everything real: carrier, MSRP relay, focus, key distribution, provisioning, clients with their stores."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from e2e.rcc16_town import BOTH, RCC16, Person, Town, town
from letterlock.carrier import Searcher
from letterlock.client import Group
from letterlock.engine import events as ev
from letterlock.engine.security import Security
from letterlock.errors import NotEncrypted

ANA, BEN, CLEO, DAN, EVE = (f"+155501{n:02d}" for n in (0, 99, 42, 77, 63))


def _shown(events: list[ev.Event], chat: str) -> list[str | None]:
    return [event.text for event in events if isinstance(event, ev.MessageReceived) and event.chat == chat]


async def _reads(person: Person, chat: str, text: str) -> None:
    await person.until(lambda events: text in _shown(events, chat))


def _clean(place: Town, *said: str) -> None:
    """The carrier, which logged every byte, has nothing of it (SR-01)."""
    searcher = Searcher(place.log)
    assert [text for text in said if searcher.search(text)] == []
    assert searcher.search(BEN)


def test_two_people_one_of_whom_speaks_nothing_else(tmp_path: Path) -> None:
    asyncio.run(_two_people_one_of_whom_speaks_nothing_else(tmp_path))


async def _two_people_one_of_whom_speaks_nothing_else(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        message_id = await chat.send("lunch at the blue crane?")
        await _reads(ben, ANA, "lunch at the blue crane?")
        theirs = await ben.client.chat(ANA)
        await theirs.mark_displayed(message_id)
        await ana.until(lambda events: any(isinstance(event, ev.MessageDisplayed) for event in events))
        await theirs.react(message_id, "\U0001f44d")
        await ana.until(lambda events: any(isinstance(event, ev.ReactionChanged) for event in events))
        assert (await chat.encryption()).protocol == "rcc16" and chat.security is Security.ENCRYPTED
        codes = {(await each.security_code()).digits for each in (chat, theirs)}
        assert len(codes) == 1
        await chat.verify(last_group=(await theirs.security_code()).groups[-1])
        assert chat.security is Security.VERIFIED
    _clean(place, "lunch at the blue crane?")


def test_a_phone_that_is_off_gets_it_when_it_is_back_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    asyncio.run(_a_phone_that_is_off_gets_it_when_it_is_back_and_a_killed_one_loses_nothing(tmp_path))


async def _a_phone_that_is_off_gets_it_when_it_is_back_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        await chat.send("begin")
        await _reads(ben, ANA, "begin")
        await ben.go()
        await chat.send("the carrier keeps this one")
        await ana.client.settled()
        await ana.go()
        await ben.come()
        await ana.come()
        await _reads(ben, ANA, "the carrier keeps this one")
        await (await ben.client.chat(ANA)).send("thanks")
        await _reads(ana, BEN, "thanks")
        seen = Counter(_shown(await ben.events(), ANA))
        assert seen == {"begin": 1, "the carrier keeps this one": 1}
    _clean(place, "begin", "the carrier keeps this one", "thanks")


def test_ended_and_begun_again(tmp_path: Path) -> None:
    asyncio.run(_ended_and_begun_again(tmp_path))


async def _ended_and_begun_again(tmp_path: Path) -> None:
    """SR-01."""
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        await chat.send("the first of them")
        await _reads(ben, ANA, "the first of them")
        theirs = await ben.client.chat(ANA)
        await theirs.end_encryption()
        await ana.until(lambda events: any(isinstance(event, ev.EncryptionEnded) for event in events))
        try:
            await chat.send("in the clear by mistake")
        except NotEncrypted as error:
            assert error.reason == "encryption-ended" and error.options
        else:
            raise AssertionError("the composer is open")
        await ben.until(lambda events: any(isinstance(event, ev.EncryptionEnded) for event in events))
        await theirs.revive_encryption()
        await ana.until(lambda events: sum(isinstance(event, ev.EncryptionStarted) for event in events) == 2)
        await chat.send("the second of them")
        await _reads(ben, ANA, "the second of them")
    _clean(place, "in the clear by mistake", "the first of them", "the second of them")


def test_five_at_a_focus_one_added_one_removed_one_back_after_ten_epochs(tmp_path: Path) -> None:
    asyncio.run(_five_at_a_focus_one_added_one_removed_one_back_after_ten_epochs(tmp_path))


async def _five_at_a_focus_one_added_one_removed_one_back_after_ten_epochs(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        cleo, dan = await place.person(CLEO, RCC16), await place.person(DAN, RCC16)
        eve = await place.person(EVE, RCC16)
        group = await ana.client.create_group([BEN, CLEO, DAN], "Regatta at dawn", protocol="rcc16")
        name = group.group
        await group.send("five o'clock, east pier")
        for person in (ben, cleo, dan):
            await _reads(person, name, "five o'clock, east pier")
        await Group(name, ben.client).add(EVE)
        await eve.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        await ana.until(lambda events: any(isinstance(event, ev.MemberAdded) for event in events))
        await Group(name, eve.client).send("glad to be aboard")
        for person in (ana, ben, cleo, dan):
            await _reads(person, name, "glad to be aboard")
        await dan.go()
        for n in range(10):
            await group.set_subject(f"Regatta {n}")
            await ana.until(
                lambda events, n=n: any(  # type: ignore[misc]
                    isinstance(event, ev.SubjectChanged) and event.subject == f"Regatta {n}" for event in events
                )
            )
        for n in range(4):
            await group.set_subject(f"Regatta, attempt {n}")  # at once: the last one counts
        await ben.until(
            lambda events: any(isinstance(e, ev.SubjectChanged) and e.subject == "Regatta, attempt 3" for e in events)
        )
        await group.remove(CLEO)
        await cleo.until(lambda events: any(isinstance(event, ev.MemberRemoved) for event in events))
        await group.send("north pier now")
        for person in (ben, eve):
            await _reads(person, name, "north pier now")
        await dan.come()
        await _reads(dan, name, "north pier now")
        await Group(name, dan.client).send("back again")
        for person in (ana, ben, eve):
            await _reads(person, name, "back again")
        info = await Group(name, dan.client).info()
        assert {member.number for member in info.members} == {ANA, BEN, DAN, EVE}
        assert (info.subject, info.protocol) == ("Regatta, attempt 3", "rcc16")
        await ben.go()
        await ben.come()  # its process has forgotten where the conference is; its profile has not
        await Group(name, ben.client).send("from a fresh start")
        await _reads(ana, name, "from a fresh start")
        assert "north pier now" not in _shown(await cleo.events(), name)
        for person in (ana, ben, dan, eve):
            assert max(Counter(_shown(await person.events(), name)).values()) == 1
    _clean(place, "five o'clock, east pier", "glad to be aboard", "north pier now", "back again", "Regatta at dawn")

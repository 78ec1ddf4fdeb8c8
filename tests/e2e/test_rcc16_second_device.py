"""A second device of a number in RCC.16: vouched for, enrolled, in the groups, and taken out again (SR-21, SR-22)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from client.phones import CHEAP
from e2e.rcc16_town import RCC16, Person, Town, town
from letterlock.client import Client, Environment, Group, SipAccount
from letterlock.client.local import LocalProfile
from letterlock.client.settings import SETTINGS
from letterlock.engine import events as ev
from letterlock.errors import KdsError
from letterlock.keystore import KeyFile

ANA, BEN = "+15550100", "+15550199"


def _account(person: Person) -> tuple[str, SipAccount]:
    """What the operator gave to a person, for another device of theirs."""
    profile = person.client.profile
    assert isinstance(profile, LocalProfile)
    settings = profile._store.get(SETTINGS)
    assert settings is not None and settings.sip is not None
    return settings.directory, settings.sip


class Tablet(Person):
    """Another device of a person."""

    async def join(self, phone: Person) -> str:
        """Set up, listed; what the primary answers is taken by `link`."""
        self.folder.mkdir()
        KeyFile(self.folder / "key").create(self.environment.rng)
        directory, sip = _account(phone)
        request = await Client.join(
            self.folder / "profile",
            await phone.client.device_offer(),
            directory=directory,
            sip=sip,
            protocols=RCC16,
            key_file=self.folder / "key",
            environment=self.environment,
        )
        assert await phone.client.add_device(request) == 2
        return await phone.client.vouch_for_device(request)

    async def link(self, answer: str) -> None:
        await Client.link(self.folder / "profile", answer, key_file=self.folder / "key", environment=self.environment)


def _tablet(place: Town, of: Person) -> Tablet:
    tablet = Tablet(place, of.number, place.folder / "tablet")
    tablet.environment = Environment(state=tablet.folder / "state", argon2=CHEAP)
    place.people.append(tablet)
    return tablet


async def _reads(person: Person, group: str, text: str) -> None:
    await person.until(
        lambda events: any(isinstance(e, ev.MessageReceived) and e.chat == group and e.text == text for e in events)
    )


def test_a_second_device_of_a_number(tmp_path: Path) -> None:
    asyncio.run(_a_second_device_of_a_number(tmp_path))


async def _a_second_device_of_a_number(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)
        group = await ana.client.create_group([BEN], "Harbour", protocol="rcc16")
        name = group.group
        await group.send("before the tablet")
        await _reads(ben, name, "before the tablet")
        tablet = _tablet(place, ana)
        answer = await tablet.join(ana)
        await tablet.link(answer)
        await tablet.come()
        await tablet.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events), 60)
        await group.send("from the phone")
        await _reads(ben, name, "from the phone")
        await tablet.until(
            lambda events: any(isinstance(e, ev.MessageSent) and e.text == "from the phone" for e in events), 30
        )
        await Group(name, tablet.client).send("from the tablet")
        await _reads(ben, name, "from the tablet")
        await ana.until(
            lambda events: any(isinstance(e, ev.MessageSent) and e.text == "from the tablet" for e in events), 30
        )
        await ana.client.remove_device(2)
        async with asyncio.timeout(30):
            while (await group.encryption()).epoch < 4:
                await asyncio.sleep(0.05)
        await group.send("without the tablet")
        await _reads(ben, name, "without the tablet")
        said = [event.text for event in await tablet.events() if isinstance(event, ev.MessageReceived)]
        assert "without the tablet" not in said
        requests = tablet.client.profile.key_server  # type: ignore[union-attr]
        assert requests is not None
        with pytest.raises(KdsError):
            requests._signed()
            await requests._kds.upload((b"package",))

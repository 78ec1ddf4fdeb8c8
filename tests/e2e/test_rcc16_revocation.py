"""An authority that issued certificates is revoked at the key distribution server (rcc16.md 1.5, 1.7; SR-22)."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from e2e.rcc16_town import BOTH, RCC16, Person, Town, town
from letterlock.client.encryption_watch import LOOKED
from letterlock.client.local import LocalProfile
from letterlock.engine import events as ev
from letterlock.engine.step import Step
from letterlock.errors import NotEncrypted
from letterlock.rcc16.credentials.issuing import Issuer, issue_ca, new_serial
from letterlock.services.kds import KeyDistributionServer
from letterlock.services.kds.authority import Authority
from letterlock.services.kds.folder import open_folder
from letterlock.services.signer import key_from_file

ANA, BEN = "+15550100", "+15550199"
DAY = 86_400_000


async def new_authority(place: Town) -> None:
    """The authority that issues is revoked; another one under the same root goes on, at the same address."""
    folder = place.folder / "network" / "kds"
    keys, lab, now = open_folder(folder, None), place.lab, time.time_ns() // 1_000_000
    root = Issuer.of(keys.authority.root, key_from_file(folder / "root.key", None).sign)
    issuing = key_from_file(folder / "issuing.key", None)
    fresh = issue_ca(
        root, name="the next one", spki=issuing.spki, path_length=0, serial=new_serial(os.urandom), now=now - 3_600_000,
        lifetime_ms=365 * DAY,
    )  # fmt: skip
    port, acs = lab.kds.port, key_from_file(folder / "acs.key", None).spki
    revoked = keys.authority.issuer.certificate.serial
    await lab.kds.close()
    lab.kds = KeyDistributionServer(
        str(place.folder / "network" / "kds.db"),
        Authority.of(lab.kds.kds, (fresh, keys.authority.root), issuing, acs),
        anchors_signer=keys.anchors,
        federation=keys.federation,
        revoked=(revoked,),
        port=port,
    )
    await lab.kds.start()


async def a_day_later(person: Person) -> None:
    """The list of trust anchors is due to be looked at."""
    profile = person.client.profile
    assert isinstance(profile, LocalProfile)
    await profile.submit(lambda state, now, rng: Step(None, {LOOKED: now - DAY}))
    profile.provisioned()


def test_a_revoked_authority_is_heard_of_within_a_day(tmp_path: Path) -> None:
    asyncio.run(_a_revoked_authority_is_heard_of_within_a_day(tmp_path))


async def _a_revoked_authority_is_heard_of_within_a_day(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        await chat.send("before")
        await ben.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await (await ben.client.chat(ANA)).send("hello")
        await ana.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await ana.client.settled()
        await ben.go()
        await new_authority(place)
        try:
            await a_day_later(ana)
            await ana.until(
                lambda events: any(
                    isinstance(event, ev.EncryptionStalled) and event.reason == "certificate-withdrawn"
                    for event in events
                )
            )
            with pytest.raises(NotEncrypted) as refused:
                await chat.send("to whom?")
            assert refused.value.reason == "stalled"
            await ben.come()
            await a_day_later(ben)
            await ben.until(lambda events: True)
            async with asyncio.timeout(60):
                while (await chat.encryption()).security.value != "encrypted":
                    await asyncio.sleep(0.1)
            await chat.send("after")
            await ben.until(
                lambda events: any(isinstance(event, ev.MessageReceived) and event.text == "after" for event in events),
                60,
            )
        finally:
            await ben.go()
            await ana.go()
            await place.lab.kds.close()

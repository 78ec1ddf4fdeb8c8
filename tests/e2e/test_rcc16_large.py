"""A group of two hundred over the real focus: two real clients, and the key packages of everybody else (rcc16.md 8, SR-08)."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from e2e.rcc16_town import RCC16, Person, Town, town
from letterlock.apps.cli.serving import operator_secret
from letterlock.carriage import Inbound
from letterlock.client import Environment, SipAccount
from letterlock.client.encryption import enrolment_of
from letterlock.client.identity import primary_identity
from letterlock.conversation_seam import PublishKeyPackages
from letterlock.engine import events as ev
from letterlock.ids import Number, number
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.services.credentials import derived_passwords
from letterlock.services.kds.folder import OUR_VENDOR
from letterlock.services.signer import key_from_file
from letterlock.transport.kds import KdsClient, KdsSigner
from letterlock.transport.rcs.transport import RcsTransport
from rcc16.world import MemoryState

ANA, BEN = "+15550100", "+15550199"
OTHERS = tuple(number(f"+1556{n:07d}") for n in range(198))
LAG_S = 1.0
"""Lenient: services and clients share one loop, and two cores are shared with whatever else runs."""


async def _phone_of(place: Town, of: Number, environment: Environment) -> None:
    """Somebody whose phone is off: a certificate, and key packages at the server."""
    lab, crypto, state = place.lab, environment.crypto, MemoryState()
    identity = primary_identity(of, "", crypto, environment.rng)
    enrolment = enrolment_of(identity, environment, OUR_VENDOR)
    enrolment = enrolment.with_settings(dataclasses.replace(enrolment.settings, one_time_packages=1))
    now = environment.clock()
    state.apply(enrolment.upkeep(state, now, environment.rng).writes)
    acs = key_from_file(place.folder / "network" / "kds" / "acs.key", None)
    ends = now // 1000 + 92 * 86_400
    proof = issue_proof(of, identity.participant_spki, str(lab.kds.kds), ends, acs.sign)
    leaf = enrolment.leaf_key(state)
    assert leaf is not None
    async with KdsClient(
        lab.kds.url, rng=environment.rng, now=environment.clock, signer=KdsSigner(of, leaf.public, leaf.sign)
    ) as kds:
        chain = await kds.enrol(enrolment.request(state, proof, now))
        anchors: TrustAnchors = lab.kds.anchors
        state.apply(enrolment.adopt(state, chain, anchors.entries(), now))
        step = enrolment.upkeep(state, now, environment.rng)
        state.apply(step.writes)
        (publish,) = [request for request in step.requests if isinstance(request, PublishKeyPackages)]
        assert await kds.upload(publish.packages) == 2
    # Registered once: the carrier keeps what comes for it, and the focus counts on it.
    password = derived_passwords(operator_secret(place.folder / "network" / "secret"), "sip")(of)
    assert password is not None
    account = SipAccount(lab.carrier.host, lab.carrier.port, lab.carrier.domain, of, password, tls=False)

    async def nothing(inbound: Inbound) -> None: ...

    phone = RcsTransport(account.config(of, str(uuid.uuid4())), nothing)
    async with phone:
        await phone.registered()


class Lag:
    """How long the loop worked on something else at most, in time of this thread: a busy machine is not its fault."""

    def __init__(self) -> None:
        self.most = 0.0

    async def measure(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.001)
            self.most = max(self.most, time.thread_time() - began)


async def _reads(person: Person, group: str, text: str) -> None:
    def there(events: list[Any]) -> bool:
        return any(isinstance(e, ev.MessageReceived) and e.chat == group and e.text == text for e in events)

    await person.until(there, 60)


@pytest.mark.slow
def test_two_hundred_members(tmp_path: Path) -> None:
    asyncio.run(_two_hundred_members(tmp_path))


async def _two_hundred_members(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        environment = Environment()
        for start in range(0, len(OTHERS), 20):
            await asyncio.gather(*(_phone_of(place, of, environment) for of in OTHERS[start : start + 20]))
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)
        lag = Lag()
        measuring = asyncio.ensure_future(lag.measure())
        group = await ana.client.create_group([BEN, *OTHERS], "Everybody", protocol="rcc16")
        await group.send("to all of you")
        await _reads(ben, group.group, "to all of you")
        measuring.cancel()
        info = await group.info()
        assert len(info.members) == 200
        assert lag.most < LAG_S, lag.most
        await group.remove(OTHERS[0])
        async with asyncio.timeout(60):
            while (await group.encryption()).epoch < 3:
                await asyncio.sleep(0.05)
        await group.send("to all but one")
        await _reads(ben, group.group, "to all but one")

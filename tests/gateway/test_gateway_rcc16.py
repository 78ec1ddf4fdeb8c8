"""RCC.16 through a gateway: groups that live in a conference, one phone there with a gateway and one without."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.rcc16_town import Person, Town, town
from letterlock.carrier import Searcher
from letterlock.client.accounts import GatewayAccount
from letterlock.client.environment import Environment
from letterlock.client.identity import Identity
from letterlock.client.network import OnMessage, Transport
from letterlock.client.settings import Settings
from letterlock.engine import events as ev
from letterlock.services.gateway import CarrierProfile, Gateway

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"


@asynccontextmanager
async def gateway_town(folder: Path) -> AsyncIterator[tuple[Town, Gateway]]:
    async with town(folder) as place:
        carrier = place.lab.carrier
        assert carrier.msrp_uri is not None
        gateway = Gateway(
            str(folder / "gateway.db"),
            CarrierProfile(
                "127.0.0.1",
                carrier.port,
                carrier.domain,
                tls=False,
                msrp_relay=carrier.msrp_uri.encode(),
                conference_factory=place.lab.addresses["focus"],
            ),
            lambda number: "lab",
            b"s" * 32,
        )
        await gateway.start()
        try:
            yield place, gateway
        finally:
            for person in place.people:
                await person.go()
            await gateway.close()


async def through(place: Town, gateway: Gateway, number: str, protocols: tuple[str, ...]) -> Person:
    """A person whose phone has the provisioned account at the carrier, and uses it through the gateway."""
    person = Person(place, number, place.folder / number.strip("+"))
    native = person.environment.transport

    def transport(
        environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage
    ) -> Transport | None:
        if settings.sip is None:
            return None
        sip = settings.sip
        account = GatewayAccount.provisioned(gateway.url, "lab", settings.instance, sip.username, sip.password, None)
        with_gateway = dataclasses.replace(settings, gateway=dataclasses.replace(account, tags=sip.tags))
        return native(environment, with_gateway, identity, on_message)

    person.environment = dataclasses.replace(person.environment, transport=transport)
    place.people.append(person)
    await person.set_up(protocols)
    await person.come()
    return person


def shown(events: list[ev.Event]) -> list[str | None]:
    return [event.text for event in events if isinstance(event, ev.MessageReceived)]


async def test_rcc16_between_a_phone_of_the_gateway_and_one_without(tmp_path: Path) -> None:
    async with gateway_town(tmp_path) as (place, gateway):
        ana = await through(place, gateway, ANA, ("signal", "rcc16"))
        ben = await place.person(BEN, ("rcc16",))
        chat = await ana.client.chat(BEN)
        await chat.send("lunch at the blue crane?")
        await ben.until(lambda events: "lunch at the blue crane?" in shown(events))
        await ana.go()  # the gateway stays, and keeps what comes
        await (await ben.client.chat(ANA)).send("at the red one")
        await ben.client.settled()
        await ana.come()
        await ana.until(lambda events: "at the red one" in shown(events))
        assert (await (await ana.client.chat(BEN)).encryption()).protocol == "rcc16"
        searcher = Searcher(place.log)
        assert not searcher.search("blue crane") and searcher.search(BEN)


async def test_a_conference_group_of_three_two_of_them_at_the_gateway(tmp_path: Path) -> None:
    async with gateway_town(tmp_path) as (place, gateway):
        ana = await through(place, gateway, ANA, ("rcc16",))
        ben = await through(place, gateway, BEN, ("rcc16",))
        cleo = await place.person(CLEO, ("rcc16",))
        group = await ana.client.create_group([BEN, CLEO], "Hikers", protocol="rcc16")
        for person in (ben, cleo):
            await person.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        await group.send("up we go")
        for person in (ben, cleo):
            await person.until(lambda events: "up we go" in shown(events))
        await (await ben.client.group(group.name)).send("coming")
        await ana.until(lambda events: "coming" in shown(events))
        await cleo.until(lambda events: "coming" in shown(events))

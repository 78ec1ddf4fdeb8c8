"""Setting up, second devices, old copies, repr, events: the client on the in-process network."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, BEN, Alert, BookClient, Town, event, texts
from letterlock.client import Client, SipAccount
from letterlock.client.environment import system_clock
from letterlock.client.identity import IDENTITY, UNPUBLISHED_LIST, Identity, Stage
from letterlock.client.profile import ProfilePaths, unlock_with
from letterlock.client.settings import SETTINGS, Settings
from letterlock.crypto.pyca import Pyca
from letterlock.crypto.secret import Secret
from letterlock.engine.events import (
    DeviceListChanged,
    MessageDelivered,
    MessageReceived,
    MessageSent,
    NumberReset,
    PrekeysLow,
    Recorded,
)
from letterlock.engine.events import StoreRolledBack as TookOldCopy
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.security import Security
from letterlock.errors import (
    DecodeError,
    DirectoryError,
    InputError,
    NotEncrypted,
    StoreError,
    StoreRolledBack,
    TransportError,
    WrongStoreKey,
)
from letterlock.keystore import KeyFile

pytestmark = pytest.mark.anyio


# --- setting up ----------------------------------------------------------------------------------------------
async def test_a_refused_code_can_be_tried_again_with_the_same_keys(tmp_path: Path) -> None:
    """SR-21: the code is bound to the participant key, so the key of a failed set-up stays the profile's."""
    town = Town(tmp_path)
    keys: list[bytes] = []

    class Remembering(BookClient):
        async def begin_claim(self, number: Any, participant_spki: bytes) -> int:
            keys.append(participant_spki)
            return await super().begin_claim(number, participant_spki)

    codes = iter(["00000000", "12345678"])

    async def code() -> str:
        return next(codes)

    environment = town.environment(
        directory=lambda environment, settings, identity: Remembering(town.book, identity.signer(Pyca()))
    )
    for outcome in (pytest.raises(DirectoryError), contextlib.nullcontext()):
        with outcome:
            await Client.create(
                tmp_path / "ana",
                ANA,
                directory="http://127.0.0.1:1",
                code=code,
                passphrase="tulip",
                environment=environment,
            )
        if len(keys) == 1:
            with pytest.raises(StoreError) as caught:
                await town.open(tmp_path / "ana").__aenter__()
            assert caught.value.code == "store.unclaimed"
    assert len(set(keys)) == 1
    async with town.open(tmp_path / "ana") as ana:
        assert ana.number == ANA
    with pytest.raises(InputError):
        await town.create(BEN, "ana")


async def test_wrong_secrets_and_missing_profiles_say_so(tmp_path: Path) -> None:
    town = Town(tmp_path)
    path = await town.create(ANA)
    with pytest.raises(WrongStoreKey):
        await Client.open(path, passphrase="rose", environment=town.environment()).__aenter__()
    with pytest.raises(StoreError) as caught:
        await town.open(tmp_path / "nobody").__aenter__()
    assert caught.value.code == "store.missing"
    with pytest.raises(InputError):
        await Client.open(path, environment=town.environment()).__aenter__()
    async with town.open(path):
        pass  # no attempt above has kept the lock
    for name in ("..", "", ".hidden"):
        with pytest.raises(InputError):
            ProfilePaths.of(name)


async def test_a_key_file_opens_the_profile(tmp_path: Path) -> None:
    """SR-11: only the file that the user names."""
    town = Town(tmp_path)
    KeyFile(tmp_path / "unlock").create(os.urandom)
    await Client.create(
        tmp_path / "ana",
        ANA,
        directory="http://127.0.0.1:1",
        code="12345678",
        key_file=tmp_path / "unlock",
        environment=town.environment(),
    )
    async with Client.open(tmp_path / "ana", key_file=tmp_path / "unlock", environment=town.environment()) as ana:
        assert ana.number == ANA
    with pytest.raises(InputError):
        unlock_with("tulip", tmp_path / "unlock")


# --- talking -------------------------------------------------------------------------------------------------
async def test_no_keys_found_refuses_and_sends_nothing(tmp_path: Path) -> None:
    """SR-01, SR-02."""
    town = Town(tmp_path)
    async with town.open(await town.create(ANA)) as ana:
        chat = await ana.chat("+15550142")
        while chat.security is Security.CHECKING:
            await asyncio.sleep(0)
        with pytest.raises(NotEncrypted):
            await chat.send("secret plans")
        assert chat.security is Security.NO_KEYS_FOUND
        assert town.net.sent == []
        # The refusal is not made softer by a restart.
    async with town.open(tmp_path / ANA) as ana:
        with pytest.raises(NotEncrypted):
            await (await ana.chat("+15550142")).send("secret plans")
        await ana.settled()
        assert town.net.sent == []


async def test_sr02_a_refused_message_has_the_keys_looked_up_again(tmp_path: Path) -> None:
    """Of a chat that was opened long ago: by the time the user has decided what to do, there may be keys."""
    town, later = Town(tmp_path), 0
    async with town.open(await town.create(ANA), clock=lambda: system_clock() + later) as ana:
        chat = await ana.chat(BEN)
        await ana.settled()
        await town.create(BEN)
        later = DEFAULTS.look_again_ms
        with pytest.raises(NotEncrypted):
            await chat.send("refused")
        await ana.settled()
        assert chat.security is Security.ENCRYPTED
        await chat.send("now")


async def test_what_was_sent_offline_goes_out_later(tmp_path: Path) -> None:
    town = Town(tmp_path)
    await town.create(ANA), await town.create(BEN)
    town.book.down = town.net.down = True
    async with town.open(tmp_path / ANA) as ana:
        await (await ana.chat(BEN)).send("when you can")
        await ana.settled()
    town.book.down = town.net.down = False
    async with town.open(tmp_path / ANA) as ana, town.open(tmp_path / BEN) as ben:
        assert await texts(ben, 1) == ["when you can"]
        await event(ana, MessageDelivered)


async def test_events_are_kept_for_those_who_come_later(tmp_path: Path) -> None:
    """No event is lost because nobody listened; each consumer has its own cursor."""
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        chat = await ana.chat(BEN)
        for n in range(5):
            await chat.send(str(n))
        assert await texts(ben, 5) == ["0", "1", "2", "3", "4"]
        third = await event(ben, MessageReceived, where=lambda e: e.text == "2")
        await ben.keep("listener", third.cursor)
    async with town.open(tmp_path / BEN) as ben:
        assert await texts(ben, 5) == ["0", "1", "2", "3", "4"]
        cursor = await ben.recall("listener")
        assert cursor == third.cursor
        assert await texts(ben, 2, after=cursor) == ["3", "4"]
        two = await asyncio.gather(texts(ben, 5), texts(ben, 2, after=cursor))
        assert [len(found) for found in two] == [5, 2]
        # `after=None` means from now on.
        newest = asyncio.ensure_future(anext(aiter(ben.events())))
        for _ in range(10):
            await asyncio.sleep(0)
        async with town.open(tmp_path / ANA) as ana:
            await (await ana.chat(BEN)).send("5")
            assert (await newest).cursor > (await event(ben, MessageReceived, where=lambda e: e.text == "4")).cursor


async def test_events_end_when_the_client_is_closed(tmp_path: Path) -> None:
    town = Town(tmp_path)
    ana = town.open(await town.create(ANA))
    await ana.__aenter__()

    async def listen() -> int:
        return len([recorded async for recorded in ana.events(0)])

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0.01)
    await ana.close()
    assert await listening >= 0


# --- devices -------------------------------------------------------------------------------------------------
async def test_a_second_device_joins_and_both_get_everything(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        offer = await ana.device_offer()
        laptop = tmp_path / "laptop"
        join = {
            "directory": "http://127.0.0.1:1",
            "name": "Laptop",
            "passphrase": "tulip",
            "environment": town.environment(),
        }
        request = await Client.join(laptop, offer, **join)
        with pytest.raises(InputError) as caught:
            await town.open(laptop).__aenter__()
        assert caught.value.code == "device.pending"
        with pytest.raises(DecodeError):
            await ana.add_device(request[:-3])
        assert await ana.add_device(request) == 2
        assert [(d.device, d.name) for d in await ana.devices()] == [(1, ""), (2, "Laptop")]
        async with town.open(laptop) as second:
            assert (second.me.number, second.me.device, second.me.primary) == (ANA, 2, False)
            with pytest.raises(InputError) as caught:
                await second.device_offer()
            assert caught.value.code == "input.not_primary"
            await (await ben.chat(ANA)).send("to all your devices")
            assert await texts(ana, 1) == await texts(second, 1) == ["to all your devices"]
            await (await second.chat(BEN)).send("from my laptop")
            assert await texts(ben, 1) == ["from my laptop"]
            copy = await event(ana, MessageSent)
            assert (copy.event.text, copy.event.device) == ("from my laptop", 2)
            await ana.remove_device(2)
            await event(ana, DeviceListChanged, where=lambda e: e.removed == (2,))
            assert [d.device for d in await ana.devices()] == [1]
        with pytest.raises(InputError):
            await Client.join(laptop, offer, **join)


async def test_a_list_that_could_not_be_published_is_published_later(tmp_path: Path) -> None:
    town = Town(tmp_path)
    await town.create(ANA)
    async with town.open(tmp_path / ANA) as ana:
        request = await Client.join(
            tmp_path / "laptop",
            await ana.device_offer(),
            directory="http://127.0.0.1:1",
            passphrase="tulip",
            environment=town.environment(),
        )
        town.book.down = True
        with pytest.raises(TransportError):
            await ana.add_device(request)
    town.book.down = False
    async with town.open(tmp_path / ANA) as ana:
        assert [d.device for d in await ana.devices()] == [1, 2]
        async with asyncio.timeout(10):
            while len(town.book.all_lists[ana.number]) < 2:
                await asyncio.sleep(0)
        await ana.settled()
        assert ana.profile._store.get(UNPUBLISHED_LIST) is None  # type: ignore[attr-defined]


async def test_a_list_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """SR-22."""
    town = Town(tmp_path)
    await town.create(ANA)
    later = 20 * 86_400_000
    async with town.open(tmp_path / ANA, clock=lambda: town_now() + later) as ana:
        async with asyncio.timeout(10):
            while len(town.book.all_lists[ana.number]) < 2:
                await asyncio.sleep(0)


def town_now() -> int:
    from client.phones import now_ms

    return now_ms()


async def test_alerts_of_the_directory_become_events_once(tmp_path: Path) -> None:
    """SR-21: a reset alerts the old devices. SR-13: draining is noticed."""
    town = Town(tmp_path)
    await town.create(ANA)
    town.book.alerts = [Alert("prekeys_drained", 5), Alert("replaced", 7), Alert("from the future", 6)]
    for _ in range(2):
        async with town.open(tmp_path / ANA) as ana:
            reset = await event(ana, NumberReset)
            assert (await event(ana, PrekeysLow)).cursor < reset.cursor
            await asyncio.sleep(0.01)
            told = [r async for r in upto(ana, await ana.cursor()) if isinstance(r.event, NumberReset | PrekeysLow)]
            assert len(told) == 2


async def test_sr13_drained_prekeys_are_replaced_at_once(tmp_path: Path) -> None:
    """SR-13: somebody has taken all of them and used none; the device is told and uploads more without waiting for a timer."""
    town = Town(tmp_path)
    await town.create(ANA)
    async with town.open(tmp_path / ANA) as ana:
        await ana.settled()
    (entry,) = town.book.uploads.values()
    assert entry["one"] and entry["kem"]
    taken = {key.id for key in entry["one"]}
    entry["one"].clear()
    entry["kem"].clear()
    town.book.alerts = [Alert("prekeys_drained", 5)]
    # A batch a minute at most, whatever a directory says.
    async with town.open(tmp_path / ANA, clock=lambda: town_now() + 120_000) as ana:
        await event(ana, PrekeysLow)
        async with asyncio.timeout(10):
            while not (entry["one"] and entry["kem"]):
                await asyncio.sleep(0.01)
    assert not taken & {key.id for key in entry["one"]}


async def upto(client: Client, cursor: int) -> AsyncIterator[Recorded]:
    async with contextlib.aclosing(client.events(0)) as events:
        async for recorded in events:
            yield recorded
            if recorded.cursor >= cursor:
                return


# --- old copies ----------------------------------------------------------------------------------------------
async def test_an_old_copy_is_refused_and_can_be_taken_into_use_with_new_sessions(tmp_path: Path) -> None:
    """SR-06: recognised before it encrypts; taken into use, no key of it is used again."""
    from client.lab import KeyWatch

    town, watch = Town(tmp_path), KeyWatch()
    ana, ben_path = await town.create(ANA), await town.create(BEN)
    async with town.open(ben_path) as ben:
        async with town.open(ana) as me:
            await (await me.chat(BEN)).send("one")
            await texts(ben, 1)
            await event(me, MessageDelivered)
        shutil.copytree(ana, tmp_path / "backup")
        async with town.open(ana) as me:
            await (await me.chat(BEN)).send("two")
            await texts(ben, 2)
            await event(me, MessageDelivered, where=lambda e: True)
            await me.settled()
        shutil.rmtree(ana)
        shutil.copytree(tmp_path / "backup", ana)
        with pytest.raises(StoreRolledBack):
            await town.open(ana).__aenter__()
        sent_before = len(town.net.sent)
        async with Client.open(ana, passphrase="tulip", use_old_copy=True, environment=town.environment()) as me:
            await event(me, TookOldCopy)
            await (await me.chat(BEN)).send("three")
            async with asyncio.timeout(20):
                while "three" not in (found := await texts(ben, 3)):
                    assert found
            assert len(town.net.sent) > sent_before
        async with town.open(ana) as me:
            await (await me.chat(BEN)).send("four")
            assert (await texts(ben, 4))[-1] == "four"
    for _, outbound in town.net.sent:
        watch.look(outbound.body)
    assert watch.reused() == []


# --- what is written and shown -------------------------------------------------------------------------------
def test_records_come_back_as_they_were() -> None:
    linked = Identity(ana_number(), b"spki", device(), 77, "Phone", Stage.ACTIVE, Secret(b"i" * 32), None)  # type: ignore[arg-type]
    primary = dataclasses.replace(linked, participant_private=Secret(b"p" * 32))
    for identity in (linked, primary):
        again = IDENTITY.kind.decode(IDENTITY.kind.encode(identity))
        for field in dataclasses.fields(Identity):
            was, found = getattr(identity, field.name), getattr(again, field.name)
            assert was.matches(found) if isinstance(was, Secret) else was == found
    sip = SipAccount("host", 5061, "domain", "user", "hush", ca_file="ca.pem")
    for settings in (Settings("https://d", None, sip, "i"), Settings("https://d", "ca", None, "i")):
        assert SETTINGS.kind.decode(SETTINGS.kind.encode(settings)) == settings
    for data in (b"", b"{}", b"[]", b"\xff", b'{"version": 1}', SETTINGS.kind.encode(settings).replace(b"1", b"2")):
        with pytest.raises(DecodeError):
            SETTINGS.kind.decode(data)


def test_repr_shows_no_secret() -> None:
    """SR-10."""
    secrets = Secret(b"\x01" * 32), Secret(b"\x02" * 32)
    identity = Identity(ana_number(), b"s", device(), 7, "", Stage.ACTIVE, *secrets)  # type: ignore[arg-type]
    shown = repr(identity) + repr(SipAccount("h", 1, "d", "u", "hush")) + repr(unlock_with("hush", None))
    assert "hush" not in shown
    assert "\\x01" not in shown
    assert "\\x02" not in shown


def ana_number() -> str:
    return ANA


def device() -> int:
    return 1

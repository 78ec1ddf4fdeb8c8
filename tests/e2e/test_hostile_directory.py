"""A directory that hides, replays, forks and forges, before the real client, store, engine and protocol."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from carrier.phone import Phone as BarePhone
from e2e.attacker import CRYPTO, Attacker
from e2e.lying_directory import ListsLie
from e2e.world import ANA, BEN, CAROL, DAY, LIMITS, PASSWORD, Phone, World
from letterlock.carrier import swallowed
from letterlock.client.identity import Identity
from letterlock.codec.prekeys import decode_bundle, encode_bundle
from letterlock.engine.events import (
    ContactKeysSeen,
    DeviceListChanged,
    DeviceListRefused,
    KeysChanged,
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    MessageSent,
    MessageUnreadable,
    NumberReset,
    OwnListMismatch,
    ProtocolNoted,
    StoreRolledBack,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.security import Security
from letterlock.errors import DirectoryError, InputError, NotEncrypted, TrustRequired
from letterlock.errors import StoreRolledBack as RolledBack
from letterlock.ids import DeviceId, Number
from letterlock.trust.device_list import VerifiedDeviceList
from letterlock.trust.requests import RequestSignature
from letterlock.trust.signed_list import decode_list, encode_list
from trust.people import Device, Owner

pytestmark = pytest.mark.anyio

QUICK_CHECK = dataclasses.replace(LIMITS, self_check_ms=300)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(tmp_path) as world:
        yield world


def about(number: Number, *lists: bytes, to: Number | None = None) -> ListsLie:
    """A lie: these lists for one number (to one asker), the truth about all others."""

    def lie(who: RequestSignature, asked: Number, since: int, honest: Sequence[bytes]) -> Sequence[bytes]:
        return lists if asked == number and to in (None, who.number) else honest

    return lie


async def talking(world: World, **changes: object) -> tuple[Phone, Phone]:
    """Ana and Ben, who have written to each other."""
    ana, ben = await world.phone(ANA), await world.phone(BEN, **changes)  # type: ignore[arg-type]
    for one, other, text in ((ana, ben, "hello"), (ben, ana, "hello too")):
        sent = await one.say(other.number, text)
        await other.hears(text)
        await one.seen(MessageDelivered, lambda event, sent=sent: event.message_id == sent)
    return ana, ben


def current(phone: Phone) -> VerifiedDeviceList:
    """A phone's own list."""
    return phone.client.profile._devices.current()  # type: ignore[union-attr]


def thief_of(world: World, phone: Phone) -> Owner:
    """Somebody who has a phone's participant key and signs with it."""
    identity: Identity = phone.identity
    assert identity.participant_private is not None
    primary = Device(
        DeviceId(1),
        identity.registration_id,
        identity.identity_private.reveal(),
        identity.key_pair(CRYPTO).public,
        b"",
        b"",
        os.urandom,
    )
    participant = identity.participant_private.reveal()
    return Owner(identity.number, participant, identity.participant_spki, primary, current(phone))


# --- what is hidden ----------------------------------------------------------------------------------------------
async def test_sr_02_keys_hidden_at_first_contact_are_no_keys_found(world: World) -> None:
    """SR-01, SR-02: the state says that no keys were found, nothing leaves, and when they appear it is encrypted."""
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    world.directory.lists = about(BEN)
    chat = await ana.ask_directory(BEN)
    assert chat.security is Security.NO_KEYS_FOUND
    with pytest.raises(NotEncrypted) as refused:
        await chat.send("secret")
    assert refused.value.reason == "no-keys-found"
    assert refused.value.options
    assert world.wire == []
    world.directory.lists = None
    assert (await ana.ask_directory(BEN)).security is Security.ENCRYPTED
    # The decision that was offered before keys were found is void.
    with pytest.raises(NotEncrypted):
        await chat.send("secret", allow=refused.value.options[0])
    await chat.send("sealed")
    assert (await ben.hears("sealed")).encrypted
    assert world.plain_on_wire() == []


async def test_sr_01_keys_hidden_later_change_nothing(world: World) -> None:
    """SR-01: a directory that forgets Ben takes nothing away, not across a restart either."""
    ana, ben = await talking(world)
    world.directory.lists = about(BEN)
    for _ in range(2):
        assert (await ana.ask_directory(BEN)).security is Security.ENCRYPTED
        await ana.restart()
    await ana.say(BEN, "as ever")
    assert (await ben.hears("as ever")).encrypted
    assert world.plain_on_wire() == []


async def test_sr_01_a_decision_counts_for_its_chat_and_transition_alone(world: World) -> None:
    """SR-01: an option of one chat is refused in another, made up, after its transition, and a second time."""
    ana = await world.phone(ANA)
    first, second = await ana.ask_directory(BEN), await ana.ask_directory(CAROL)
    with pytest.raises(NotEncrypted) as refused:
        await first.send("x")
    (option,) = refused.value.options
    (other,) = await second.options()
    for stolen in (
        other,
        dataclasses.replace(other, chat=BEN),
        dataclasses.replace(option, chat=CAROL),
        PlainOption(BEN, option.transition, bytes(16)),
        dataclasses.replace(option, nonce=b""),
        dataclasses.replace(option, transition=option.transition + 1),
        "plain-rcs",
    ):
        with pytest.raises(NotEncrypted):
            await first.send("x", allow=stolen)  # type: ignore[arg-type]
    assert world.wire == []
    # Ben's phone is there, and speaks no encryption.
    async with BarePhone(BEN, PASSWORD, port=world.carrier.port, domain=world.carrier.domain) as bare:
        await first.send("by my decision", allow=option)
        assert (await bare.next()).body == b"by my decision"
        with pytest.raises(NotEncrypted):
            await first.send("once more", allow=option)
    assert [passing.body for passing in world.wire] == [b"by my decision"]
    assert first.security is Security.PLAIN_RCS
    # Ben gets keys: the decision of before is over, the next message is encrypted, and the option is spent.
    ben = await world.phone(BEN)
    assert (await ana.ask_directory(BEN)).security is Security.ENCRYPTED
    with pytest.raises(NotEncrypted):
        await first.send("x", allow=option)
    await first.send("sealed")
    assert (await ben.hears("sealed")).encrypted
    assert [passing.body for passing in world.plain_on_wire()] == [b"by my decision"]


# --- lists that do not hold ---------------------------------------------------------------------------------------
async def test_sr_04_a_device_on_paper_is_refused(world: World) -> None:
    """SR-04: the directory adds a device of its own to Ben's list, and signs nothing, or with a key of its own."""
    ana, ben = await talking(world)
    genuine = current(ben)
    stranger = Owner.make(BEN, "directory", now=world.clock())
    spy = Device.make("spy", 2).entry(BEN, genuine.participant_spki)
    body = dataclasses.replace(
        genuine.content, serial=2, previous_head=genuine.head, issued=world.clock(), devices=(*genuine.devices, spy)
    )
    for forged in (encode_list(body), stranger.sign_content(body)):
        world.directory.lists = about(BEN, forged)
        chat = await ana.ask_directory(BEN)
        assert chat.security is Security.ENCRYPTED
        await chat.send("to one device")
    assert {event.reason for event in await ana.told(DeviceListRefused)} == {"device_list.signature"}
    await world.until(lambda: len(world.passed(ANA, BEN)) >= 4)
    assert {tuple(passing.devices()) for passing in world.passed(ANA, BEN)} == {(1,)}
    assert await ana.told(DeviceListChanged) == []


async def test_sr_04_another_persons_device_key_is_not_listed(world: World) -> None:
    """SR-04: Mallory lists Ben's device key as a second device of hers; without Ben's word the list is refused."""
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    mallory = Owner.make(CAROL, "mallory", now=world.clock())
    bens = current(ben).devices[0]
    unsigned = dataclasses.replace(bens, device=DeviceId(2))
    with_own_word = dataclasses.replace(
        unsigned, identity_signature=mallory.primary.agree_again(unsigned, CAROL, mallory.spki).identity_signature
    )
    for entry in (unsigned, with_own_word):
        world.directory.lists = about(
            CAROL, mallory.signed(devices=(*mallory.list.devices, entry), issued=world.clock())
        )
        chat = await ana.ask_directory(CAROL)
        assert chat.security is Security.CHECKING
        with pytest.raises(NotEncrypted):
            await chat.send("x", wait=False)
    assert {event.reason for event in await ana.told(DeviceListRefused)} == {"device_list.counter_signature"}
    assert await ana.told(ContactKeysSeen) == []
    assert world.wire == []


async def test_sr_22_a_removed_device_does_not_come_back_by_an_old_list(world: World) -> None:
    """SR-22: Ben removes a lost phone; the directory goes on showing the list that has it."""
    ana, ben = await talking(world)
    lost = await world.linked(ben, "lost")
    with_lost = current(ben).encoded
    await ana.ask_directory(BEN)
    await ana.say(BEN, "for both")
    await ben.hears("for both")
    await lost.hears("for both")
    await ben.client.remove_device(2)
    await ana.ask_directory(BEN)
    assert (await ana.told(DeviceListChanged))[-1].removed == (2,)
    world.directory.lists = about(BEN, with_lost)
    chat = await ana.ask_directory(BEN)
    assert (await ana.told(DeviceListRefused))[-1].reason == "device_list.replay"
    await chat.send("not for the lost one")
    await ben.hears("not for the lost one")
    assert world.passed(ANA, BEN)[-1].devices() == [1]
    assert "not for the lost one" not in await lost.heard()
    assert len(await ana.told(DeviceListChanged)) == 2


@pytest.mark.parametrize(
    ("case", "reason"),
    [("chain", "device_list.chain"), ("fork", "device_list.fork"), ("gap", "device_list.gap")],
)
async def test_sr_22_a_list_that_does_not_chain_is_refused(world: World, case: str, reason: str) -> None:
    """SR-22: signed with Ben's own stolen key, with a spy's device, but not following what Ana knows."""
    ana, ben = await talking(world)
    await world.linked(ben, "tablet")
    await ana.ask_directory(BEN)
    thief = thief_of(world, ben)
    known = thief.list
    spy = Device.make("spy", 3).entry(BEN, thief.spki)
    now = world.clock()
    content = dataclasses.replace(known.content, issued=now, expires=now + DAY, devices=(*known.devices, spy))
    forged = {
        "chain": dataclasses.replace(content, serial=known.serial + 1, previous_head=b"\x01" * 32),
        "fork": content,
        "gap": dataclasses.replace(content, serial=known.serial + 2, previous_head=known.head),
    }[case]
    world.directory.lists = about(BEN, thief.sign_content(forged), to=ANA)
    chat = await ana.ask_directory(BEN)
    assert (await ana.told(DeviceListRefused))[-1].reason == reason
    await chat.send("to those that I know")
    await ben.hears("to those that I know")
    assert world.passed(ANA, BEN)[-1].devices() == [1, 2]
    assert [event.added for event in await ana.told(DeviceListChanged)] == [(2,)]


async def test_sr_04_the_list_of_another_number_is_refused(world: World) -> None:
    """SR-04: asked for Ben the directory shows Carol's genuine list, at first contact and later."""
    ana, carol = await world.phone(ANA), await world.phone(CAROL)
    carols = current(carol).encoded
    world.directory.lists = about(BEN, carols)
    chat = await ana.ask_directory(BEN)
    assert (await ana.seen(DeviceListRefused)).reason == "device_list.other_account"
    assert chat.security is Security.CHECKING
    with pytest.raises(NotEncrypted):
        await chat.send("x", wait=False)
    world.directory.lists = None
    ben = await world.phone(BEN)
    await ana.say(BEN, "hi ben")
    await ben.hears("hi ben")
    world.directory.lists = about(BEN, carols)
    await ana.ask_directory(BEN)
    assert len(await ana.told(DeviceListRefused)) >= 2
    await ana.say(BEN, "still you")
    await ben.hears("still you")
    assert await carol.heard() == []


async def test_sr_22_an_expired_list_encrypts_nothing(world: World) -> None:
    """SR-22: a month passes and the directory has only the old list: nothing goes to it, at first contact or later."""
    ana, ben = await talking(world)
    old = current(ben).encoded
    carol = await world.phone(CAROL)
    await ben.switch_off()
    del ben.client
    world.clock.skip(31 * DAY)
    world.directory.lists = about(BEN, old)
    await ana.restart()
    await carol.restart()
    known, new = await ana.ask_directory(BEN), await carol.ask_directory(BEN)
    assert known.security is Security.CHECKING
    assert not new.security.encrypted
    before = len(world.wire)
    for chat in (known, new):
        with pytest.raises(NotEncrypted):
            await chat.send("x", wait=False)
    waiting = await known.send("when you are back")
    assert (await ana.seen(MessageSent, lambda event: event.message_id == waiting)).waiting
    assert [passing for passing in world.wire[before:] if passing.recipient == BEN] == []
    # Ben's phone comes back, renews its list, and what waited goes out encrypted.
    world.directory.lists = None
    await ben.switch_on()
    await ben.client.settled()
    await ana.ask_directory(BEN)
    assert (await ben.hears("when you are back")).encrypted


async def test_sr_02_a_capability_taken_off_the_signed_list_is_a_forgery(world: World) -> None:
    """SR-02: the directory strips `signal` from Ben's entry; the signature says no."""
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    content = decode_list(current(ben).encoded)
    stripped = tuple(dataclasses.replace(entry, capabilities=()) for entry in content.devices)
    world.directory.lists = about(BEN, encode_list(dataclasses.replace(content, devices=stripped)))
    chat = await ana.ask_directory(BEN)
    assert (await ana.seen(DeviceListRefused)).reason == "device_list.signature"
    # Not "no keys": something was there, and it did not hold. What the user may choose is never chosen for him.
    with pytest.raises(NotEncrypted):
        await chat.send("x", wait=False)
    assert world.wire == []


# --- pre-keys -------------------------------------------------------------------------------------------------------
async def test_sr_12_a_bundle_that_does_not_hold_is_not_used(world: World) -> None:
    """SR-12: a signature over another key, and another's identity: the message waits; the honest bundle sends it."""
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    mallory = await Attacker.claim(world, CAROL)
    evil = b"\x05" + CRYPTO.x25519_generate(os.urandom)[1]
    served: list[str] = []

    def forged(who: RequestSignature, number: Number, device: int, honest: bytes | None) -> bytes | None:
        if number != BEN or honest is None or who.number != ANA:
            return honest
        bundle = decode_bundle(honest)
        own = mallory.owner.primary
        wrong = [
            dataclasses.replace(bundle, signed=dataclasses.replace(bundle.signed, public=evil)),
            dataclasses.replace(
                bundle, kem=dataclasses.replace(bundle.kem, signature=own.sign_identity(bundle.kem.public))
            ),
            dataclasses.replace(
                bundle,
                identity_key=own.identity_key,
                signed=dataclasses.replace(bundle.signed, public=evil, signature=own.sign_identity(evil)),
                kem=dataclasses.replace(bundle.kem, signature=own.sign_identity(bundle.kem.public)),
            ),
        ][len(served) % 3]
        served.append(who.number)
        return encode_bundle(wrong)

    world.directory.bundle = forged
    chat = await ana.chat(BEN)
    await chat.send("sealed for ben")
    await world.until(lambda: len(served) >= 4)
    assert [passing for passing in world.passed(ANA) if passing.recipient == BEN] == []
    assert chat.security is Security.CHECKING
    notes = {event.note for event in await ana.told(ProtocolNoted)}
    assert notes == {"seal-refused:crypto.signature", "seal-refused:protocol.identity_changed"}
    world.directory.bundle = None
    assert (await ben.hears("sealed for ben")).encrypted
    await mallory.close()


async def test_sr_13_a_one_time_key_handed_out_twice_reads_once(world: World) -> None:
    """SR-13: the directory gives one bundle of Ben's to Dora and to Ana. Dora is read; Ana, a contact, is asked for a
    fresh copy in a session that Ben begins; a stranger who gets it too is shown as unreadable. Nothing else suffers."""
    ana, ben = await talking(world)
    await ana.switch_off()
    shutil.copytree(ana.profile, world.folder / "backup")
    await ana.switch_on()
    await ana.switch_off()
    shutil.rmtree(ana.profile)
    shutil.copytree(world.folder / "backup", ana.profile)
    handed: list[bytes] = []
    askers: set[Number] = set()

    def again(who: RequestSignature, number: Number, device: int, honest: bytes | None) -> bytes | None:
        if number != BEN or honest is None or who.number == BEN:
            return honest
        handed.append(handed[0] if handed else honest)
        askers.add(who.number)
        return handed[0]

    world.directory.bundle = again
    dora, eve = await world.phone(CAROL), await world.phone(Number("+15550103"))
    await dora.say(BEN, "mine first")
    await ben.hears("mine first")
    await ana.switch_on(use_old_copy=True)  # she has no session any more and needs a bundle
    sent = await ana.say(BEN, "mine second")
    refused = await ben.seen(MessageUnreadable)
    assert (refused.message_id, refused.reason, refused.asked_again) == (sent, "unknown_prekey", True)
    await ben.hears("mine second")
    await eve.say(BEN, "mine third")
    refused = await ben.seen(MessageUnreadable, lambda event: event.chat == eve.number)
    assert (refused.reason, refused.asked_again) == ("unknown_prekey", False)
    # Who asks again because an answer was late gets the same once more.
    assert askers == {ANA, CAROL, eve.number}
    assert len(set(handed)) == 1
    for phone in (ana, dora):
        await phone.say(BEN, f"and {phone.name}")
        await ben.hears(f"and {phone.name}")
    assert await ben.heard() == ["hello", "mine first", "mine second", f"and {ANA}", f"and {CAROL}"]


# --- resets ---------------------------------------------------------------------------------------------------------
async def test_sr_21_a_number_is_not_claimed_without_its_code(world: World) -> None:
    """SR-21: a wrong code, and the code that was made for another key."""
    ben = await world.phone(BEN)
    thief = Attacker.with_keys(world, Owner.make(BEN, "thief", now=world.clock()))
    await thief.directory.begin_claim(BEN, thief.owner.spki)
    other = Attacker.with_keys(world, Owner.make(BEN, "other", now=world.clock()))
    code = world.codes[-1].code
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    with pytest.raises(DirectoryError):
        await thief.directory.claim(wrong, thief.owner.list.encoded)
    with pytest.raises(DirectoryError):
        await other.directory.claim(code, other.owner.list.encoded)
    mallory = await Attacker.claim(world, CAROL)
    assert (await mallory.list_of(BEN)).account == ben.identity.account
    for attacker in (thief, other, mallory):
        await attacker.close()


async def test_sr_21_a_reset_shows_as_new_keys_and_alerts_the_old_device(world: World) -> None:
    """SR-21: Ben's number is claimed anew. Ana sees new keys; what was under way for the old ones is not encrypted again."""
    ana, ben = await talking(world, limits=QUICK_CHECK)
    # His phone is off the network, but may still ask the directory.
    world.carrier.cut(BEN)
    held = world.rule(lambda passing: swallowed() if passing.recipient == BEN else None, sender=ANA)
    under_way = await ana.say(BEN, "for the old phone")
    new = await world.phone(BEN, "ben-new")
    chat = await ana.ask_directory(BEN)
    changed = await ana.seen(KeysChanged)
    assert (changed.new_account, changed.was_verified) == (new.client.me.account, False)
    assert chat.security is Security.KEYS_NEW
    failed = await ana.seen(MessageFailed)
    assert (failed.message_id, failed.reason) == (under_way, "keys-changed")
    held()
    await chat.send("for whoever you are")
    await new.hears("for whoever you are")
    assert "for the old phone" not in await new.heard()
    await ben.seen(NumberReset, lambda event: event.account == new.client.me.account)


async def test_sr_21_a_reset_of_a_verified_contact_pauses_sending(world: World) -> None:
    """SR-21: Ana has compared codes with Ben. After the reset nothing goes out before she has decided."""
    ana, ben = await talking(world)
    chat = await ana.chat(BEN)
    code = await (await ben.chat(ANA)).security_code()
    with pytest.raises(TrustRequired):
        await chat.verify(last_group=f"{(int(code.groups[-1]) + 1) % 100_000:05d}")
    await chat.verify(scanned=code.scannable)
    assert chat.security is Security.VERIFIED
    new = await world.phone(BEN, "ben-new")
    await ana.ask_directory(BEN)
    assert (await ana.seen(KeysChanged)).was_verified
    assert chat.security is Security.NO_LONGER_VERIFIED
    before = len(world.passed(ANA, BEN))
    for _ in range(2):
        with pytest.raises(TrustRequired):
            await chat.send("is it you?")
        await ana.restart()
        chat = await ana.ask_directory(BEN)
    with pytest.raises(TrustRequired):  # the old code is no longer the code
        await chat.verify(scanned=code.scannable)
    assert chat.security is Security.NO_LONGER_VERIFIED
    assert len([p for p in world.passed(ANA, BEN)[before:] if p.frame.recipient_account == new.identity.account]) == 0
    await chat.accept_keys()
    await chat.send("is it you?")
    await new.hears("is it you?")
    assert chat.security is Security.ENCRYPTED


# --- what strangers are told about us --------------------------------------------------------------------------------
@pytest.mark.parametrize("case", ["absent", "device_list.replay", "not-ours"])
async def test_sr_22_a_wrong_answer_about_ourselves_is_noticed(world: World, case: str) -> None:
    """SR-22: Ana looks her own number up as a stranger would: hidden, an old list, one that her stolen key made."""
    ana = await world.phone(ANA, limits=QUICK_CHECK)
    first = current(ana).encoded
    await world.linked(ana, "tablet")
    thief = thief_of(world, ana)
    thief.add(3, now=world.clock())
    answers: dict[str, Sequence[bytes]] = {
        "absent": (),
        "device_list.replay": (first,),
        "not-ours": (thief.list.encoded,),
    }
    world.directory.lists = about(ANA, *answers[case])
    assert (await ana.seen(OwnListMismatch)).reason == case
    assert [device.device for device in await ana.client.devices()] == [1, 2]


async def test_sr_22_a_fork_shown_to_strangers_is_noticed(world: World) -> None:
    """SR-22: Ben alone is shown a list of Ana's, made with her stolen key, with a spy on it. His first message tells her."""
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    thief = thief_of(world, ana)
    thief.add(2, now=world.clock(), seed="spy")
    world.directory.lists = about(ANA, thief.list.encoded, to=BEN)
    await ben.say(ANA, "only for you")
    await ana.hears("only for you")
    mismatch = await ana.seen(OwnListMismatch)
    assert (mismatch.reason, mismatch.seen_by) == ("unknown-head", BEN)


# --- the store ----------------------------------------------------------------------------------------------------
async def test_sr_06_a_restored_old_copy_is_recognised_before_it_encrypts(world: World) -> None:
    """SR-06: Ana's profile is put back from a backup. It is refused; taken into use all the same it begins all sessions
    anew, also when a message of the old session comes before she writes."""
    ana, ben = await talking(world)
    await ana.client.settled()
    await ana.switch_off()
    backup = world.folder / "backup"
    shutil.copytree(ana.profile, backup)
    await ana.switch_on()
    await ana.say(BEN, "after the backup")
    await ben.hears("after the backup")
    await ana.client.settled()
    await ana.switch_off()
    await ben.say(ANA, "while you were away")
    await ben.client.settled()
    shutil.rmtree(ana.profile)
    shutil.copytree(backup, ana.profile)
    before = len(world.wire)
    with pytest.raises(RolledBack):
        await ana.switch_on()
    assert len(world.wire) == before
    await ana.switch_on(use_old_copy=True)
    await ana.seen(StoreRolledBack)
    await ana.hears("while you were away")
    await ana.say(BEN, "from the old copy")
    await ben.hears("from the old copy")
    since = [passing for passing in world.wire[before:] if passing.sender == ANA]
    assert since[0].types() == [3], "a new session is begun"
    known = {key for passing in world.wire[:before] for key in passing.ratchet_keys()}
    assert known.isdisjoint(key for passing in since for key in passing.ratchet_keys())
    await ben.say(ANA, "welcome back")
    await ana.hears("welcome back")


# --- two devices --------------------------------------------------------------------------------------------------
async def test_two_devices_of_a_number_share_every_chat(world: World) -> None:
    """SR-03, SR-04: added by offer and request; both get what is sent, and copies of what the other sent."""
    ana, ben = await talking(world)
    tablet = await world.linked(ben, "tablet")
    assert [device.name for device in await ben.client.devices()] == [BEN, "tablet"]
    await ana.ask_directory(BEN)
    assert (await ana.seen(DeviceListChanged)).added == (2,)
    await ana.say(BEN, "for both")
    await ben.hears("for both")
    await tablet.hears("for both")
    for one, other, text in ((ben, tablet, "from the phone"), (tablet, ben, "from the tablet")):
        await one.say(ANA, text)
        heard = await ana.hears(text)
        assert heard.device == one.client.me.device
        copy = await other.seen(MessageSent, lambda event, text=text: event.text == text)
        assert (copy.chat, copy.device, copy.encrypted) == (ANA, one.client.me.device, True)
    assert await tablet.heard() == ["for both"]
    orders = [[m.text for m in await (await phone.chat(ANA)).messages()] for phone in (ben, tablet)]
    assert orders[0][2:] == orders[1] == ["for both", "from the phone", "from the tablet"]


async def test_sr_22_a_removed_device_gets_nothing_more(world: World) -> None:
    """SR-22: not from contacts, not from the account's other devices; and it is told."""
    ana, ben = await talking(world)
    lost = await world.linked(ben, "lost")
    await ana.ask_directory(BEN)
    began = await ana.client.cursor()
    await ana.say(BEN, "before")
    await lost.hears("before")
    for device in (1, 2):  # else what is seen below may be a repeat of this one
        await ana.seen(MessageDelivered, lambda event, device=device: event.device == device, began)
    await ben.client.remove_device(2)
    await ana.ask_directory(BEN)
    cursor, mark = await lost.client.cursor(), len(world.wire)
    await ana.say(BEN, "after")
    await ben.hears("after")
    await ben.say(ANA, "answer")
    await ana.hears("answer")
    assert [passing.devices() for passing in world.wire[mark:] if 2 in passing.devices()] == []
    heard = [event for event in await lost.everything(after=cursor) if isinstance(event, MessageReceived | MessageSent)]
    assert heard == []


async def test_sr_04_a_device_that_the_primary_did_not_list_gets_nowhere(world: World) -> None:
    """SR-04: joined with a genuine offer, never added: it cannot open, and the directory does not listen to it."""
    _ana, ben = await talking(world)
    thief, _request = await world.joined(ben, "thief")
    with pytest.raises(InputError) as refused:
        await thief.switch_on()
    assert refused.value.code == "device.pending"
    await ben.client.settled()
    assert [device.device for device in await ben.client.devices()] == [1]

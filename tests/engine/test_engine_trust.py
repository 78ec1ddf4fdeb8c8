"""SR-04, SR-21, SR-22: device lists, new keys, verification, and what strangers are told about us."""

from __future__ import annotations

import dataclasses
import json

import pytest

from engine.toy_protocol import bundle
from engine.world import ALICE, BOB, CAROL, CRYPTO, Account, Phone, ToyKeys, World
from letterlock.codec.frame import decode_frame, encode_frame
from letterlock.engine.events import (
    ContactKeysSeen,
    DeviceListChanged,
    DeviceListRefused,
    KeysChanged,
    MessageFailed,
    MessageUnreadable,
    NumberReset,
    OwnListMismatch,
)
from letterlock.engine.security import Security
from letterlock.errors import DeviceListError, InputError, TrustRequired
from letterlock.ids import DeviceId
from letterlock.trust.authoring import add_device, create_list, remove_device
from letterlock.trust.labels import DEVICE_LIST_SIGNATURE
from letterlock.trust.signed_list import decode_list, encode_body, encode_list

DAY = 86_400_000


def talking(bobs: int = 1) -> tuple[World, Phone, list[Phone]]:
    world = World()
    (alice,), phones = world.person(ALICE), world.person(BOB, bobs)
    alice.send(BOB, "hi")
    world.run()
    phones[0].send(ALICE, "hello")
    world.run_for(10_000)
    return world, alice, phones


def reset(world: World, number: str = BOB) -> Phone:
    """Somebody claims the number with another participant key."""
    old = world.accounts[number]  # type: ignore[index]
    for phone in [phone for phone in world.phones if phone.account is old]:
        world.phones.remove(phone)
    (phone,) = world.person(number)  # type: ignore[arg-type]
    return phone


def refetch(world: World, phone: Phone, number: str = BOB) -> None:
    world.run_for(world.limits.list_refresh_ms)
    phone.do(phone.engine.open_chat, number)
    world.run()


def state(world: World, phone: Phone) -> Security:
    return phone.engine.security(phone.state, BOB, world.now)


# --- first contact ------------------------------------------------------------------------------------
def test_first_contact_is_trust_on_first_use_and_says_so() -> None:
    world, alice, (bob,) = talking()
    assert [event.chat for event in bob.told(ContactKeysSeen)] == [ALICE]
    assert [event.chat for event in alice.told(ContactKeysSeen)] == [BOB]
    assert state(world, alice) is Security.ENCRYPTED


def test_sr04_a_first_frame_without_a_list_that_holds_is_refused() -> None:
    world = World()
    (alice,), (bob,), (carol,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    bob.online = False
    alice.send(BOB, "hi")
    world.run()
    world.flying.clear()
    bob.online = True
    (outbound,) = [out for phone, out in world.sent if phone is alice]
    wire = decode_frame(outbound.body, max_frame=1 << 20, max_list=1 << 16, max_copies=9)
    for signed in (b"", wire.device_list[:-1], carol.account.list.encoded, b"\0" * 200):
        body = encode_frame(dataclasses.replace(wire, device_list=signed))
        world.inject(bob, ALICE, dataclasses.replace(outbound, body=body))
    world.inject(bob, CAROL, outbound)
    world.run_for(1)
    assert bob.shown() == []
    assert not bob.told(ContactKeysSeen)
    assert len(bob.told(MessageUnreadable)) == 5
    world.inject(bob, ALICE, outbound)
    world.run_for(1)
    assert bob.shown() == ["hi"]


def test_sr04_a_directory_that_lists_anothers_key_is_refused() -> None:
    """Mallory's device under Bob's number, without the word of either key."""
    world = World()
    (alice,), (bob,), (mallory,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    genuine = decode_list(bob.account.list.encoded)
    stolen = dataclasses.replace(mallory.account.list.devices[0], device=DeviceId(2))
    forged = dataclasses.replace(genuine, devices=(*genuine.devices, stolen))
    # Even with the participant key the device's own agreement is missing.
    signature = CRYPTO.p256_sign(bob.account._private, DEVICE_LIST_SIGNATURE + encode_body(forged))
    for candidate in (forged, dataclasses.replace(forged, signature=signature)):
        world.lists_override[BOB] = [encode_list(candidate)]
        alice.do(alice.engine.open_chat, BOB)
        world.run()
    assert not alice.told(ContactKeysSeen)
    assert {event.reason for event in alice.told(DeviceListRefused)} <= {
        "device_list.signature",
        "device_list.counter_signature",
    }
    assert len(alice.told(DeviceListRefused)) == 2


def test_sr04_a_list_of_another_number_is_refused() -> None:
    world = World()
    (alice,), (bob,), (mallory,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    world.lists_override[BOB] = [mallory.account.list.encoded]
    alice.send(BOB, "to whom?")
    world.run_for(60_000)
    assert alice.told(DeviceListRefused)[-1] == DeviceListRefused(BOB, "device_list.other_account")
    assert (bob.shown(), mallory.shown()) == ([], [])


def test_sr04_a_device_with_new_keys_gets_a_new_session() -> None:
    world, alice, (bob,) = talking()
    name = f"toy-session/{bob.account.account.hex()}/1"
    before = json.loads(alice.state.records[name])
    bob.account.replace(1, world.now)
    refetch(world, alice)
    assert alice.told(DeviceListChanged) == [DeviceListChanged(BOB, 2, (1,), (1,))]
    assert before[0] is True
    assert json.loads(alice.state.records[name])[0] is False


def test_sr13_a_bundle_is_used_once_and_not_kept() -> None:
    world = World()
    (alice,), (bob,), (carol,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    assert isinstance(world.keys, ToyKeys)
    world.keys.published.discard(carol.engine.me)
    alice.send(CAROL, "waits for a bundle")
    alice.send(BOB, "hi")
    world.run()
    assert bob.shown() == ["hi"]
    assert not [name for name in alice.state.records if name.startswith("material/")]


# --- changes --------------------------------------------------------------------------------------------
def test_sr04_a_linked_device_is_shown_and_gets_what_follows() -> None:
    world, alice, (bob,) = talking()
    second = world.link(bob.account, 2)
    bob.send(ALICE, "I have two now")
    world.run()
    assert alice.told(DeviceListChanged) == [DeviceListChanged(BOB, 2, (2,), ())]
    alice.send(BOB, "to both")
    world.run()
    assert bob.shown() == ["hi", "to both"]
    assert second.all_shown() == ["I have two now", "to both"]
    assert state(world, alice) is Security.ENCRYPTED


def test_sr22_a_list_that_is_not_known_yet_parks_the_frame_until_the_directory_answers() -> None:
    world, alice, (bob,) = talking()
    world.link(bob.account, 2)
    world.hostility.directory_down = 1.0
    bob.send(ALICE, "from the new list")
    world.run_for(1_000)
    assert alice.shown() == ["hello"]
    assert [name for name in alice.state.records if name.startswith("parked/")]
    world.hostility.directory_down = 0.0
    world.run_for(60_000)
    assert alice.shown() == ["hello", "from the new list"]
    assert not [name for name in alice.state.records if name.startswith("parked/")]


def test_sr22_an_old_list_does_not_bring_a_removed_device_back() -> None:
    world, alice, (first, second) = talking(2)
    account = first.account
    old = account.list.encoded
    account.remove(2, world.now)
    first.do(first.engine.adopt_list, account.list.encoded)
    first.send(ALICE, "one device less")
    world.run()
    assert alice.told(DeviceListChanged)[-1] == DeviceListChanged(BOB, 3, (), (2,))
    # The directory shows the old list again, and the removed device writes with it.
    world.lists_override[BOB] = [old]
    second.send(ALICE, "still here?")
    world.run_for(60_000)
    assert "still here?" not in alice.shown()
    assert alice.told(DeviceListRefused)[-1].reason == "device_list.replay"
    before = len(world.sent)
    alice.send(BOB, "to the first alone")
    world.run()
    (outbound,) = [out for phone, out in world.sent[before:] if phone is alice]
    wire = decode_frame(outbound.body, max_frame=1 << 20, max_list=1 << 16, max_copies=9)
    assert [copy.device for copy in wire.copies] == [1]


def test_sr22_a_list_that_does_not_chain_is_refused_and_shown() -> None:
    world, alice, (bob,) = talking()
    account = bob.account
    fork_a = add_device(account.list, account.entry(2), sign=account.sign, crypto=CRYPTO, now=world.now)
    fork_b = add_device(account.list, account.entry(3), sign=account.sign, crypto=CRYPTO, now=world.now)
    world.lists_override[BOB] = [fork_a.encoded]
    refetch(world, alice)
    assert alice.told(DeviceListChanged)[-1].added == (2,)
    world.lists_override[BOB] = [fork_b.encoded]
    refetch(world, alice)
    assert alice.told(DeviceListRefused)[-1] == DeviceListRefused(BOB, "device_list.fork")
    later = add_device(fork_b, account.entry(4), sign=account.sign, crypto=CRYPTO, now=world.now)
    world.lists_override[BOB] = [later.encoded]
    refetch(world, alice)
    assert alice.told(DeviceListRefused)[-1] == DeviceListRefused(BOB, "device_list.chain")


def test_sr22_a_peer_that_names_an_unknown_head_is_refused_when_the_directory_does_not_know_it_either() -> None:
    """Bob's phone holds a list that nobody else is shown: Alice notices that she is kept on an old one."""
    world, alice, (bob,) = talking()
    account = bob.account
    hidden = list(account.chain)
    account.add(2, world.now)
    bob.do(bob.engine.adopt_list, account.list.encoded)
    world.lists_override[BOB] = hidden
    bob.send(ALICE, "do you see my list?")
    world.run_for(60_000)
    assert alice.shown() == ["hello"]
    assert alice.told(DeviceListRefused)[-1] == DeviceListRefused(BOB, "unknown_head")


def test_sr22_an_expired_list_is_not_encrypted_to() -> None:
    world, alice, _ = talking()
    world.hidden.add(BOB)
    world.run_for(31 * DAY)
    world.accounts[ALICE].renew(world.now)
    alice.do(alice.engine.adopt_list, world.accounts[ALICE].list.encoded)
    before = len(world.sent)
    alice.send(BOB, "waits")
    world.run()
    assert len(world.sent) == before
    assert state(world, alice) is Security.CHECKING


def test_a_peer_that_used_our_old_list_learns_the_new_one_from_our_receipt() -> None:
    world, _, (bob,) = talking()
    second = world.link(world.accounts[ALICE], 2)
    bob.send(ALICE, "to your first device")
    world.run()
    assert bob.told(DeviceListChanged) == [DeviceListChanged(ALICE, 2, (2,), ())]
    bob.send(ALICE, "to both")
    world.run()
    assert second.shown() == ["to both"]


# --- new participant keys -----------------------------------------------------------------------------------
def test_sr21_a_reset_number_shows_as_new_keys() -> None:
    world, alice, _ = talking()
    bob = reset(world)
    bob.send(ALICE, "it is me, really")
    world.run()
    # A frame alone does not change keys: the directory confirms them first.
    assert alice.told(KeysChanged)[0].was_verified is False
    assert alice.shown() == ["hello", "it is me, really"]
    assert state(world, alice) is Security.KEYS_NEW
    alice.send(BOB, "hm")
    world.run()
    assert bob.shown() == ["hm"]
    alice.do(alice.engine.accept_keys, BOB)
    assert state(world, alice) is Security.ENCRYPTED


def test_sr21_a_forged_list_for_a_known_number_changes_nothing_without_the_directory() -> None:
    world, alice, (bob,) = talking()
    forger = World(seed=99)
    (fake,) = forger.person(BOB)
    forger.accounts[ALICE] = world.accounts[ALICE]
    forger.keys = world.keys
    fake.send(ALICE, "I am Bob")
    forger.run()
    (outbound,) = [out for phone, out in forger.sent if phone is fake]
    world.inject(alice, BOB, outbound)
    world.run_for(60_000)
    assert alice.shown() == ["hello"]
    assert not alice.told(KeysChanged)
    assert alice.told(MessageUnreadable)[-1].reason == "other_keys"
    alice.send(BOB, "to the real one")
    world.run()
    assert bob.shown() == ["hi", "to the real one"]


def test_sr21_new_keys_of_a_verified_contact_pause_sending() -> None:
    world, alice, (bob,) = talking()
    alice.do(alice.engine.mark_verified, BOB, bob.account.account)
    assert state(world, alice) is Security.VERIFIED
    bob = reset(world)
    bob.send(ALICE, "new phone")
    world.run()
    assert state(world, alice) is Security.NO_LONGER_VERIFIED
    assert alice.told(KeysChanged)[0].was_verified
    # Receiving never blocks; sending does, in every way, until the user decides.
    assert alice.shown() == ["hello", "new phone"]
    with pytest.raises(TrustRequired):
        alice.send(BOB, "paused")
    with pytest.raises(TrustRequired):
        alice.do(alice.engine.mark_verified, BOB, b"x" * 16)
    before = len(world.sent)
    alice.do(alice.engine.typing, BOB, True)
    assert len(world.sent) == before
    alice.do(alice.engine.accept_keys, BOB)
    assert state(world, alice) is Security.ENCRYPTED
    alice.send(BOB, "go on")
    world.run()
    assert bob.shown() == ["go on"]
    alice.do(alice.engine.mark_verified, BOB, bob.account.account)
    assert state(world, alice) is Security.VERIFIED


def test_what_was_not_confirmed_is_not_encrypted_again_for_new_keys_without_the_user() -> None:
    world, alice, (bob,) = talking()
    bob.online = False
    message_id = alice.send(BOB, "for the old phone")
    world.run()
    thief = reset(world)
    thief.send(ALICE, "hand it over")
    world.run_for(DAY)
    assert alice.told(MessageFailed) == [MessageFailed(BOB, message_id, "keys-changed")]
    assert thief.shown() == []


def test_security_codes_agree_and_change_with_the_keys() -> None:
    world, alice, (bob,) = talking()
    mine = alice.engine.security_code(alice.state, BOB)
    assert mine.digits == bob.engine.security_code(bob.state, ALICE).digits
    world.link(bob.account, 2)
    bob.send(ALICE, "x")
    world.run()
    assert alice.engine.security_code(alice.state, BOB) == mine
    world.run_for(10_000)
    reset(world).send(ALICE, "y")
    world.run()
    assert alice.engine.security_code(alice.state, BOB) != mine
    with pytest.raises(InputError):
        alice.engine.security_code(alice.state, CAROL)


# --- our own number ----------------------------------------------------------------------------------------------
def self_check(world: World) -> None:
    world.run_for(world.limits.self_check_ms + 1_000)


def test_sr22_a_client_checks_what_strangers_are_told_about_it() -> None:
    world, alice, _ = talking()
    self_check(world)
    assert alice.told(OwnListMismatch) == []
    account = world.accounts[ALICE]
    forged = add_device(account.list, account.entry(9), sign=account.sign, crypto=CRYPTO, now=world.now)
    for override, reason in (
        ([], "absent"),
        ([forged.encoded], "not-ours"),
        ([b"garbage"], "device_list.malformed"),
    ):
        world.lists_override[ALICE] = override
        self_check(world)
        assert alice.told(OwnListMismatch)[-1].reason == reason


def test_sr21_the_old_device_is_told_that_its_number_was_reset() -> None:
    world, alice, _ = talking()
    other = World(seed=98)
    (thief,) = other.person(ALICE)
    world.lists_override[ALICE] = [thief.account.list.encoded]
    self_check(world)
    assert len(alice.told(NumberReset)) == 1


def test_sr22_a_peer_that_was_shown_another_list_of_ours_is_noticed() -> None:
    world, alice, (bob,) = talking()
    account = world.accounts[ALICE]
    stolen_key = add_device(account.list, account.entry(9), sign=account.sign, crypto=CRYPTO, now=world.now)
    world.lists_override[ALICE] = [stolen_key.encoded]
    refetch(world, bob, ALICE)
    world.lists_override.clear()
    world.keys.publish(account.party(9), bundle(account.party(9)))
    bob.send(ALICE, "to nine too")
    world.run()
    assert alice.shown()[-1] == "to nine too"
    assert alice.told(OwnListMismatch)[-1] == OwnListMismatch("unknown-head", BOB)


def test_a_secondary_follows_its_own_list() -> None:
    world, alice, _ = talking()
    second = world.link(alice.account, 2)
    alice.account.add(3, world.now)
    alice.do(alice.engine.adopt_list, alice.account.list.encoded)
    self_check(world)
    assert DeviceListChanged(ALICE, 3, (3,), ()) in second.told(DeviceListChanged)
    removed = remove_device(alice.account.list, DeviceId(2), sign=alice.account.sign, crypto=CRYPTO, now=world.now)
    alice.account._next(removed)
    self_check(world)
    assert second.told(OwnListMismatch)[-1].reason == "removed"


def test_adopt_list_takes_only_lists_of_this_device() -> None:
    world = World()
    (alice,) = world.person(ALICE)
    (bob,) = world.person(BOB)
    with pytest.raises(DeviceListError):
        alice.do(alice.engine.adopt_list, bob.account.list.encoded)
    account = Account(ALICE, world.rng, world.now, "toy")
    fresh = create_list(
        number=ALICE,
        participant_spki=account.spki,
        primary=account.entry(1),
        sign=account.sign,
        crypto=CRYPTO,
        now=world.now,
    )
    with pytest.raises(DeviceListError):
        alice.do(alice.engine.adopt_list, fresh.encoded)
    alice.state.records.clear()
    alice.state.forget_cache()
    with pytest.raises(InputError):
        alice.do(alice.engine.adopt_list, fresh.encoded)
    with pytest.raises(InputError):
        alice.send(BOB, "too early")

"""The directory from outside: real HTTP on loopback, real SQLite, the real client."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import sqlite3
import stat
from pathlib import Path

import aiohttp
import pytest

from letterlock import ids, trust
from letterlock.codec.prekeys import KemPreKey, PreKeyBundle, PreKeyUpload, decode_bundle, encode_upload
from letterlock.errors import DirectoryError, InputError, StoreError, StoreLocked
from letterlock.ids import DeviceId
from letterlock.services.directory import Directory, DirectoryLimits, Rate
from letterlock.transport.directory import DirectoryAlert, DirectoryClient, PrekeyCounts
from letterlock.trust.requests import participant_key_hash
from postgres import ONLY_SQLITE, rows_of
from services.towns import Town
from trust.people import CRYPTO, DAY, NOW, Device, Owner, stream

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]
ANA, BEN = "+15550100", "+15550101"
MINUTE = 60_000
LOOSE = DirectoryLimits(
    claims_by_address=Rate(10_000, MINUTE),
    codes_by_number=Rate(10_000, MINUTE),
    codes_by_number_and_address=Rate(10_000, MINUTE),
    bundles_of_one_device=Rate(10_000, MINUTE),
    bundles=Rate(10_000, MINUTE),
)


async def refusal(call: object) -> tuple[int, str]:
    with pytest.raises(DirectoryError) as caught:
        await call  # type: ignore[misc]
    return caught.value.status, caught.value.code


async def bundle_of(client: DirectoryClient, owner: Owner, device: int = 1) -> PreKeyBundle:
    data = await client.bundle(owner.number, owner.account, DeviceId(device))
    assert data is not None
    return decode_bundle(data)


async def waiting(client: DirectoryClient, owner: Owner) -> PrekeyCounts:
    """How many one-time keys of the owner's primary wait: the answer to an upload that brings none."""
    return await client.upload_prekeys(encode_upload(owner.primary.prekeys(1, 0)))


# --- claims (SR-21) ------------------------------------------------------------------------------------
async def test_claim_look_up_and_bundle(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        await town.register(ana, prekeys=2)
        client = await town.register(ben)
        assert await client.lists(ana.number) == (ana.list.encoded,)
        assert await client.lists(ids.number("+15550199")) == ()
        bundle = await bundle_of(client, ana)
        assert bundle.identity_key == ana.primary.identity_key and bundle.registration_id == 1001
        assert bundle.one_time is not None and not bundle.kem_is_last_resort
        assert await client.bundle(ben.number, ben.account, DeviceId(1)) is None
        assert await client.bundle(ana.number, ben.account, DeviceId(1)) is None
        await town.client().health()


async def test_the_code_goes_to_the_operator_and_not_to_the_requester_sr21(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        answer = await town.client()._call("POST", "/v1/claims", begin(ana), signed=False)
        issued = town.codes.pop()
        assert answer == {"expires": NOW + 10 * MINUTE}
        assert issued.number == ANA and len(issued.code) == 8 and not issued.replaces
        assert issued.code not in repr(issued)
        assert issued.code not in str(answer)


def begin(owner: Owner) -> dict[str, str]:
    return {"number": owner.number, "key_hash": base64.b64encode(participant_key_hash(owner.spki)).decode()}


async def test_a_code_is_good_for_five_tries_sr21(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        good = town.codes.pop().code
        wrong = f"{(int(good) + 1) % 10**8:08}"
        for _ in range(4):
            assert await refusal(client.claim(wrong, ana.list.encoded)) == (403, "directory.code")
        # Tries survive a restart: a refusal is durable, too.
        await town.restart()
        client = town.client(ana)
        assert await refusal(client.claim(wrong, ana.list.encoded)) == (403, "directory.code")
        assert await refusal(client.claim(good, ana.list.encoded)) == (403, "directory.code")


async def test_the_fifth_try_may_be_the_right_one(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        good = town.codes.pop().code
        for _ in range(4):
            await refusal(client.claim("00000000", ana.list.encoded))
        await client.claim(good, ana.list.encoded)


async def test_a_code_lives_ten_minutes_sr21(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        town.clock.now += 10 * MINUTE
        assert await refusal(client.claim(town.codes.pop().code, ana.list.encoded)) == (403, "directory.code")


async def test_a_code_is_bound_to_the_participant_key_sr21(tmp_path: Path) -> None:
    """Mallory overhears Ana's code and claims her number with a key of her own."""
    ana, mallory = Owner.make(ANA), Owner.make(ANA, "mallory")
    async with Town.open(tmp_path) as town:
        await town.client().begin_claim(ana.number, ana.spki)
        code = town.codes.pop().code
        assert await refusal(town.client(mallory).claim(code, mallory.list.encoded)) == (403, "directory.code")
        await town.client(ana).claim(code, ana.list.encoded)


async def test_a_code_works_once_sr21(tmp_path: Path) -> None:
    ana, new = Owner.make(ANA), Owner.make(ANA, "new")
    async with Town.open(tmp_path) as town:
        await town.client().begin_claim(ana.number, ana.spki)
        old_code = town.codes.pop().code
        await town.client(ana).claim(old_code, ana.list.encoded)
        await town.register(new)
        assert await refusal(town.client(ana).claim(old_code, ana.list.encoded)) == (403, "directory.code")


async def test_only_the_keys_holder_spends_tries_sr21(tmp_path: Path) -> None:
    """Ana's list is public: sent by another, with another's signature, it must not use up her code."""
    ana, mallory = Owner.make(ANA), Owner.make(ANA, "mallory")
    async with Town.open(tmp_path) as town:
        await town.client().begin_claim(ana.number, ana.spki)
        code = town.codes.pop().code
        thief = town.client(mallory)
        for _ in range(6):
            assert await refusal(thief.claim("00000000", ana.list.encoded)) == (401, "directory.unauthenticated")
        thief.signer = dataclasses.replace(mallory.signer(), me=ana.signer().me)
        for _ in range(6):
            assert await refusal(thief.claim("00000000", ana.list.encoded)) == (401, "directory.unauthenticated")
        await town.client(ana).claim(code, ana.list.encoded)


async def test_a_claim_may_be_said_again_after_a_lost_answer(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        code = town.codes.pop().code
        await client.claim(code, ana.list.encoded)
        await client.claim(code, ana.list.encoded)
        assert await refusal(client.begin_claim(ana.number, ana.spki)) == (409, "directory.claimed")
        other = dataclasses.replace(ana, list=ana.list)
        other.renew()
        assert await refusal(client.claim(code, other.list.encoded)) == (409, "directory.claimed")


async def test_one_account_claims_one_number(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        await town.register(ana)
        moved = dataclasses.replace(ana, number=ids.number(BEN))
        moved.list = trust.create_list(
            number=moved.number,
            participant_spki=ana.spki,
            primary=ana.primary.entry(moved.number, ana.spki),
            sign=ana.sign,
            crypto=CRYPTO,
            now=NOW,
        )
        await town.client().begin_claim(moved.number, ana.spki)
        claim = town.client(moved).claim(town.codes.pop().code, moved.list.encoded)
        assert await refusal(claim) == (422, "device_list.other_account")


async def test_a_first_list_starts_at_one(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    ana.add(2)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        assert await refusal(client.claim(town.codes.pop().code, ana.list.encoded)) == (422, "device_list.serial")


# --- resets (SR-21) --------------------------------------------------------------------------------------
async def test_a_reset_replaces_the_account_and_alerts_the_old_devices_sr21(tmp_path: Path) -> None:
    old, new, ben = Owner.make(ANA), Owner.make(ANA, "new"), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        before = await town.register(old, prekeys=1)
        old.add(2)
        await before.upload_list(old.list.encoded)
        assert await before.alerts() == ()
        town.clock.now += MINUTE
        await town.client().begin_claim(new.number, new.spki)
        issued = town.codes.pop()
        assert issued.replaces
        await town.client(new).claim(issued.code, new.list.encoded)
        for device in (1, 2):
            client = town.client(old, device)
            assert await client.alerts() == (DirectoryAlert("replaced", NOW + MINUTE),)
            # What strangers are told about its own number it may still ask: so it finds out by whom it was replaced.
            assert await client.lists(old.number, since=2) == (new.list.encoded,)
            assert await refusal(client.lists(ben.number)) == (403, "directory.replaced")
            assert await refusal(client.upload_list(old.list.encoded)) == (403, "directory.replaced")
        stranger = await town.register(ben)
        # Also to one who knew more lists than the new account has: nobody misses that the keys are new.
        assert await stranger.lists(old.number, since=2) == (new.list.encoded,)
        assert await stranger.bundle(old.number, old.account, DeviceId(1)) is None
        assert await town.client(new).alerts() == ()


async def test_the_owner_takes_the_number_back_and_the_chain_goes_on(tmp_path: Path) -> None:
    ana, thief = Owner.make(ANA), Owner.make(ANA, "thief")
    async with Town.open(tmp_path) as town:
        await town.register(ana)
        await town.register(thief)
        first = ana.list
        ana.renew()
        client = await town.register(ana)
        assert await client.lists(ana.number, since=first.serial) == (ana.list.encoded,)
        assert await client.alerts() == ()
        assert [a.kind for a in await town.client(thief).alerts()] == ["replaced"]


# --- device lists (SR-04, SR-22) ---------------------------------------------------------------------------
async def test_later_lists_must_chain_sr04_sr22(tmp_path: Path) -> None:
    ana, mallory = Owner.make(ANA), Owner.make(ANA, "mallory")
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        first, second, third = ana.list, ana.add(2), ana.add(3)
        other_second = trust.renew_list(first, sign=ana.sign, crypto=CRYPTO, now=NOW)
        assert await refusal(client.upload_list(third.encoded)) == (422, "device_list.gap")
        await client.upload_list(second.encoded)
        await client.upload_list(second.encoded)  # again, after a lost answer
        assert await refusal(client.upload_list(first.encoded)) == (422, "device_list.replay")
        assert await refusal(client.upload_list(other_second.encoded)) == (422, "device_list.fork")
        assert await refusal(client.upload_list(mallory.list.encoded)) == (422, "device_list.other_account")
        assert await refusal(client.upload_list(b"list")) == (422, "device_list.malformed")
        broken = dataclasses.replace(third.content, previous_head=bytes(31) + b"x")
        assert await refusal(client.upload_list(ana.sign_content(broken))) == (422, "device_list.chain")
        assert await client.lists(ana.number, since=1) == (second.encoded,)


async def test_another_devices_key_cannot_be_listed_sr04(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        theirs = dataclasses.replace(ben.list.devices[0], device=DeviceId(2))
        stolen = ana.signed(serial=2, previous_head=ana.list.head, devices=(*ana.list.devices, theirs))
        assert await refusal(client.upload_list(stolen)) == (422, "device_list.counter_signature")


async def test_a_device_speaks_only_for_its_own_account_sr17(tmp_path: Path) -> None:
    ana, mallory = Owner.make(ANA), Owner.make(BEN, "mallory")
    async with Town.open(tmp_path) as town:
        await town.register(ana)
        client = await town.register(mallory)
        second = ana.add(2)
        assert await refusal(client.upload_list(second.encoded)) == (422, "device_list.other_account")
        client.signer = dataclasses.replace(mallory.signer(), me=ana.signer().me)
        assert await refusal(client.upload_list(second.encoded)) == (401, "directory.unauthenticated")


async def test_a_removed_device_is_out_at_once_sr22(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        await client.upload_list(ana.add(2).encoded)
        tablet = town.client(ana, 2)
        await tablet.upload_prekeys(encode_upload(ana.device(2).prekeys(1, 3)))
        other = await town.register(ben)
        assert (await bundle_of(other, ana, 2)).one_time is not None
        await client.upload_list(ana.remove(2).encoded)
        assert await refusal(tablet.lists(ana.number)) == (401, "directory.unauthenticated")
        assert await other.bundle(ana.number, ana.account, DeviceId(2)) is None
        # The id comes back with other keys: none of the old pre-keys may come with it.
        await client.upload_list(ana.add(2, seed="new").encoded)
        assert await other.bundle(ana.number, ana.account, DeviceId(2)) is None


async def test_an_expired_account_renews_itself(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        town.clock.now += 31 * DAY
        renewed = ana.renew(now=town.clock.now)
        await client.upload_list(renewed.encoded)
        assert await client.lists(ana.number) == (renewed.encoded,)


async def test_a_long_chain_comes_in_pages(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    limits = DirectoryLimits(max_lists_per_answer=3)
    async with Town.open(tmp_path, limits) as town:
        client = await town.register(ana)
        first = ana.list
        for _ in range(10):
            await client.upload_list(ana.renew().encoded)
        chain = await client.lists(ana.number, since=1)
        assert len(chain) == 10
        assert trust.verify_successor(first, chain, CRYPTO, NOW) == ana.list
        assert await client.lists(ana.number) == (ana.list.encoded,)
        assert await client.lists(ana.number, since=11) == (ana.list.encoded,)


# --- pre-keys (SR-13) --------------------------------------------------------------------------------------
async def test_fifty_at_once_get_fifty_different_keys_sr13(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path, LOOSE) as town:
        await town.register(ana, prekeys=40)
        client = await town.register(ben)
        bundles = await asyncio.gather(*(bundle_of(client, ana) for _ in range(50)))
        one_time = [b.one_time.id for b in bundles if b.one_time]
        kem = [b.kem.id for b in bundles if not b.kem_is_last_resort]
        assert sorted(one_time) == sorted(kem) == list(range(1, 41))
        # Drained: the last-resort key, and it says so.
        rest = [b for b in bundles if b.kem_is_last_resort]
        assert len(rest) == 10 and {b.kem.id for b in rest} == {1_000_000} and not any(b.one_time for b in rest)


async def test_draining_is_noticed_sr13(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path, LOOSE) as town:
        owner = await town.register(ana, prekeys=2)
        client = await town.register(ben)
        assert await waiting(owner, ana) == PrekeyCounts(2, 2)
        await bundle_of(client, ana)
        assert await owner.alerts() == () and await waiting(owner, ana) == PrekeyCounts(1, 1)
        await bundle_of(client, ana)
        assert [alert.kind for alert in await owner.alerts()] == ["prekeys_drained"]
        counts = await owner.upload_prekeys(encode_upload(ana.primary.prekeys(3, 5)))
        assert counts == PrekeyCounts(5, 5) and counts.lowest == 5 and await owner.alerts() == ()


async def test_an_upload_said_again_does_not_bring_a_spent_key_back_sr13(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    upload = encode_upload(ana.primary.prekeys(1, 3))
    async with Town.open(tmp_path, LOOSE) as town:
        owner = await town.register(ana)
        await owner.upload_prekeys(upload)
        client = await town.register(ben)
        first = await bundle_of(client, ana)
        assert await owner.upload_prekeys(upload) == PrekeyCounts(2, 2)
        rest = [await bundle_of(client, ana) for _ in range(3)]
        assert first.one_time not in [b.one_time for b in rest] and first.kem not in [b.kem for b in rest]
        assert rest[-1].kem_is_last_resort


async def test_taking_the_number_back_does_not_bring_a_spent_key_back_sr13(tmp_path: Path) -> None:
    ana, ben, thief = Owner.make(ANA), Owner.make(BEN), Owner.make(ANA, "thief")
    upload = encode_upload(ana.primary.prekeys(1, 3))
    async with Town.open(tmp_path, LOOSE) as town:
        await (await town.register(ana)).upload_prekeys(upload)
        client = await town.register(ben)
        first = await bundle_of(client, ana)
        await town.register(thief)
        owner = await town.register(ana)
        assert await owner.upload_prekeys(upload) == PrekeyCounts(2, 2)
        rest = [await bundle_of(client, ana) for _ in range(3)]
        assert first.one_time not in [b.one_time for b in rest] and first.kem not in [b.kem for b in rest]


@pytest.mark.parametrize("wrong", ["signed", "last_resort", "one_time_kem", "one_time", "registration"])
async def test_every_key_of_an_upload_is_checked_sr12(tmp_path: Path, wrong: str) -> None:
    ana = Owner.make(ANA)
    good = ana.primary.prekeys(1, 2)
    stranger = Device.make("stranger", 1).prekeys(1, 2)
    bad: PreKeyUpload = {
        "signed": dataclasses.replace(good, signed=stranger.signed),
        "last_resort": dataclasses.replace(good, last_resort=stranger.last_resort),
        "one_time_kem": dataclasses.replace(good, one_time_kem=(good.one_time_kem[0], stranger.one_time_kem[1])),
        "one_time": dataclasses.replace(
            good, one_time=(good.one_time[0], dataclasses.replace(good.one_time[1], public=b"\x05" + bytes(32)))
        ),
        "registration": dataclasses.replace(good, registration_id=77),
    }[wrong]
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        assert await refusal(client.upload_prekeys(encode_upload(bad))) == (422, "directory.prekeys")
        assert await waiting(client, ana) == PrekeyCounts(0, 0)


async def test_one_id_is_never_two_keys(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana, prekeys=3)
        mixed = ana.primary.prekeys(10, 3)
        taken = ana.primary.prekeys(1, 1).one_time_kem[0]
        clash = dataclasses.replace(mixed, one_time_kem=(KemPreKey(2, taken.public, taken.signature),))
        assert await refusal(client.upload_prekeys(encode_upload(clash))) == (409, "directory.prekey_id")
        # Refused whole: the one-time EC keys beside it were not taken either.
        assert await waiting(client, ana) == PrekeyCounts(3, 3)


async def test_waiting_keys_are_bounded_sr08(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path, DirectoryLimits(max_one_time=5)) as town:
        client = await town.register(ana, prekeys=4)
        assert await refusal(client.upload_prekeys(encode_upload(ana.primary.prekeys(10, 2)))) == (
            413,
            "directory.prekeys_full",
        )
        assert (await refusal(client.upload_prekeys(encode_upload(ana.primary.prekeys(10, 6)))))[0] == 413
        assert await waiting(client, ana) == PrekeyCounts(4, 4)


async def test_a_malformed_upload_is_refused(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        assert (await refusal(client.upload_prekeys(b"\x01nonsense")))[0] == 400


# --- who asks, how often (SR-17) -------------------------------------------------------------------------------
async def test_strangers_and_unsigned_requests_are_refused_sr17(tmp_path: Path) -> None:
    ana, stranger = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        await town.register(ana, prekeys=1)
        client = town.client(stranger)
        for call in (
            client.lists(ana.number),
            client.bundle(ana.number, ana.account, DeviceId(1)),
            client.alerts(),
            client.upload_list(stranger.list.encoded),
            client.upload_prekeys(encode_upload(stranger.primary.prekeys(1, 1))),
        ):
            assert await refusal(call) == (401, "directory.unauthenticated")
        for method, path in (
            ("POST", "/v1/lists/query"),
            ("POST", "/v1/bundles"),
            ("GET", "/v1/alerts"),
            ("PUT", "/v1/lists"),
            ("PUT", "/v1/prekeys"),
            ("POST", "/v1/accounts"),
        ):
            unsigned = client._call(method, path, {} if method != "GET" else None, signed=False)
            assert await refusal(unsigned) == (401, "directory.unauthenticated")


async def test_a_request_replayed_or_late_is_refused_sr17(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        await town.register(ana)
        again = town.client(ana)
        again._rng = lambda n: bytes(n)  # the same nonce each time
        await again.lists(ana.number)
        assert await refusal(again.lists(ana.number)) == (401, "directory.replay")
        await town.restart()
        again = town.client(ana)
        again._rng = lambda n: bytes(n)
        assert await refusal(again.lists(ana.number)) == (401, "directory.replay")
        late = town.client(ana)
        late._now = lambda: town.clock.now - 5 * MINUTE - 1
        assert await refusal(late.lists(ana.number)) == (401, "directory.clock")
        late._now = lambda: town.clock.now + 5 * MINUTE + 1
        assert await refusal(late.lists(ana.number)) == (401, "directory.clock")
        # A nonce is kept for as long as its timestamp would pass.
        early = town.client(ana)
        early._rng = lambda n: b"\x01" * n
        early._now = lambda: NOW + 5 * MINUTE
        await early.lists(ana.number)
        town.clock.now += 10 * MINUTE
        assert await refusal(early.lists(ana.number)) == (401, "directory.replay")


async def test_look_ups_are_limited_by_account_and_refill_sr17(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path, DirectoryLimits(lookups=Rate(3, MINUTE))) as town:
        client, other = await town.register(ana), await town.register(ben)
        for _ in range(3):
            await client.lists(ana.number)
        with pytest.raises(DirectoryError) as caught:
            await client.lists(ana.number)
        assert (caught.value.status, caught.value.code, caught.value.hint) == (
            429,
            "directory.rate",
            "try again in 20 s",
        )
        await other.lists(ana.number)  # another's limit is another's
        town.clock.now += 20_000
        await client.lists(ana.number)
        assert (await refusal(client.lists(ana.number)))[0] == 429


@pytest.mark.parametrize("what", ["calls", "list_uploads", "prekey_uploads", "bundles"])
async def test_every_kind_of_call_has_a_rate_sr17(tmp_path: Path, what: str) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path, DirectoryLimits(**{what: Rate(3, MINUTE)})) as town:
        client = await town.register(ana, prekeys=0 if what == "calls" else 1)
        if what == "prekey_uploads":
            town.clock.now += MINUTE  # that of `register` counted
        for _ in range(3):
            await call_once(client, ana, what)
        assert await refusal(call_once(client, ana, what)) == (429, "directory.rate")
        town.clock.now += 20_000
        await call_once(client, ana, what)


async def call_once(client: DirectoryClient, owner: Owner, what: str) -> object:
    if what == "calls":
        return await client.alerts()
    if what == "list_uploads":
        old, new = owner.list, owner.renew()
        try:
            return await client.upload_list(new.encoded)
        except DirectoryError:
            owner.list = old
            raise
    if what == "prekey_uploads":
        return await client.upload_prekeys(encode_upload(owner.primary.prekeys(100, 0)))
    return await client.bundle(owner.number, owner.account, DeviceId(1))


async def test_a_claim_is_in_time_and_by_the_primary_itself_sr17(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = town.client(ana)
        await client.begin_claim(ana.number, ana.spki)
        code = town.codes.pop().code
        client._now = lambda: town.clock.now - 5 * MINUTE - 1
        assert await refusal(client.claim(code, ana.list.encoded)) == (401, "directory.clock")
        client._now = town.clock
        for other in ({"device": DeviceId(2)}, {"number": ids.number(BEN)}):
            client.signer = dataclasses.replace(ana.signer(), me=dataclasses.replace(ana.signer().me, **other))
            assert await refusal(client.claim(code, ana.list.encoded)) == (401, "directory.unauthenticated")
        client.signer = ana.signer()
        await client.claim(code, ana.list.encoded)


async def test_wrong_claims_are_limited_by_address_sr21(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path, DirectoryLimits(claims_by_address=Rate(3, MINUTE))) as town:
        client = town.client(ana)
        for _ in range(3):
            assert (await refusal(client.claim("00000000", ana.list.encoded)))[0] == 403
        assert await refusal(client.claim("00000000", ana.list.encoded)) == (429, "directory.rate")


async def test_a_rate_limit_says_when_to_come_back(tmp_path: Path) -> None:
    async with (
        Town.open(tmp_path, DirectoryLimits(address=Rate(1, MINUTE))) as town,
        aiohttp.ClientSession() as session,
    ):
        for expected in (200, 429):
            async with session.get(town.directory.url + "/v1/health") as got:
                assert got.status == expected
        assert got.headers["Retry-After"] == "60"


async def test_a_code_is_bound_to_a_whole_hash_sr21(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        for length in (0, 31, 33):
            body = {"number": ANA, "key_hash": base64.b64encode(bytes(length)).decode()}
            assert (await refusal(town.client()._call("POST", "/v1/claims", body, signed=False)))[0] == 400
        assert not town.codes


async def test_one_asker_cannot_drain_a_device_sr13(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        owner = await town.register(ana, prekeys=20)
        client = await town.register(ben)
        for _ in range(10):
            await bundle_of(client, ana)
        assert await refusal(bundle_of(client, ana)) == (429, "directory.rate")
        assert await waiting(owner, ana) == PrekeyCounts(10, 10)


async def test_codes_are_limited_by_number_and_by_address_sr21(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    limits = DirectoryLimits(codes_by_number=Rate(2, MINUTE), claims_by_address=Rate(4, MINUTE))
    async with Town.open(tmp_path, limits) as town:
        client = town.client()
        for n in range(2):
            await client.begin_claim(ana.number, Owner.make(ANA, f"{n}").spki)
        assert await refusal(client.begin_claim(ana.number, ana.spki)) == (429, "directory.rate")
        await client.begin_claim(ids.number(BEN), ana.spki)
        assert await refusal(client.begin_claim(ids.number("+15550102"), ana.spki)) == (429, "directory.rate")
        assert len(town.codes) == 3


async def test_one_address_cannot_lock_a_number_out_sr21(tmp_path: Path) -> None:
    """A flood of codes for Ana's number, all from one place: she still gets hers at home."""
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        refused = 0
        for n in range(20):
            try:
                await town.client().begin_claim(ana.number, Owner.make(ANA, f"{n}").spki)
            except DirectoryError as error:
                refused += error.code == "directory.rate"
        assert refused == 15
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))) as elsewhere,
            elsewhere.post(town.directory.url + "/v1/claims", json=begin(ana)) as got,
        ):
            assert got.status == 202


async def test_pending_codes_are_bounded_sr17(tmp_path: Path) -> None:
    async with Town.open(tmp_path, LOOSE) as town:
        client = town.client()
        for n in range(10):
            await client.begin_claim(ids.number(ANA), Owner.make(ANA, f"{n}").spki)
        more = Owner.make(ANA, "more").spki
        assert await refusal(client.begin_claim(ids.number(ANA), more)) == (429, "directory.rate")
        town.clock.now += 10 * MINUTE
        await client.begin_claim(ids.number(ANA), more)


async def test_unauthenticated_floods_are_stopped_before_work_sr17(tmp_path: Path) -> None:
    stranger = Owner.make(ANA)
    async with Town.open(tmp_path, DirectoryLimits(address=Rate(5, MINUTE))) as town:
        client = town.client(stranger)
        for _ in range(5):
            assert (await refusal(client.alerts()))[0] == 401
        assert (await refusal(client.alerts()))[0] == 429
        town.clock.now += MINUTE
        assert (await refusal(client.alerts()))[0] == 401


# --- what stays (SR-17) ------------------------------------------------------------------------------------------
async def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        await town.register(ana, prekeys=3)
        first = await bundle_of(await town.register(ben), ana)
        await town.restart()
        client = town.client(ben)
        assert await client.lists(ana.number) == (ana.list.encoded,)
        rest = [await bundle_of(client, ana) for _ in range(3)]
        assert first.one_time and sorted(b.one_time.id for b in (first, *rest) if b.one_time) == [1, 2, 3]
        assert rest[-1].kem_is_last_resort


async def test_every_table_has_a_retention_bound_sr17(tmp_path: Path) -> None:
    old, new, ben = Owner.make(ANA), Owner.make(ANA, "new"), Owner.make(BEN)
    async with Town.open(tmp_path, LOOSE) as town:
        await town.register(old, prekeys=2)
        client = await town.register(ben, prekeys=2)
        await bundle_of(client, old)
        await client.upload_list(ben.add(2).encoded)
        await bundle_of(client, ben)
        await town.register(new)
        await town.client().begin_claim(ids.number("+15550102"), ben.spki)
        await town.directory.close()
        before = rows_of(town.path, "directory")
        assert all(before.values()), before
        town.clock.now += 401 * DAY + 31 * DAY
        await town.restart()
        await town.directory.close()
        after = rows_of(town.path, "directory")
        assert not any(after.values()), after


async def count(town: Town, table: str, owner: Owner) -> int:
    query = f"SELECT COUNT(*) FROM {table} WHERE account = ?"
    return await town.directory._writer.run(lambda t: t.connection.execute(query, (owner.account,)).fetchone()[0])


async def test_a_reset_drops_what_the_old_account_published_sr17(tmp_path: Path) -> None:
    old, new = Owner.make(ANA), Owner.make(ANA, "new")
    async with Town.open(tmp_path) as town:
        client = await town.register(old, prekeys=2)
        await client.upload_list(old.renew().encoded)
        await town.register(new)
        assert [await count(town, table, old) for table in ("lists", "prekeys", "one_time")] == [1, 0, 0]


async def test_a_removed_device_leaves_nothing_behind_sr17(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        await client.upload_list(ana.add(2).encoded)
        await town.client(ana, 2).upload_prekeys(encode_upload(ana.device(2).prekeys(1, 1)))
        await bundle_of(await town.register(ben), ana, 2)
        assert [await count(town, table, ana) for table in ("prekeys", "one_time", "alerts")] == [1, 2, 1]
        await client.upload_list(ana.remove(2).encoded)
        assert [await count(town, table, ana) for table in ("prekeys", "one_time", "alerts")] == [0, 0, 0]
        # The id with other keys starts afresh: its key ids do not clash with those of the removed device.
        await client.upload_list(ana.add(2, seed="new").encoded)
        tablet = town.client(ana, 2)
        assert await tablet.upload_prekeys(encode_upload(ana.device(2).prekeys(1, 1))) == PrekeyCounts(1, 1)


async def test_spent_keys_and_alerts_of_a_living_account_go_too_sr17(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana, prekeys=1)
        asker = await town.register(ben)
        await bundle_of(asker, ana)
        town.clock.now += 91 * DAY
        await client.upload_list(ana.renew(now=town.clock.now).encoded)
        await town.directory.purge()
        assert [await count(town, table, ana) for table in ("alerts", "one_time")] == [0, 2]
        town.clock.now += 90 * DAY
        await town.directory.purge()
        assert await count(town, "one_time", ana) == 0
        nonces = await town.directory._writer.run(
            lambda t: t.connection.execute("SELECT COUNT(*) FROM nonces").fetchone()[0]
        )
        assert nonces == 0


async def test_nonces_go_when_their_time_has_passed_sr17(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path) as town:
        client = await town.register(ana)
        for _ in range(5):
            await client.alerts()
        town.clock.now += 10 * MINUTE + 1
        await client.alerts()
        nonces = await town.directory._writer.run(
            lambda t: t.connection.execute("SELECT COUNT(*) FROM nonces").fetchone()[0]
        )
        assert nonces == 1


async def test_retention_of_lists_keeps_the_newest(tmp_path: Path) -> None:
    ana = Owner.make(ANA)
    async with Town.open(tmp_path, DirectoryLimits(max_lists_kept=3)) as town:
        client = await town.register(ana)
        for _ in range(9):
            await client.upload_list(ana.renew().encoded)
        await town.directory.purge()
        assert len(await client.lists(ana.number, since=1)) == 3
        assert (await client.lists(ana.number, since=7))[-1] == ana.list.encoded
        assert await client.lists(ana.number) == (ana.list.encoded,)


async def test_replaced_accounts_and_alerts_go_after_their_time_sr17(tmp_path: Path) -> None:
    old, new = Owner.make(ANA), Owner.make(ANA, "new")
    async with Town.open(tmp_path) as town:
        await town.register(old)
        await town.register(new)
        town.clock.now += 89 * DAY
        await town.directory.purge()
        assert len(await town.client(old).alerts()) == 1
        town.clock.now += 2 * DAY
        await town.directory.purge()
        assert await refusal(town.client(old).alerts()) == (401, "directory.unauthenticated")
        assert await town.client(new).alerts() == ()


async def test_look_ups_leave_no_trace_on_disk_sr17(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing on disk or in the log says that Ben asked for Ana."""
    caplog.set_level("DEBUG")
    ben = Owner.make(BEN)
    wanted = ids.number("+15559876543")
    async with Town.open(tmp_path) as town:
        client = await town.register(ben)
        await client.lists(wanted)
        await client.bundle(wanted, ben.account, DeviceId(1))
        await town.directory.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"5559876543" not in everything and "5559876543" not in caplog.text


@ONLY_SQLITE
async def test_the_database_is_private_and_has_one_owner(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        assert stat.S_IMODE(Path(town.path).stat().st_mode) == 0o600
        with pytest.raises(StoreLocked):
            await town._directory().start()


@ONLY_SQLITE
async def test_a_database_of_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        await town.directory.close()
        db = sqlite3.connect(town.path)
        db.execute("PRAGMA user_version = 2")
        db.close()
        with pytest.raises(StoreError) as caught:
            await town._directory().start()
        assert caught.value.code == "store.schema"


def test_without_tls_it_listens_on_loopback_only_sr19(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "directory.example"):
        with pytest.raises(InputError) as caught:
            Directory(str(tmp_path / "d.db"), on_code=print, host=host, rng=stream("x"))
        assert caught.value.code == "directory.tls"

"""Key packages at the server: what may lie there, what is handed out, and that nothing is handed out twice (SR-13)."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from letterlock.codec import kds as codec
from letterlock.conversation_seam import ClaimOutcome
from letterlock.errors import InputError, KdsError
from letterlock.mls.client import Client
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import LeafNode
from letterlock.mls.wire.message import encode_message
from letterlock.rcc16.credentials.leaf import certificate_of
from letterlock.services.buckets import Rate
from postgres import rows_of
from rcc16.certificates import SUITE, Lab
from services.kds_lab import ANA, BEN, DAY, EASY, NOW, Device, Town, ask, signed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

PATH = "/mls/v1/keypackages"
FLOOR = 30 * DAY


async def claimed(by: Device, of: Any = BEN) -> tuple[bytes, ...]:
    answer = (await by.client.claim([of]))[of]
    assert answer.outcome is ClaimOutcome.SERVED
    return answer.packages


async def refused(town: Town, by: Device, of: Any = BEN) -> tuple[int, str]:
    """Status and code of a claim that is refused."""
    body = codec.encode(codec.ClaimRequest(of))
    path = f"{PATH}/claim"
    status, answer = await ask(town, "POST", path, body, signed(by, "POST", path, body))
    return status, answer["code"]


# --- uploads ---------------------------------------------------------------------------------------------------
def _changed(device: Device, **changes: Any) -> Client:
    return dataclasses.replace(device.mls, **changes)


def _resigned(device: Device, **changes: Any) -> bytes:
    """A package of the device in which something differs, signed by its key all the same."""
    package = device.package().key_package
    fields = {
        "version": package.version,
        "cipher_suite": package.cipher_suite,
        "init_key": package.init_key,
        "leaf_node": package.leaf_node,
        "extensions": package.extensions,
        **changes,
    }
    made = KeyPackage.build(**fields, sign=lambda tbs: SUITE.sign_with_label(device.leaf.sign, "KeyPackageTBS", tbs))
    return encode_message(made)


def _bad_leaf_signature(device: Device) -> bytes:
    package = device.package().key_package
    leaf = package.leaf_node
    flipped = leaf.encoded[:-1] + bytes((leaf.encoded[-1] ^ 1,))
    return _resigned(device, init_key=package.init_key, leaf_node=LeafNode.decode(flipped))


def _foreign(device: Device) -> bytes:
    """The same key and number, certified by an authority that nobody here knows."""
    elsewhere = Lab("elsewhere")
    chain = elsewhere.issue(elsewhere.request(device.number, participant=device.participant, leaf=device.leaf))
    return device.package(client=_changed(device, credential=Credential.x509(chain))).message


def _other_number(device: Device) -> bytes:
    lab = device.town.lab
    chain = lab.issue(lab.request(ANA, participant=device.participant, leaf=device.leaf))
    return device.package(client=_changed(device, credential=Credential.x509(chain))).message


def _without_suite(device: Device) -> bytes:
    capabilities = dataclasses.replace(device.mls.capabilities, cipher_suites=(1,))
    return device.package(client=_changed(device, capabilities=capabilities)).message


def _short(device: Device) -> bytes:
    """A certificate with 29 days left; the package would live as long."""
    lab = device.town.lab
    request = lab.request(device.number, participant=device.participant, leaf=device.leaf)
    chain = lab.issue(request, days=29)
    client = _changed(device, credential=Credential.x509(chain))
    return device.package(client=client, seconds=28 * 86_400).message


BAD = {
    ("no MLS message", "cannot be read"): lambda device: b"\x00\x01\x00\x05",
    ("the raw structure without its head", "cannot be read"): lambda device: device.package().message[4:],
    ("something behind it", "1 bytes too many"): lambda device: device.package().message + b"\x00",
    ("marked as last resort", "carries its mark"): lambda device: device.package(last_resort=True).message,
    ("another suite", "MLS-10.1-01"): lambda device: _resigned(device, cipher_suite=1),
    ("one key for two purposes", "MLS-10.1-03"): lambda device: _resigned(
        device, init_key=(leaf := device.package().key_package.leaf_node).encryption_key, leaf_node=leaf
    ),
    ("an init key off the curve", "MLS-10-01"): lambda device: _resigned(device, init_key=b"\x04" + bytes(64)),
    ("a signature that does not hold", "MLS-10.1-02"): lambda device: device.package().message[:-8] + bytes(8),
    ("a leaf whose signature does not hold", "MLS-7.3-01"): _bad_leaf_signature,
    ("the suite not listed", "MLS-11-01"): _without_suite,
    ("a foreign chain", "RCC-A.4.1-04"): _foreign,
    ("another number", "RCC-A.4.1-09"): _other_number,
    ("a certificate that ends too soon", "RCC-A.4.1-10"): _short,
    ("a package that outlives its certificate", "half an hour"): lambda device: (
        device.package(seconds=76 * 86_400).message
    ),
    ("a package that lasts half an hour too long", "half an hour"): lambda device: (
        device.package(seconds=int(75.5 * 86_400) - 1_799).message
    ),
    ("a package that ends too soon", "less than 30 days"): lambda device: device.package(seconds=30 * 86_400).message,
    ("a package that lasts for ever", "MLS-7.2-01"): lambda device: device.package(seconds=390 * 86_400).message,
}


@pytest.mark.parametrize("what", BAD, ids=lambda what: what[0])
async def test_a_package_that_may_not_lie_there(tmp_path: Path, what: tuple[str, str]) -> None:
    async with Town.open(tmp_path) as town:
        ben = await town.enrolled(BEN)
        good = await ben.publish(1)
        with pytest.raises(KdsError) as caught:
            await ben.client.upload((BAD[what](ben), ben.package(last_resort=True).message))
        assert (caught.value.code, caught.value.status) == ("kds.package", 422)
        assert what[1] in str(caught.value)
        # Nothing was changed: all of it or none.
        assert await claimed(await town.enrolled(ANA)) == (good[0],)


async def test_the_mark_of_last_resort_is_where_it_belongs(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ben = await town.enrolled(BEN)
        for pool in (ben.pool(1)[:1], tuple(reversed(ben.pool(1)))):
            with pytest.raises(KdsError) as caught:
                await ben.client.upload(pool)
            assert caught.value.code == "kds.package"
        with pytest.raises(InputError):
            await ben.client.upload(())


async def test_packages_that_share_a_key(tmp_path: Path) -> None:
    """SR-13: a key that stands in two packages would be used twice."""
    async with Town.open(tmp_path) as town:
        ben = await town.enrolled(BEN)
        one, last = ben.package(), ben.package(last_resort=True).message
        again = _resigned(ben, leaf_node=one.key_package.leaf_node)
        init = _resigned(ben, init_key=one.key_package.init_key)
        for pool in ((one.message, one.message, last), (one.message, again, last), (one.message, init, last)):
            with pytest.raises(KdsError) as caught:
                await ben.client.upload(pool)
            assert caught.value.code == "kds.package"


async def test_a_package_of_another_device(tmp_path: Path) -> None:
    """Also of the same number: each device has its own pool."""
    async with Town.open(tmp_path) as town:
        one, two = await town.enrolled(BEN, 1), await town.enrolled(BEN, 2)
        with pytest.raises(KdsError) as caught:
            await one.client.upload((two.package().message, one.package(last_resort=True).message))
        assert caught.value.code == "kds.package"


async def test_a_server_that_wants_packages_to_outlive_their_certificates(tmp_path: Path) -> None:
    """rcc16.md 1.9: a setting of the server, because deployed ones demand opposite things."""
    limits = dataclasses.replace(EASY, outlives_certificate=True)
    async with Town.open(tmp_path, limits=limits) as town:
        ben = await town.enrolled(BEN)
        with pytest.raises(KdsError):
            await ben.publish()
        pool = ben.pool(1, seconds=365 * 86_400)
        assert await ben.client.upload(pool) == 2


async def test_an_upload_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        await ben.publish(3)
        pool = await ben.publish(1)
        assert (await ben.client.pool()).one_time == 1
        assert [await claimed(ana) for _ in range(3)] == [(pool[0],), (pool[1],), (pool[1],)]


async def test_sr13_an_upload_said_again_brings_nothing_back(tmp_path: Path) -> None:
    """SR-13: what was handed out stays out."""
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        pool = await ben.publish(2)
        assert await claimed(ana) == (pool[0],)
        assert await ben.client.upload(pool) == 2
        await town.restart()
        assert await ben.client.upload(pool) == 2
        assert [await claimed(ana) for _ in range(2)] == [(pool[1],), (pool[2],)]


async def test_uploads_are_limited_by_device(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, uploads=Rate(1, DAY))) as town:
        one, two = await town.enrolled(BEN, 1), await town.enrolled(BEN, 2)
        await one.publish()
        with pytest.raises(KdsError) as caught:
            await one.publish()
        assert (caught.value.code, caught.value.status) == ("kds.rate", 429)
        await two.publish()


# --- claims ----------------------------------------------------------------------------------------------------
async def test_one_of_each_device(tmp_path: Path) -> None:
    """rcc16.md 1.8: all devices of a number enter a group together."""
    async with Town.open(tmp_path) as town:
        ana, one, two, three = [await town.enrolled(of, i) for of, i in ((ANA, 1), (BEN, 1), (BEN, 2), (BEN, 3))]
        pools = {one.leaf.public: await one.publish(1), two.leaf.public: await two.publish(2)}
        first, second = await claimed(ana), await claimed(ana)
        assert sorted(first) == sorted(pool[0] for pool in pools.values())
        assert sorted(second) == sorted(pool[1] for pool in pools.values())
        # The third never uploaded; with packages it is one of them.
        await three.publish(1)
        assert len(await claimed(ana)) == 3


async def test_the_lab_form_of_an_answer(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        await ben.publish(0)
        body, path = codec.encode(codec.ClaimRequest(BEN)), f"{PATH}/claim"
        status, answer = await ask(town, "POST", path, body, signed(ana, "POST", path, body))
        assert status == 200 and answer["is_last_resort"] is True
        assert answer["key_packages"] == [{"key_package": answer["key_package"], "is_last_resort": True}]


async def test_never_uploaded_and_all_withheld(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        assert await refused(town, ana) == (404, "kds.never_uploaded")
        assert await refused(town, ana, "+15550000") == (404, "kds.never_uploaded")
        await ben.publish()
        town.clock.now += 60 * DAY
        await ana.enrol()
        assert await refused(town, ana) == (404, "kds.withheld")
        assert (await ana.client.claim([BEN]))[BEN].outcome is ClaimOutcome.NONE
        await town.server.purge()
        assert await refused(town, ana) == (404, "kds.withheld")


async def test_the_floor_of_thirty_days_to_the_millisecond(tmp_path: Path) -> None:
    """A.4.2.2: nothing is handed out that its taker would have to refuse."""
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        package, last = await ben.publish(1)
        # Half an hour before the certificate, as RCC.16 5.1 has it.
        ends = certificate_of(ben.chain[0]).not_after - 1_800_000
        town.clock.now = ends - FLOOR
        assert (await ben.client.pool()).one_time == 1
        assert await claimed(ana) == (package,)
        assert await claimed(ana) == (last,)
        town.clock.now += 1
        assert await refused(town, ana) == (404, "kds.withheld")


async def test_a_package_under_the_floor_is_passed_over_for_one_above(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        short = ben.package(seconds=40 * 86_400).message
        long, last = ben.pool(1)
        await ben.client.upload((short, long, last))
        town.clock.now += 20 * DAY
        assert await claimed(ana) == (long,)
        assert (await ben.client.pool()).one_time == 0


async def test_sr13_last_resort_when_nothing_else_is_left(tmp_path: Path) -> None:
    """SR-13: marked, counted, and limited whoever asks; then the claim takes nothing of other devices either."""
    limits = dataclasses.replace(EASY, last_resort=Rate(2, DAY))
    async with Town.open(tmp_path, limits=limits) as town:
        ana, ben, more = await town.enrolled(ANA), await town.enrolled(BEN, 1), await town.enrolled(BEN, 2)
        package, last = await ben.publish(1)
        assert [await claimed(ana) for _ in range(3)] == [(package,), (last,), (last,)]
        assert (await ben.client.pool()).last_resort_served == 2
        assert await refused(town, ana) == (429, "kds.rate")
        await more.publish(1)
        assert (await ana.client.claim([BEN]))[BEN].outcome is ClaimOutcome.REFUSED
        assert (await more.client.pool()).one_time == 1
        # A new pool is not limited by what was given of the old one's last resort.
        (fresh, _) = await ben.publish(1)
        assert fresh in await claimed(ana)


async def test_claims_of_one_number_by_one_other(tmp_path: Path) -> None:
    """rcc16.md 6: four in ten minutes, as long as nobody else is kept from it."""
    limits = dataclasses.replace(EASY, claims_of_one=Rate(4, 600_000), claims=Rate(6, 600_000))
    async with Town.open(tmp_path, limits=limits) as town:
        ana, ben, eve = [await town.enrolled(of) for of in (ANA, BEN, "+15550123")]
        await ben.publish(20)
        for _ in range(4):
            await claimed(ana)
        assert await refused(town, ana) == (429, "kds.rate")
        assert (await ana.client.claim([BEN]))[BEN].outcome is ClaimOutcome.REFUSED
        await claimed(eve)
        # And of all numbers together: a refused claim of one spends of that, too.
        assert await refused(town, ana, "+15550000") == (429, "kds.rate")
        town.clock.now += 150_000
        await claimed(ana)


async def test_sr13_nothing_is_handed_out_twice(tmp_path: Path) -> None:
    """SR-13: 64 at once, over two pools."""
    async with Town.open(tmp_path) as town:
        people = [await town.enrolled(f"+1555020{i:03d}") for i in range(64)]
        one, two = await town.enrolled(BEN, 1), await town.enrolled(BEN, 2)
        pools = [*(await one.publish(40))[:-1], *(await two.publish(40))[:-1]]
        answers = await asyncio.gather(*(claimed(person) for person in people))
        got = [package for answer in answers for package in answer]
        one_time = [package for package in got if package in pools]
        assert len(got) == 128 and sorted(one_time) == sorted(pools)


# --- retention -------------------------------------------------------------------------------------------------
async def test_sr17_nothing_stays_for_ever(tmp_path: Path) -> None:
    """SR-17: every table is empty again, but for the newest list of anchors."""
    async with Town.open(tmp_path) as town:
        ana, ben, gone = await town.enrolled(ANA), await town.enrolled(BEN), await town.enrolled(BEN, 2)
        await ben.publish(2)
        await claimed(ana)
        await ben.client.withdraw(gone.leaf.public[:16], ben.account)

        def rows() -> dict[str, int]:
            return {name: len(found) for name, found in rows_of(town.database, "kds").items()}

        await town.server.close()
        assert all((await asyncio.to_thread(rows)).values())
        town.clock.now = NOW + 200 * DAY
        await town.restart()
        await town.server.close()
        assert await asyncio.to_thread(rows) == {
            "owners": 0, "devices": 0, "packages": 0, "spent": 0, "withdrawn": 0, "nonces": 0, "anchor_lists": 1,
        }  # fmt: skip

"""A client's own key packages: marks, single use, memory of Welcomes, expiry, rows (RFC 9420 sections 10 and 16.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from crypto.deterministic import seeded_rng
from letterlock.errors import DecodeError, InputError, InvalidGroupMessage
from letterlock.mls.group.results import PendingCommit
from letterlock.mls.key_packages import (
    LAST_RESORT_COMPONENT,
    LAST_RESORT_EXTENSION,
    KeyPackageBundle,
    KeyPackages,
    is_last_resort,
    make_key_package,
)
from letterlock.mls.registries import APP_DATA_DICTIONARY, LAST_RESORT
from letterlock.mls.stored_row import open_row, seal_row
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add
from letterlock.mls.wire.welcome import Welcome

from .lab import LAB, NOW, Person, assert_agree, make_client, suite

DAY = 86_400
SUITES = pytest.mark.parametrize("number", [1, 2, 3, 5, 7])
MARKS = pytest.mark.parametrize("mark", [LAST_RESORT_EXTENSION, LAST_RESORT_COMPONENT], ids=["extension", "component"])


def client_of(name: str = "ana", number: int = 1, **options: object) -> Person:
    return Person(name, number=number, extensions=(LAST_RESORT, APP_DATA_DICTIONARY), **options)


def make(person: Person, *, now: int = NOW, days: int = 84, **options: object) -> KeyPackageBundle:
    return make_key_package(person.client, now, person.rng, lifetime_seconds=days * DAY, **options)  # type: ignore[arg-type]


def invite(inviter: Person, *bundles: KeyPackageBundle) -> PendingCommit:
    """A commit of a group of the inviter's own that adds these while they are valid, merged."""
    inviter.create()
    now = max(bundle.not_after for bundle in bundles) - 1_000
    adds = [Add(bundle.key_package) for bundle in bundles]
    pending = inviter.g.commit(adds, rng=inviter.rng, now=now)
    inviter.g.merge(pending, now=NOW)
    return pending


def welcome_of(pending: PendingCommit) -> Welcome:
    message = decode_message(pending.welcomes[0].message, RFC_PROPOSALS, 1 << 20)
    assert isinstance(message, Welcome)
    return message


# --- what is published -------------------------------------------------------------------------------
@SUITES
def test_a_package_is_what_goes_to_the_directory(number: int) -> None:
    person = client_of(number=number)
    bundle = make(person)
    package = decode_message(bundle.message, RFC_PROPOSALS, 1 << 20)
    assert isinstance(package, KeyPackage)
    assert package == bundle.key_package
    assert bundle.reference == person.client.suite.key_package_ref(package.encoded)
    lifetime = package.leaf_node.lifetime
    assert lifetime is not None
    # From an hour ago, for clocks that differ.
    assert (lifetime.not_before, lifetime.not_after) == (NOW // 1000 - 3600, NOW // 1000 - 3600 + 84 * DAY)
    assert bundle.not_after == lifetime.not_after * 1000
    algorithms = person.client.suite
    assert algorithms.public_of(bundle.init_private) == package.init_key
    assert algorithms.public_of(bundle.encryption_private) == package.leaf_node.encryption_key
    assert not is_last_resort(package) and not bundle.last_resort


def test_nothing_secret_shows() -> None:
    bundle = make(client_of())
    shown = repr(bundle)
    assert "init_private" not in shown and repr(bundle.init_private) not in shown
    assert repr(bundle.encryption_private) not in shown


def test_packages_differ_in_all_their_keys() -> None:
    person = client_of()
    bundles = [make(person) for _ in range(20)]
    keys = {key for b in bundles for key in (b.init_private, b.encryption_private, b.reference)}
    assert len(keys) == 60


def test_lifetimes_are_bounded_by_the_policy() -> None:
    person = client_of(policy=replace(LAB, max_lifetime_seconds=90 * DAY))
    make(person, days=90)
    with pytest.raises(InputError) as raised:
        make(person, days=91)
    assert raised.value.code == "mls.input.lifetime"


def test_extensions_must_be_among_the_capabilities() -> None:
    person = Person("ana")
    for mark in (LAST_RESORT_EXTENSION, LAST_RESORT_COMPONENT):
        with pytest.raises(InputError) as raised:
            make(person, last_resort=mark)
        assert raised.value.code == "mls.input.capabilities"
    make(person, extensions=(Extension(1, b"application_id is always known"),))


# --- marks -------------------------------------------------------------------------------------------
@MARKS
def test_the_two_marks(mark: Extension) -> None:
    bundle = make(client_of(), last_resort=mark)
    assert bundle.last_resort and is_last_resort(bundle.key_package)
    assert bundle.key_package.extensions == (mark,)
    # And others accept the package.
    invite(client_of("ben"), bundle)


def test_the_form_of_the_marks() -> None:
    """Extension 0x000A without data; component 0x0004 without data as the only entry of an AppDataDictionary."""
    assert (LAST_RESORT_EXTENSION.extension_type, LAST_RESORT_EXTENSION.extension_data) == (0x000A, b"")
    # component_data<V> of 3 bytes: uint16 component_id, opaque data<V> of none.
    assert (LAST_RESORT_COMPONENT.extension_type, LAST_RESORT_COMPONENT.extension_data) == (6, b"\x03\x00\x04\x00")


@pytest.mark.parametrize(
    ("data", "marked"),
    [
        ("03 0004 00", True),
        ("05 0004 02 abcd", True),  # no data is meant to be there; the mark is the component itself
        ("08 0001 01 aa 0004 00 00", False),
        ("07 0001 01 aa 0004 00", True),
        ("07 0004 00 0005 01 bb", True),
        ("00", False),
        ("03 0005 00", False),
        ("05 0005 02 0004", False),
        ("", False),
        ("03 0004", False),
        ("03 0004 00 00", False),
        ("04 0004 01", False),
        ("07 0004 00 0005 40", False),
        ("c0", False),
    ],
)
def test_dictionaries_with_and_without_the_mark(data: str, marked: bool) -> None:
    dictionary = Extension(APP_DATA_DICTIONARY, bytes.fromhex(data))
    bundle = make(client_of(), extensions=(dictionary,))
    assert is_last_resort(bundle.key_package) == marked
    # A bundle is what its package says, however the mark got there.
    assert bundle.last_resort == marked


def test_what_is_no_mark_and_what_is_there_twice() -> None:
    person = client_of()
    with pytest.raises(InputError) as raised:
        make(person, last_resort=Extension(1, b""))
    assert raised.value.code == "mls.input.last_resort"
    dictionary = Extension(APP_DATA_DICTIONARY, b"\x00")
    for options in (
        {"extensions": (dictionary,), "last_resort": LAST_RESORT_COMPONENT},
        {"extensions": (dictionary, dictionary)},
    ):
        with pytest.raises(InputError) as raised:
            make(person, **options)
        assert raised.value.code == "mls.input.extensions"
    assert make(person, extensions=(dictionary,), last_resort=LAST_RESORT_EXTENSION).last_resort


# --- use ---------------------------------------------------------------------------------------------
@SUITES
def test_a_one_time_package_is_gone_after_its_welcome(number: int) -> None:
    ana, ben = client_of("ana", number), client_of("ben", number)
    packages = KeyPackages()
    bundles = [make(ben) for _ in range(3)]
    for bundle in bundles:
        packages.add(bundle)
    store = dict(packages.take_changes())
    assert store.keys() == {bundle.reference for bundle in bundles}
    pending = invite(ana, bundles[1])
    welcome = welcome_of(pending)

    found = packages.find(welcome)
    assert found == bundles[1]
    ben.bundle = found
    ben.join(pending.welcomes[0].message)
    assert_agree([ana, ben])
    packages.used(found, welcome)
    assert packages.take_changes() == {found.reference: None}
    assert len(packages) == 2 and {bundle.reference for bundle in packages} == {
        bundles[0].reference,
        bundles[2].reference,
    }
    assert packages.find(welcome) is None
    packages.used(found, welcome)
    assert packages.take_changes() == {}


def test_a_welcome_of_somebody_else() -> None:
    ana, ben, cas = client_of("ana"), client_of("ben"), client_of("cas")
    packages = KeyPackages([make(cas)])
    assert packages.find(welcome_of(invite(ana, make(ben)))) is None


def test_a_join_that_fails_costs_no_package() -> None:
    """Nothing is used before the group is there: the same Welcome, or a better one, can still be opened."""
    ana, ben = client_of("ana"), client_of("ben")
    packages = KeyPackages([make(ben)])
    (bundle,) = packages
    ben.bundle = bundle
    pending = invite(ana, bundle)
    broken = bytearray(pending.welcomes[0].message)
    broken[-1] ^= 1
    with pytest.raises(InvalidGroupMessage):
        ben.join(bytes(broken))
    assert packages.take_changes() == {}
    assert packages.find(welcome_of(pending)) == bundle
    ben.join(pending.welcomes[0].message)
    assert_agree([ana, ben])


@MARKS
def test_a_last_resort_package_remembers_its_welcomes(mark: Extension) -> None:
    ben = client_of("ben")
    bundle = make(ben, last_resort=mark)
    packages = KeyPackages([bundle])
    inviters = [client_of(name) for name in ("ana", "cas", "dee")]
    pendings = [invite(inviter, bundle) for inviter in inviters]
    store: dict[bytes, bytes] = {}
    for place, (inviter, pending) in enumerate(zip(inviters, pendings, strict=True)):
        welcome = welcome_of(pending)
        found = packages.find(welcome)
        assert found is not None and len(found.welcomes) == place
        ben.bundle = found
        ben.join(pending.welcomes[0].message)
        assert_agree([inviter, ben])
        packages.used(found, welcome)
        ((reference, row),) = packages.take_changes().items()
        assert row is not None
        store[reference] = row
        # After a restart too.
        packages = KeyPackages([KeyPackageBundle.from_row(row, ben.client.suite) for row in store.values()])
        assert packages.take_changes() == {}
        for before in pendings[: place + 1]:
            assert packages.find(welcome_of(before)) is None
        for after in pendings[place + 1 :]:
            assert packages.find(welcome_of(after)) is not None
    assert len(packages) == 1


def test_two_welcomes_at_once() -> None:
    """Both were looked up before either was joined: what the first did is not undone by the second."""
    ben = client_of("ben")
    packages = KeyPackages([make(ben, last_resort=LAST_RESORT_EXTENSION)])
    (bundle,) = packages
    welcomes = [welcome_of(invite(client_of(name), bundle)) for name in ("ana", "cas")]
    found = [packages.find(welcome) for welcome in welcomes]
    for one, welcome in zip(found, welcomes, strict=True):
        assert one is not None
        packages.used(one, welcome)
    assert [packages.find(welcome) for welcome in welcomes] == [None, None]
    (after,) = packages
    assert len(after.welcomes) == 2
    packages.used(after, welcomes[0])
    (same,) = packages
    assert same.welcomes == after.welcomes


def test_what_was_forgotten_does_not_come_back() -> None:
    """A package was replaced while one of its Welcomes was being joined: its private keys stay deleted."""
    ben = client_of("ben")
    packages = KeyPackages([make(ben, last_resort=LAST_RESORT_EXTENSION)])
    (bundle,) = packages
    welcome = welcome_of(invite(client_of("ana"), bundle))
    found = packages.find(welcome)
    assert found is not None
    packages.forget(bundle.reference)
    packages.used(found, welcome)
    assert len(packages) == 0
    assert packages.take_changes() == {bundle.reference: None}
    packages.forget(bundle.reference)
    assert packages.take_changes() == {}


def test_a_last_resort_package_does_not_remember_without_end() -> None:
    ben = client_of("ben")
    bundle = make(ben, last_resort=LAST_RESORT_EXTENSION)
    full = replace(bundle, welcomes=tuple(n.to_bytes(32, "big") for n in range(1_000)))
    assert KeyPackageBundle.from_row(full.to_row(), suite()).welcomes == full.welcomes
    packages = KeyPackages([full])
    packages.used(full, welcome_of(invite(client_of("ana"), bundle)))
    assert packages.take_changes() == {bundle.reference: None}


# --- counting and expiry -----------------------------------------------------------------------------
def test_one_time_packages_are_counted_while_they_are_valid() -> None:
    person = client_of()
    packages = KeyPackages()
    assert packages.one_time(NOW) == 0
    for days in (1, 10, 84):
        packages.add(make(person, days=days))
    packages.add(make(person, last_resort=LAST_RESORT_COMPONENT))
    ends = sorted(bundle.not_after for bundle in packages)
    assert len(packages) == 4
    assert packages.one_time(NOW) == 3
    assert packages.one_time(ends[0] - 1) == 3
    assert packages.one_time(ends[0]) == 2
    assert packages.one_time(ends[1]) == 1
    assert packages.one_time(ends[3]) == 0


def test_expired_packages_are_forgotten_after_a_while() -> None:
    person = client_of()
    packages = KeyPackages([make(person, days=days) for days in (1, 10)])
    packages.add(make(person, days=84, last_resort=LAST_RESORT_EXTENSION))
    packages.take_changes()
    first, second, last = sorted(packages, key=lambda bundle: bundle.not_after)
    grace = 3 * DAY * 1000
    assert packages.expire(first.not_after + grace, grace) == []
    assert packages.take_changes() == {}
    # A Welcome that was on its way can still be opened until then.
    assert packages.find(welcome_of(invite(client_of("ben"), first))) == first
    assert packages.expire(first.not_after + grace + 1, grace) == [first.reference]
    assert packages.take_changes() == {first.reference: None}
    assert packages.expire(last.not_after + grace + 1, grace) == [second.reference, last.reference]
    assert len(packages) == 0


def test_an_expired_package_is_not_added() -> None:
    bundle = make(client_of("ben"), days=1)
    ana = client_of(policy=replace(LAB, check_received_lifetimes=True))
    ana.create()
    with pytest.raises(InvalidGroupMessage) as raised:
        ana.g.commit([Add(bundle.key_package)], rng=ana.rng, now=NOW + 2 * DAY * 1000)
    assert raised.value.rule == "MLS-7.3-04"


# --- rows --------------------------------------------------------------------------------------------
@SUITES
def test_rows_give_the_same_package_back(number: int) -> None:
    person = client_of(number=number)
    for bundle in (
        make(person),
        make(person, last_resort=LAST_RESORT_COMPONENT),
        make(person, last_resort=LAST_RESORT_EXTENSION),
    ):
        for stored in (bundle, replace(bundle, welcomes=(bytes(32), bytes(range(32))))):
            again = KeyPackageBundle.from_row(stored.to_row(), person.client.suite)
            assert again == stored
            assert again.to_row() == stored.to_row()


def refused(row: bytes, number: int = 1) -> None:
    with pytest.raises(DecodeError) as raised:
        KeyPackageBundle.from_row(row, suite(number))
    assert raised.value.code == "mls.row"


def test_damaged_rows() -> None:
    row = replace(make(client_of()), welcomes=(bytes(32),)).to_row()
    for place in range(len(row)):
        refused(row[:place])
        refused(row[:place] + bytes([row[place] ^ 1 << place % 8]) + row[place + 1 :])
    refused(row + b"\0")
    refused(b"\x02" + row[1:])
    refused(row, number=3)
    refused(row, number=2)


def test_any_body_with_a_valid_check() -> None:
    """Were the check right, what is read is a whole package or the one error."""
    bundle = replace(make(client_of()), welcomes=(bytes(32), bytes(32)))
    body = open_row("key_package", bundle.to_row())
    answers = {"refused": 0, "read": 0}
    for data in mutations(body, Random(1)):
        try:
            again = KeyPackageBundle.from_row(seal_row("key_package", data), suite())
        except DecodeError as error:
            assert error.code == "mls.row"
            answers["refused"] += 1
        else:
            answers["read"] += 1
            # What may differ without notice: the Welcomes, and bytes that only the signature covers.
            assert (
                again.init_private == bundle.init_private
                or suite().public_of(again.init_private) == bundle.key_package.init_key
            )
    assert answers["refused"] > 500


def mutations(body: bytes, random: Random) -> Iterator[bytes]:
    for _ in range(1_500):
        data = bytearray(body)
        place = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[place:place] = random.randbytes(2)
            case 1:
                del data[place : place + random.choice((1, 32, 100))]
            case 2:
                data[place : place + 4] = b"\xff\xff\xff\xff"
            case _:
                data[place] ^= 1 << random.randrange(8)
        yield bytes(data)


def test_a_private_key_of_another_package() -> None:
    person = client_of()
    one, other = make(person), make(person)
    for mixed in (
        replace(one, init_private=other.init_private),
        replace(one, encryption_private=other.encryption_private),
        replace(one, key_package=other.key_package),
        replace(one, init_private=b""),
        replace(one, encryption_private=bytes(31)),
        replace(one, welcomes=(bytes(31),)),
    ):
        refused(mixed.to_row())


def test_rows_are_the_sum_of_the_changes() -> None:
    """Any story of packages: what is stored is what is there."""
    random, person = Random(3), client_of()
    inviter = client_of("ben")
    packages, store = KeyPackages(), dict[bytes, bytes]()
    welcomes: list[tuple[KeyPackageBundle, Welcome]] = []
    now = NOW
    for _ in range(150):
        now += random.randrange(DAY * 1000)
        choice = random.randrange(5)
        if choice == 0:
            mark = random.choice((None, None, LAST_RESORT_EXTENSION, LAST_RESORT_COMPONENT))
            packages.add(make(person, now=now, days=random.choice((1, 20)), last_resort=mark))
        elif choice == 1 and len(packages):
            bundle = random.choice(list(packages))
            welcomes.append((bundle, welcome_of(invite(inviter, bundle))))
        elif choice == 2 and welcomes:
            bundle, welcome = random.choice(welcomes)
            found = packages.find(welcome)
            if found is not None:
                packages.used(found, welcome)
            assert packages.find(welcome) is None
        elif choice == 3:
            packages.expire(now, DAY * 1000)
        elif choice == 4 and len(packages) and random.random() < 0.2:
            packages.forget(random.choice(list(packages)).reference)
        for reference, row in packages.take_changes().items():
            if row is None:
                store.pop(reference)
            else:
                store[reference] = row
        loaded = {r: KeyPackageBundle.from_row(row, suite()) for r, row in store.items()}
        assert loaded == {bundle.reference: bundle for bundle in packages}
        if random.random() < 0.2:
            packages = KeyPackages(loaded.values())
    assert len(welcomes) > 10


def test_the_random_source_is_the_callers() -> None:
    client = make_client("ana")
    bundles = [make_key_package(client, NOW, seeded_rng("same"), lifetime_seconds=DAY) for _ in range(2)]
    assert bundles[0] == bundles[1]

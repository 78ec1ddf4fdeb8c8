"""The pool of key packages (rcc16.md 1.9): what is published, when anew, and what a used one leaves behind (SR-13)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crypto.deterministic import seeded_rng
from letterlock.conversation_seam import PublishKeyPackages
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import is_last_resort
from letterlock.mls.wire.commit import HPKECiphertext
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add
from letterlock.mls.wire.welcome import Welcome
from letterlock.rcc16.credentials.leaf import decode_chain, expires_at
from letterlock.rcc16.credentials.packages import check_claimed
from letterlock.rcc16.enrolment.records import PACKAGES, UPKEEP, USED
from letterlock.rcc16.enrolment.settings import PackageLifetime
from rcc16.certificates import DAY, NOW, Lab
from rcc16.enrolled import ANA, Device

HOUR = 3_600_000
LAB = Lab()


def _package(message: bytes) -> KeyPackage:
    package = decode_message(message, RFC_PROPOSALS, 1 << 16)
    assert isinstance(package, KeyPackage)
    return package


def _welcome(message: bytes, seed: str = "") -> bytes:
    """Ben adds whoever published this."""
    ben = LAB.enrol("+15550199", device=1)
    rng = seeded_rng(f"ben {seed} {message[-9:].hex()}")
    group = Group.create(ben.client, b"group", rng=rng, now=NOW)
    return group.commit([Add(_package(message))], rng=rng, now=NOW).welcomes[0].message


def _parsed(message: bytes) -> Welcome:
    welcome = decode_message(message, RFC_PROPOSALS, 1 << 20)
    assert isinstance(welcome, Welcome)
    return welcome


def _join(device: Device, message: bytes) -> bool:
    """The device is given a Welcome; whether it could be opened."""
    welcome = _parsed(message)
    bundle = device.enrolment.bundle_for(device.state, welcome)
    if bundle is None:
        device.state.apply(device.enrolment.unopenable(device.state, welcome, device.now))
        return False
    Group.join(device.client, bundle, message, now=NOW)
    device.state.apply(device.enrolment.used(device.state, bundle, welcome, device.now))
    return True


def _ready() -> tuple[Device, tuple[bytes, ...]]:
    device = Device().enrolled(LAB)
    pool = device.published()
    return device, pool


# --- what is published ------------------------------------------------------------------------------------------------
def test_eleven_of_which_the_last_is_of_last_resort() -> None:
    device, pool = _ready()
    assert len(pool) == 11
    assert [is_last_resort(_package(message)) for message in pool] == [False] * 10 + [True]
    assert len({_package(message).init_key for message in pool}) == 11
    judge = device.enrolment.authentication(device.state)
    assert judge is not None
    for message in pool:
        check_claimed(message, ANA, judge, NOW, max_bytes=1 << 16)
    assert device.enrolment.ready(device.state, NOW)


@pytest.mark.parametrize("kind", PackageLifetime)
def test_lifetimes_by_what_the_server_demands(kind: PackageLifetime) -> None:
    device = Device(lifetime=kind).enrolled(LAB)
    certificate = decode_chain(device.client.credential)[0]
    for message in device.published():
        lifetime = _package(message).leaf_node.lifetime
        assert lifetime is not None
        assert lifetime.not_before * 1000 == certificate.not_before
        if kind is PackageLifetime.WITHIN:
            assert lifetime.not_after * 1000 == certificate.not_after - 30 * 60_000
        else:
            assert lifetime.not_after == lifetime.not_before + 365 * 86_400


def test_until_they_are_stored_the_same_ones_are_sent_again() -> None:
    device = Device().enrolled(LAB)
    first = device.published(stored=False)
    assert not device.enrolment.ready(device.state, device.now)
    assert device.published() == ()
    device.now += 60_000
    assert device.published() == first
    assert device.enrolment.ready(device.state, device.now)
    assert device.published() == ()


def test_the_answer_about_an_earlier_pool_says_nothing() -> None:
    device = Device().enrolled(LAB)
    device.published(stored=False)
    assert device.enrolment.published(device.state, "packages-7", True, NOW) == {}


def test_nothing_is_published_that_nobody_may_be_given() -> None:
    """A.4.2.2: under the floor the server must withhold them; the certificate comes first."""
    device, _ = _ready()
    device.now = expires_at(device.client.credential) - 29 * DAY
    assert not any(isinstance(request, PublishKeyPackages) for request in device.upkeep().requests)


# --- when anew --------------------------------------------------------------------------------------------------------
def test_daily() -> None:
    device, pool = _ready()
    device.now += 24 * HOUR - 1
    assert device.published() == ()
    device.now += 1
    assert not set(device.published()) & set(pool)


def test_when_few_are_left() -> None:
    device, pool = _ready()
    device.now += HOUR
    for message in pool[:6]:
        assert _join(device, _welcome(message))
        assert device.published() == ()
    assert _join(device, _welcome(pool[6]))
    assert len(device.published()) == 11


def test_at_once_when_the_last_resort_was_used() -> None:
    device, pool = _ready()
    device.now += HOUR
    assert _join(device, _welcome(pool[10]))
    assert device.published()[10] != pool[10]


def test_somebody_who_uses_packages_up_does_not_make_us_publish_all_the_time() -> None:
    """SR-13: at most a pool a minute."""
    device, pool = _ready()
    assert _join(device, _welcome(pool[10]))
    assert device.published() == ()
    device.now += 60_000
    assert device.published()


def test_after_a_new_certificate() -> None:
    """Packages have the certificate in them."""
    device, _ = _ready()
    device.now += 40 * DAY
    device.published()
    device.upkeep()
    device.adopt(LAB, LAB.issue(device.request(LAB), now=device.now))
    renewed = device.published()
    assert len(renewed) == 11
    assert all(_package(message).leaf_node.credential == device.client.credential for message in renewed)
    assert device.published() == ()


def test_after_a_welcome_that_nobody_can_open_once_an_hour() -> None:
    device, _ = _ready()
    other = Device(seed="another life").enrolled(LAB).published()
    device.now += 2 * HOUR
    assert not _join(device, _welcome(other[0]))
    assert device.published()
    assert not _join(device, _welcome(other[1]))
    device.now += HOUR - 1
    assert device.published() == ()
    device.now += 1
    assert device.published()


def test_a_welcome_that_comes_again_is_no_reason() -> None:
    device, pool = _ready()
    device.now += 2 * HOUR
    welcome = _welcome(pool[0])
    assert _join(device, welcome)
    assert not _join(device, welcome)
    assert device.published() == ()


# --- what is kept -----------------------------------------------------------------------------------------------------
def test_a_one_time_package_opens_one_welcome() -> None:
    """SR-13: its private half is gone; that it was there is remembered for 14 days."""
    device, pool = _ready()
    reference = LAB.enrol(ANA, device=1).client.suite.key_package_ref(_package(pool[0]).encoded).hex()
    welcome = _welcome(pool[0])
    assert device.state.get(PACKAGES.key(reference)) is not None
    assert _join(device, welcome)
    assert device.state.get(PACKAGES.key(reference)) is None
    assert not _join(device, _welcome(pool[0], "another group"))
    assert device.state.get(USED.key(reference)) == device.now + 14 * DAY
    device.now += 14 * DAY - 1
    device.upkeep()
    assert device.state.get(USED.key(reference)) is not None
    device.now += HOUR
    device.upkeep()
    assert device.state.get(USED.key(reference)) is None


def test_the_last_resort_opens_many_and_none_twice() -> None:
    """SR-13: it remembers what it has met."""
    device, pool = _ready()
    welcome = _welcome(pool[10])
    assert _join(device, welcome)
    assert not _join(device, welcome)
    assert _join(device, _welcome(pool[10], "another group"))


def test_the_last_resort_knows_a_welcome_in_another_dress() -> None:
    """SR-13: the entries of others in it are nobody's signature; who carries it takes one away, or adds one."""
    device, pool = _ready()
    message = _welcome(pool[10])
    welcome = _parsed(message)
    assert _join(device, message)
    stranger = replace(welcome.secrets[0], new_member=bytes(32))
    junk = replace(welcome.secrets[0], encrypted_group_secrets=HPKECiphertext(bytes(65), bytes(64)))
    for secrets in ((*welcome.secrets, stranger), (stranger, *welcome.secrets), (*welcome.secrets, junk)):
        assert device.enrolment.bundle_for(device.state, replace(welcome, secrets=secrets)) is None


def test_a_replaced_package_opens_for_14_days() -> None:
    device, pool = _ready()
    late, too_late = _welcome(pool[0]), _welcome(pool[1])
    device.now += DAY
    assert device.published()
    device.now += 14 * DAY - 1
    device.published()
    assert _join(device, late)
    device.now += HOUR
    device.upkeep()
    assert not _join(device, too_late)


def test_what_is_used_of_an_earlier_pool_is_not_counted() -> None:
    device, pool = _ready()
    device.now += DAY
    device.published()
    for message in (*pool[:8], pool[10]):
        assert _join(device, _welcome(message))
    assert device.state.get(UPKEEP).left == 10
    assert device.published() == ()


def test_a_bundle_that_is_not_ours_changes_nothing() -> None:
    device, _ = _ready()
    other = Device(seed="other").enrolled(LAB)
    messages = other.published()
    welcome = _parsed(_welcome(messages[0]))
    bundle = other.enrolment.bundle_for(other.state, welcome)
    assert bundle is not None
    assert device.enrolment.used(device.state, bundle, welcome, device.now) == {}


# --- any life -----------------------------------------------------------------------------------------------------------
class Life(RuleBasedStateMachine):
    """Days pass, Welcomes come for what the server hands out, answers are lost: private halves are always there."""

    def __init__(self) -> None:
        super().__init__()
        self.device = Device().enrolled(LAB)
        self.server: list[bytes] = []
        self.last_resort = b""
        self.count = 0

    @rule(hours=st.sampled_from([0, 1, 5, 24, 100]), stored=st.booleans())
    def wait(self, hours: int, stored: bool) -> None:
        self.device.now += hours * HOUR
        for request in self.device.upkeep().requests:
            if isinstance(request, PublishKeyPackages):
                if stored:  # the answer may be lost, the packages are there all the same
                    self.device.state.apply(
                        self.device.enrolment.published(self.device.state, request.request, True, self.device.now)
                    )
                *self.server, self.last_resort = request.packages
            else:
                chain = LAB.issue(self.device.request(LAB), now=self.device.now)
                self.device.adopt(LAB, chain)

    @precondition(lambda self: self.last_resort)
    @rule()
    def somebody_adds_us(self) -> None:
        self.count += 1
        message = self.server.pop(0) if self.server else self.last_resort
        welcome = _parsed(_welcome(message, str(self.count)))
        bundle = self.device.enrolment.bundle_for(self.device.state, welcome)
        assert bundle is not None
        self.device.state.apply(self.device.enrolment.used(self.device.state, bundle, welcome, self.device.now))

    @invariant()
    def what_the_server_has_we_can_open(self) -> None:
        suite = self.device.enrolment._suite
        for message in (*self.server, self.last_resort) if self.last_resort else ():
            reference = suite.key_package_ref(_package(message).encoded).hex()
            assert self.device.state.get(PACKAGES.key(reference)) is not None

    @invariant()
    def records_are_bounded(self) -> None:
        """SR-08: fourteen days of pools, and no more than one a minute while they are used up."""
        assert len(list(self.device.state.scan(PACKAGES))) <= 11 * 40


Life.TestCase.settings = hypothesis_settings(max_examples=15, stateful_step_count=20, deadline=None, database=None)
TestLife = Life.TestCase

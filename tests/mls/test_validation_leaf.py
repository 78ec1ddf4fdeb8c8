"""Leaves and key packages that may not enter a group (RFC 9420 sections 5.3, 7.2, 7.3, 10, 11 and 13.4)."""

from __future__ import annotations

from dataclasses import replace

from letterlock.ids import Instant
from letterlock.mls.client import make_capabilities
from letterlock.mls.registries import BASIC, REQUIRED_CAPABILITIES, SELF_REMOVE, X509
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension, RequiredCapabilities
from letterlock.mls.wire.framing import NEW_MEMBER_PROPOSAL
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import LeafNodeSource, Lifetime
from letterlock.mls.wire.proposals import Add, Remove

from .lab import LAB, NOW, Person
from .leaf_places import (
    ADDS,
    COMMITTED,
    EVERYWHERE,
    EXTERNAL,
    PATHS,
    TREES,
    UPDATES,
    Place,
    add_asked_for,
    add_by_value,
    add_committed_at_server,
    add_proposal_asked_for,
)
from .malformed import Fields, certified, external_commit, key_package, member_commit, message
from .refusing import Attack, refuses
from .world import World, at_member, at_server, signature_private

NUMBER = 0xF00D
"""An extension, proposal or credential type that only some know."""


class Doorkeeper:
    """Refuses whoever is called bad; everybody is one client."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return "bad" if credential.identity == b"bad" else None

    def identity(self, credential: Credential) -> bytes:
        return b"everybody"


def capable(extensions: tuple[int, ...] = (), proposals: tuple[int, ...] = (), credentials: tuple[int, ...] = ()):  # type: ignore[no-untyped-def]
    return make_capabilities(
        [1], (BASIC, X509, *credentials), extensions=extensions, proposals=(SELF_REMOVE, *proposals)
    )


# --- credential and signature ------------------------------------------------------------------------------------
@refuses("MLS-5.3-01", *EVERYWHERE)
def test_certificate_for_another_key(place: Place) -> Attack:
    return place(lambda person: {"credential": certified(bytes(range(32)))}, authentication=Doorkeeper())


@refuses("MLS-5.3-01", add_by_value)
def test_certificate_that_is_none(place: Place) -> Attack:
    return place(lambda person: {"credential": Credential.x509([b"not DER"])})


@refuses("MLS-5.3-01", add_by_value)
def test_no_certificate(place: Place) -> Attack:
    return place(lambda person: {"credential": Credential.x509([])})


@refuses("MLS-5.3-01", add_by_value)
def test_right_certificate_behind_another_one(place: Place) -> Attack:
    def flaw(person: Person) -> Fields:
        right, wrong = certified(signature_private(person.name)), certified(bytes(range(32)))
        return {"credential": Credential.x509([*wrong.certificates, *right.certificates])}

    return place(flaw)


@refuses("MLS-5.3.1-01", *EVERYWHERE)
def test_credential_that_the_application_refuses(place: Place) -> Attack:
    return place(lambda person: {"credential": Credential.basic(b"bad")}, authentication=Doorkeeper())


@refuses("MLS-5.3.1-02", *UPDATES, *PATHS)
def test_credential_of_somebody_else(place: Place) -> Attack:
    return place(lambda person: {"credential": Credential.basic(b"somebody else")})


@refuses("MLS-7.3-01", *EVERYWHERE)
def test_leaf_without_a_right_signature(place: Place) -> Attack:
    return place(lambda person: {"signature": bytes(64)})


@refuses("MLS-7.3-01", *EVERYWHERE)
def test_leaf_signed_with_another_key(place: Place) -> Attack:
    return place(lambda person: {"sign": person.client.suite.signer(bytes(range(32)))})


@refuses("MLS-7.3-01", *EVERYWHERE)
def test_leaf_whose_signature_key_is_none(place: Place) -> Attack:
    if place.__name__ in ("add_by_newcomer", "external_path", "external_path_at_server"):
        # There the message itself is signed with that key, and is refused before the leaf is looked at.
        return place(lambda person: {"signature": b""})
    return place(lambda person: {"signature_key": b"no key"})


@refuses("MLS-7.3-01", *UPDATES, *PATHS, *EXTERNAL)
def test_leaf_signed_for_another_group(place: Place) -> Attack:
    return place(lambda person: {"group_id": b"another group"})


@refuses("MLS-7.3-01", *UPDATES, *PATHS, *EXTERNAL)
def test_leaf_signed_for_another_place(place: Place) -> Attack:
    return place(lambda person: {"leaf_index": 6})


# --- capabilities --------------------------------------------------------------------------------------------------
def required(*kinds: tuple[int, ...]) -> list[Extension]:
    return [Extension(REQUIRED_CAPABILITIES, RequiredCapabilities(*kinds).encode())]


@refuses("MLS-7.3-02", *EVERYWHERE)
def test_leaf_without_a_required_extension(place: Place) -> Attack:
    context = required((NUMBER,), (), ())
    return place(lambda person: {"capabilities": capable()}, context=context, extensions=[NUMBER])


@refuses("MLS-7.3-02", *EVERYWHERE)
def test_leaf_without_a_required_proposal(place: Place) -> Attack:
    context = required((), (NUMBER,), ())
    return place(lambda person: {"capabilities": capable()}, context=context, proposals=[SELF_REMOVE, NUMBER])


@refuses("MLS-7.3-02", *EVERYWHERE)
def test_leaf_without_a_required_credential_type(place: Place) -> Attack:
    context = required((), (), (NUMBER,))
    return place(lambda person: {"capabilities": capable()}, context=context, credentials=[BASIC, X509, NUMBER])


@refuses("MLS-7.3-03", *EVERYWHERE)
def test_leaf_that_does_not_list_the_type_of_its_credential(place: Place) -> Attack:
    return place(lambda person: {"capabilities": make_capabilities([1], [X509], proposals=[SELF_REMOVE])})


@refuses("MLS-7.3-05", *EVERYWHERE)
def test_leaf_that_does_not_list_its_extension(place: Place) -> Attack:
    return place(lambda person: {"extensions": (Extension(NUMBER, b""),)})


@refuses("MLS-13.4-01", *EVERYWHERE)
def test_leaf_with_an_extension_twice(place: Place) -> Attack:
    return place(lambda person: {"extensions": (Extension(1, b"one"), Extension(1, b"two"))})


@refuses("MLS-13.4-02", *EVERYWHERE)
def test_leaf_that_does_not_support_an_extension_of_the_group(place: Place) -> Attack:
    context = [Extension(NUMBER, b"")]
    return place(lambda person: {"capabilities": capable()}, context=context, extensions=[NUMBER])


# --- lifetime and source ---------------------------------------------------------------------------------------------
STRICT = replace(LAB, check_received_lifetimes=True, check_tree_lifetimes=True)
HOUR = 3600
TODAY = NOW // 1000


@refuses("MLS-7.3-04", *ADDS, *TREES)
def test_leaf_that_has_expired(place: Place) -> Attack:
    return place(lambda person: {"lifetime": Lifetime(TODAY - 9 * HOUR, TODAY - 1)}, policy=STRICT)


@refuses("MLS-7.3-04", *ADDS, *TREES)
def test_leaf_that_is_not_valid_yet(place: Place) -> Attack:
    return place(lambda person: {"lifetime": Lifetime(TODAY + 1, TODAY + 9 * HOUR)}, policy=STRICT)


@refuses("MLS-7.3-04", add_asked_for, add_proposal_asked_for)
def test_nobody_sends_a_leaf_that_has_expired(place: Place) -> Attack:
    """Whatever the policy says about received ones (section 7.3)."""
    return place(lambda person: {"lifetime": Lifetime(TODAY - 9 * HOUR, TODAY - 1)})


@refuses("MLS-7.2-01", *ADDS, *TREES)
def test_leaf_that_is_valid_for_too_long(place: Place) -> Attack:
    policy = replace(LAB, max_lifetime_seconds=100 * 24 * HOUR)
    return place(lambda person: {"lifetime": Lifetime(TODAY, TODAY + 100 * 24 * HOUR + 1)}, policy=policy)


@refuses("MLS-7.3-06", *ADDS)
def test_leaf_of_an_update_in_a_key_package(place: Place) -> Attack:
    return place(lambda person: {"leaf_node_source": LeafNodeSource.UPDATE})


@refuses("MLS-7.3-06", *ADDS)
def test_leaf_of_a_commit_in_a_key_package(place: Place) -> Attack:
    return place(lambda person: {"leaf_node_source": LeafNodeSource.COMMIT})


@refuses("MLS-7.3-06", *UPDATES, *PATHS, *EXTERNAL)
def test_leaf_of_a_key_package_elsewhere(place: Place) -> Attack:
    return place(lambda person: {"leaf_node_source": LeafNodeSource.KEY_PACKAGE})


@refuses("MLS-7.3-06", *UPDATES)
def test_leaf_of_a_commit_in_an_update(place: Place) -> Attack:
    return place(lambda person: {"leaf_node_source": LeafNodeSource.COMMIT})


@refuses("MLS-7.3-06", *PATHS, *EXTERNAL)
def test_leaf_of_an_update_in_a_commit(place: Place) -> Attack:
    return place(lambda person: {"leaf_node_source": LeafNodeSource.UPDATE})


# --- keys ----------------------------------------------------------------------------------------------------------
@refuses("MLS-10-01", *EVERYWHERE)
def test_encryption_key_of_a_wrong_length(place: Place) -> Attack:
    return place(lambda person: {"encryption_key": b"k" * 31})


@refuses("MLS-10-01", *EVERYWHERE)
def test_encryption_key_that_nobody_can_encrypt_to(place: Place) -> Attack:
    return place(lambda person: {"encryption_key": bytes(32)})


@refuses("MLS-7.3-07", *UPDATES, *PATHS)
def test_leaf_that_keeps_its_encryption_key(place: Place) -> Attack:
    def flaw(person: Person) -> Fields:
        old = person.g.state.tree.leaf(1)
        assert old is not None
        return {"encryption_key": old.encryption_key}

    return place(flaw)


def of_cleo(person: Person) -> Fields:
    """Mal and Cleo make common cause: two leaves of one client."""
    cleo = Person("cleo").client
    return {"signature_key": cleo.signature_key, "sign": cleo.sign}


@refuses("MLS-7.3-08", *COMMITTED, *PATHS)
def test_signature_key_of_another_member(place: Place) -> Attack:
    return place(of_cleo)


@refuses("MLS-7.3-09", *COMMITTED)
def test_encryption_key_of_another_member(place: Place) -> Attack:
    def flaw(person: Person) -> Fields:
        other = person.g.state.tree.leaf(0)
        assert other is not None
        return {"encryption_key": other.encryption_key}

    return place(flaw)


@refuses("MLS-7.3-10", add_by_value, add_committed_at_server, add_asked_for, *COMMITTED, *PATHS, *EXTERNAL)
def test_credential_of_a_type_that_a_member_does_not_support(place: Place) -> Attack:
    def flaw(person: Person) -> Fields:
        return {"credential": certified(signature_private(person.name))}

    return place(flaw, authentication=Doorkeeper(), each={"cleo": {"credentials": [BASIC]}})


@refuses("MLS-7.3-11", add_by_value, add_committed_at_server, add_asked_for, *COMMITTED, *PATHS, *EXTERNAL)
def test_leaf_that_does_not_support_a_credential_type_in_use(place: Place) -> Attack:
    only_basic = make_capabilities([1], [BASIC], proposals=[SELF_REMOVE])
    # Not of whom makes the commit, whose own new leaf nobody but the newcomer would mind.
    with_certificate = "cleo" if place is add_asked_for else "ben"
    return place(lambda person: {"capabilities": only_basic}, each={with_certificate: {"has_certificate": True}})


@refuses("MLS-7.3-11", *TREES)
def test_tree_with_a_leaf_that_does_not_support_a_credential_type_in_use(place: Place) -> Attack:
    only_basic = make_capabilities([1], [BASIC], proposals=[SELF_REMOVE])
    return place(lambda person: {"capabilities": only_basic}, each={"dan": {"has_certificate": True}})


# --- key packages ------------------------------------------------------------------------------------------------------
def by_value(w: World, package: KeyPackage) -> Attack:
    return w.attack(member_commit(w.mal, [Add(package)]).message)


def by_reference(w: World, package: KeyPackage) -> Attack:
    return w.attack(message(w.mal, Add(package)))


def by_newcomer(w: World, package: KeyPackage) -> Attack:
    return w.attack(message(w.mal, Add(package), sender=NEW_MEMBER_PROPOSAL, sign=w.eve.client.sign))


def by_value_at_server(w: World, package: KeyPackage) -> Attack:
    return w.attack_server(member_commit(w.mal, [Add(package)]).message)


def by_reference_at_server(w: World, package: KeyPackage) -> Attack:
    return w.attack_server(message(w.mal, Add(package)))


def asked_for(w: World, package: KeyPackage) -> Attack:
    return w.ask(lambda: w.ben.commit([Add(package)]))


PACKAGES = (by_value, by_reference, by_newcomer, by_value_at_server, by_reference_at_server, asked_for)


@refuses("MLS-10.1-01", *PACKAGES)
def test_key_package_of_another_version(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.eve.client, w.eve.rng, version=2))


@refuses("MLS-10.1-01", *PACKAGES)
def test_key_package_of_another_suite(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.eve.client, w.eve.rng, cipher_suite=3))


@refuses("MLS-10.1-02", *PACKAGES)
def test_key_package_without_a_right_signature(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.eve.client, w.eve.rng, signature=bytes(64)))


@refuses("MLS-10.1-03", *PACKAGES)
def test_key_package_with_one_key_for_two_uses(place: Place) -> Attack:
    w = World()
    _, public = w.eve.client.suite.generate_key_pair(w.eve.rng)
    return place(w, key_package(w.eve.client, w.eve.rng, {"encryption_key": public}, init_key=public))


@refuses("MLS-10-01", *PACKAGES)
def test_init_key_of_a_wrong_length(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.eve.client, w.eve.rng, init_key=b"k" * 33))


@refuses("MLS-13.4-01", *PACKAGES)
def test_key_package_with_an_extension_twice(place: Place) -> Attack:
    w = World()
    twice = (Extension(NUMBER, b""), Extension(NUMBER, b""))
    return place(w, key_package(w.eve.client, w.eve.rng, extensions=twice))


@refuses("MLS-11-01", add_asked_for, add_proposal_asked_for)
def test_nobody_adds_a_leaf_that_does_not_list_the_suite(place: Place) -> Attack:
    return place(lambda person: {"capabilities": make_capabilities([2], [BASIC, X509], proposals=[SELF_REMOVE])})


@refuses("MLS-11-01", add_asked_for, add_proposal_asked_for)
def test_nobody_adds_a_leaf_that_does_not_list_the_version(place: Place) -> Attack:
    return place(lambda person: {"capabilities": replace(person.client.capabilities, versions=(2,))})


@refuses("MLS-7.3-08", by_value, by_value_at_server, asked_for)
def test_somebody_who_is_a_member_is_added(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.cleo.client, w.cleo.rng))


@refuses("MLS-7.3-09", by_value, by_value_at_server, asked_for)
def test_somebody_is_added_with_the_encryption_key_of_a_member(place: Place) -> Attack:
    w = World()
    return place(w, key_package(w.eve.client, w.eve.rng, {"encryption_key": w.ben.g.state.tree.public_key(4)}))


@refuses("MLS-7.3-09", by_value, by_value_at_server, asked_for)
def test_somebody_is_added_with_the_key_of_a_parent(place: Place) -> Attack:
    w = World("dan")
    w.commit(w.cleo)
    return place(w, key_package(w.eve.client, w.eve.rng, {"encryption_key": w.ben.g.state.tree.public_key(5)}))


@refuses("MLS-7.3-09", by_value)
def test_two_are_added_with_one_encryption_key(place: Place) -> Attack:
    w = World()
    _, public = w.eve.client.suite.generate_key_pair(w.eve.rng)
    dan = Person("dan")
    packages = [key_package(person.client, person.rng, {"encryption_key": public}) for person in (w.eve, dan)]
    return w.attack(member_commit(w.mal, [Add(package) for package in packages]).message)


# --- a new leaf of one's own, as the others will judge it --------------------------------------------------------------
def rotating(w: World, **change: object) -> Attack:
    after = replace(w.ben.client, **change)  # type: ignore[arg-type]
    return w.ask(lambda: w.ben.commit(rotate=after))


@refuses("MLS-7.3-02")
def test_nobody_gives_up_what_the_group_requires() -> Attack:
    w = World(context=required((NUMBER,), (), ()), extensions=[NUMBER])
    return rotating(w, capabilities=capable())


@refuses("MLS-7.3-03")
def test_nobody_takes_a_credential_that_his_leaf_does_not_list() -> Attack:
    return rotating(World(), capabilities=make_capabilities([1], [X509], proposals=[SELF_REMOVE]))


@refuses("MLS-5.3.1-02")
def test_nobody_becomes_somebody_else() -> Attack:
    return rotating(World(), credential=Credential.basic(b"somebody else"))


@refuses("MLS-7.3-01")
def test_nobody_rotates_to_a_key_with_which_he_cannot_sign() -> Attack:
    return rotating(World(), signature_key=bytes(range(32)))


# --- joining from outside although one is a member ------------------------------------------------------------------
@refuses("MLS-7.3-08", at_member, at_server)
def test_somebody_who_is_a_member_joins_from_outside(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.cleo, w.ben.g.group_info()).message)


@refuses("MLS-7.3-07", at_member, at_server)
def test_resync_that_keeps_the_encryption_key(place: Place) -> Attack:
    w = World()
    old = w.ben.g.state.tree.public_key(2)
    made = external_commit(w.mal, w.ben.g.group_info(), [Remove(1)], in_leaf={"encryption_key": old})
    return place(w, made.message)

"""Ways into a group, from either side: key packages, Welcomes, external commits, and what they may carry."""

from __future__ import annotations

import pytest

from interop.mls_certificates import certified
from interop.mls_members import OurMember, agree, decode, deliver, group_of, now, talk
from interop.mls_pairing import EVERY_SUITE, TS_MLS, Pairing
from interop.mls_peers import PeerMember, add
from letterlock.errors import InvalidGroupMessage
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.key_packages import LAST_RESORT_COMPONENT, LAST_RESORT_EXTENSION, is_last_resort
from letterlock.mls.registries import APP_DATA_DICTIONARY, GREASE_VALUES, LAST_RESORT
from letterlock.mls.wire.proposals import Add

pytestmark = pytest.mark.node
acting = pytest.mark.parametrize("acts", ["we", "peer"])

UNKNOWN = 0xFF02


@EVERY_SUITE
@acting
@pytest.mark.parametrize("place", ["in it", "beside it"])
def test_a_welcome(pairing: Pairing, acts: str, place: str) -> None:
    """Who acts takes the other's key package and makes the Welcome."""
    first, second = pairing.sides(acts)
    inside = place == "in it"
    if pairing.mls_rs_acts(acts):
        first = pairing.theirs(tree=inside)
    with pairing.passes(f"Welcome, tree {place}", acts):
        first.create(b"welcome")
        made = first.commit(add(second.key_package()), tree=inside)
        assert made.welcome is not None
        second.join(made.welcome, None if inside else made.tree)
        agree(first, second)
        talk(first, second)


@EVERY_SUITE
@acting
def test_a_welcome_for_several(pairing: Pairing, acts: str) -> None:
    first, second = pairing.sides(acts)
    others = [second, pairing.ours(), pairing.theirs(), pairing.ours(), pairing.theirs()]
    with pairing.passes("one Welcome for several", acts, size=6):
        first.create(b"several")
        made = first.commit(*(add(other.key_package()) for other in others))
        assert made.welcome is not None
        for other in others:
            other.join(made.welcome)
        agree(first, *others)
        talk(first, *others)


def test_a_welcome_each(pairing: Pairing) -> None:
    us, *others = pairing.ours(), pairing.theirs(), pairing.theirs()
    with pairing.passes("a Welcome for each", "we", size=3):
        us.create(b"each")
        packages = [Add(decode(other.key_package())) for other in others]
        made = us.g.commit(packages, options=CommitOptions(welcome_each=True), rng=us.rng, now=now())
        us.merge()
        for other, welcome in zip(others, made.welcomes, strict=True):
            other.join(welcome.message)
        agree(us, *others)
    pairing.note("a Welcome for each", "peer", "makes one Welcome for all", size=3)


@acting
@pytest.mark.parametrize("path", [True, False], ids=["with a path", "without a path"])
def test_an_add(pairing: Pairing, acts: str, path: bool) -> None:
    """Members of both kinds follow a commit that adds one of each kind."""
    feature = f"Add {'with' if path else 'without'} a path"
    first, second = pairing.sides(acts)
    members = group_of(first, second, pairing.ours(), pairing.theirs())
    new = [pairing.ours(), pairing.theirs()]
    packages = [add(member.key_package()) for member in new]
    if acts == "peer" and path:
        assert decode(first.commit(*packages, public=True).commit).content.content.path is None
        pairing.note(feature, acts, "sends no path with Adds only", wire="public", size=6)
        return
    with pairing.passes(feature, acts, wire="public", size=6):
        options = {"path": path} if isinstance(first, OurMember) else {}
        made = first.commit(*packages, public=True, **options)
        assert (decode(made.commit).content.content.path is not None) == path
        deliver(made.commit, members, first)
        for member in new:
            assert made.welcome is not None
            member.join(made.welcome)
        agree(*members, *new)
        talk(first, second, *new)


@EVERY_SUITE
@acting
def test_an_external_commit(pairing: Pairing, acts: str) -> None:
    """Who acts joins by itself, with the tree in the GroupInfo and beside it. Before that the group has both of us."""
    if pairing.mls_rs_acts(acts):
        us = pairing.ours()
        us.create(b"external")
        with pairing.cannot("external commit", acts, "no such operation", size=3):
            pairing.theirs().external_join(us.group_info())
        return
    first, second = pairing.sides("we" if pairing.name == "mls-rs" else "peer" if acts == "we" else "we")
    members = [first, second]
    with pairing.passes("external commit", acts, size=3):
        first.create(b"external")
        made = first.commit(add(second.key_package()))
        assert made.welcome is not None
        second.join(made.welcome)
        for inside in (True, False):
            new = pairing.sides(acts)[0]
            deliver(new.external_join(first.group_info(tree=inside), None if inside else first.tree()), members)
            members.append(new)
            agree(*members)
            talk(*members)


@acting
def test_an_external_commit_with_a_psk(pairing: Pairing, acts: str) -> None:
    feature = "external commit with a PSK"
    if acts == "peer":
        pairing.note(feature, acts, "has no way to ask for it", size=3)
        return
    first, second = members = group_of(pairing.ours(), pairing.theirs())
    new = pairing.ours()
    assert isinstance(first, OurMember) and isinstance(second, PeerMember)
    first.psks[b"key"] = new.psks[b"key"] = bytes(range(32))
    message = new.external_join(first.group_info(), psk_ids=[b"key"])
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "Missing required Psk", size=3):
            second.process(message)
        return
    with pairing.passes(feature, acts, size=3):
        second.peer.call("psk", psk_id=b"key", psk=bytes(range(32)))
        deliver(message, members)
        agree(*members, new)
        talk(*members, new)


@EVERY_SUITE
@acting
def test_coming_back_by_resync(pairing: Pairing, acts: str) -> None:
    if pairing.mls_rs_acts(acts):
        us = pairing.ours()
        us.create(b"resync")
        with pairing.cannot("resync", acts, "no such operation", size=3):
            pairing.theirs().external_join(us.group_info(), resync=True)
        return
    lost, other = pairing.sides(acts)
    third = pairing.ours()
    members = [third, other, lost]
    with pairing.passes("resync", acts, size=3):
        third.create(b"resync")
        made = third.commit(*(add(member.key_package()) for member in (other, lost)))
        assert made.welcome is not None
        other.join(made.welcome)
        lost.join(made.welcome)
        deliver(third.commit().commit, [other])  # which the third one misses
        deliver(lost.external_join(third.group_info(), resync=True), [third, other])
        agree(*members)
        talk(*members)
        assert len(list(third.g.members())) == 3


@EVERY_SUITE
@acting
def test_grease(pairing: Pairing, acts: str) -> None:
    """Who acts has every reserved value in its capabilities: as a creator and in a key package."""
    if pairing.mls_rs_acts(acts):
        pairing.note("GREASE in capabilities", acts, "has no way to ask for it")
        return
    if acts == "we":
        first, second, third = pairing.ours(grease=True), pairing.theirs(), pairing.ours(grease=True)
        first.create(b"grease")
        package = third.key_package()
    else:
        first, second, third = pairing.theirs(), pairing.ours(), pairing.theirs()
        first.create(b"grease", grease=True)
        package = third.key_package(grease=True)
    with pairing.passes("GREASE in capabilities", acts):
        assert set(decode(package).leaf_node.capabilities.proposals) >= GREASE_VALUES
        made = first.commit(add(second.key_package()), add(package))
        assert made.welcome is not None
        second.join(made.welcome)
        third.join(made.welcome)
        agree(first, second, third)
        deliver(second.commit().commit, [first, third], second)
        agree(first, second, third)


@acting
def test_unknown_extensions(pairing: Pairing, acts: str) -> None:
    """In the leaf and the key package of who acts, and in the GroupInfo of its Welcome."""
    feature = "unknown extensions of leaf, package, GroupInfo"
    if pairing.mls_rs_acts(acts):
        pairing.note(feature, acts, "has no way to ask for it", size=3)
        return
    given = [(UNKNOWN, b"whatever")]
    if acts == "we":
        first = pairing.ours(capable_extensions=[UNKNOWN], leaf_extensions=given)
        second, third = pairing.theirs(), pairing.ours(capable_extensions=[UNKNOWN], leaf_extensions=given)
        first.create(b"unknown")
        package = third.key_package(extensions=given)
    else:
        first, second, third = pairing.theirs(), pairing.ours(), pairing.theirs()
        first.create(b"unknown", capable_extensions=[UNKNOWN], leaf_extensions=given)
        package = third.key_package(capable_extensions=[UNKNOWN], leaf_extensions=given, extensions=given)
    with pairing.passes(feature, acts, size=3):
        assert decode(package).leaf_node.extensions == decode(package).extensions != ()
        made = first.commit(
            add(second.key_package()), add(package), group_info_extensions=[(UNKNOWN, b"for new members")]
        )
        assert made.welcome is not None
        second.join(made.welcome)
        third.join(made.welcome)
        agree(first, second, third)
        talk(first, second, third)


@acting
@pytest.mark.parametrize("mark", [LAST_RESORT_EXTENSION, LAST_RESORT_COMPONENT], ids=["extension", "component"])
def test_a_last_resort_key_package(pairing: Pairing, acts: str, mark: object) -> None:
    """The package of who acts serves for two groups of the other."""
    extension = LAST_RESORT_EXTENSION if mark is LAST_RESORT_EXTENSION else LAST_RESORT_COMPONENT
    kind = extension.extension_type
    assert kind in (LAST_RESORT, APP_DATA_DICTIONARY)
    feature = f"last-resort package ({'extension' if kind == LAST_RESORT else 'component'})"
    if pairing.mls_rs_acts(acts):
        pairing.note(feature, acts, "has no way to ask for it")
        return
    owner, other = pairing.sides(acts)
    if isinstance(owner, OurMember):
        owner = pairing.ours(capable_extensions=[kind])
        package = owner.key_package(last_resort=extension)
    else:
        package = owner.key_package(capable_extensions=[kind], extensions=[(kind, extension.extension_data)])
    with pairing.passes(feature, acts):
        assert is_last_resort(decode(package))
        for group_id in (b"first", b"second"):
            other.create(group_id)
            made = other.commit(add(package))
            assert made.welcome is not None
            owner.join(made.welcome)
            agree(owner, other)
            if isinstance(owner, OurMember):
                assert owner.packages.find(decode(made.welcome)) is None  # this Welcome does not count again


@EVERY_SUITE
@acting
def test_x509_credentials(pairing: Pairing, acts: str) -> None:
    """Members with certificates on both sides, and one with a basic credential."""
    ours, theirs = (certified(name, pairing.suite) for name in ("ours", "theirs"))
    us = pairing.ours(x509=ours.x509, private_key=ours.private_key, public_key=ours.public_key)
    if pairing.name == "mls-rs":
        rust = pairing.theirs()
        if acts == "peer":
            with pairing.cannot("X.509 credentials", acts, "credential x509", size=3):
                pairing.theirs(x509=theirs.x509)
            return
        us.create(b"x509")
        with pytest.raises(InvalidGroupMessage, match="some members do not support credential type 2"):
            us.commit(add(rust.key_package()))
        pairing.note("X.509 credentials", acts, "does not list the credential type: we do not add it", size=3)
        return
    them = pairing.theirs(x509=theirs.x509, private_key=theirs.private_key, public_key=theirs.public_key)
    with pairing.passes("X.509 credentials", acts, size=3):
        first, second = (us, them) if acts == "we" else (them, us)
        members = group_of(first, second, pairing.theirs())
        agree(*members)
        talk(us, them)
        assert [leaf.credential.certificates for _, leaf in us.g.members()][:2] == [
            tuple(member.x509) for member in ((ours, theirs) if acts == "we" else (theirs, ours))
        ]
        for member in members:
            deliver(member.commit().commit, members, member)
            agree(*members)


@TS_MLS
def test_a_certificate_for_another_key(pairing: Pairing) -> None:
    """ts-mls judges no certificate; we do, before anything else is asked."""
    theirs = certified("theirs", pairing.suite)
    us = pairing.ours()
    us.create(b"x509")
    them = pairing.theirs(x509=theirs.x509)
    with pytest.raises(InvalidGroupMessage, match="the certificate is for another key"):
        us.commit(add(them.key_package()))

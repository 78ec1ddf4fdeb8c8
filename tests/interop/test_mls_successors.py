"""Groups that continue or branch from another one (RFC 9420 sections 11.2 and 11.3)."""

from __future__ import annotations

from copy import copy

import pytest

from interop.mls_members import Member, OurMember, agree, decode, deliver, group_of, now, talk
from interop.mls_pairing import TS_MLS, Pairing
from interop.mls_peers import PeerError, PeerMember, add, reinit, resumption_psk
from letterlock.errors import GroupInactive, InvalidGroupMessage
from letterlock.mls.registries import REQUIRED_CAPABILITIES

pytestmark = pytest.mark.node
acting = pytest.mark.parametrize("acts", ["we", "peer"])

REQUIRED = (REQUIRED_CAPABILITIES, bytes.fromhex("0000020001"))
OTHER_SUITE = {1: 2, 2: 1}


def group_id_of(members: list[Member]) -> bytes:
    return next(member.g.group_id for member in members if isinstance(member, OurMember))


# --- the end of the old group ----------------------------------------------------------------------
@acting
@pytest.mark.parametrize("wire", ["private", "public"])
@pytest.mark.parametrize("how", ["by value", "by reference"])
def test_reinit(pairing: Pairing, acts: str, wire: str, how: str) -> None:
    """Nobody can send into the old group any more."""
    feature, public = f"ReInit {how}", wire == "public"
    first, second, third = members = group_of(*pairing.sides(acts), pairing.ours())
    assert isinstance(third, OurMember)
    if pairing.mls_rs_acts(acts):
        if how == "by value":
            with pairing.cannot(feature, acts, "a commit of reinit", wire=wire, size=3):
                first.commit(reinit(b"new", 1))
            return
        if wire == "private":
            pairing.note(feature, acts, "sends PublicMessages only", wire=wire, size=3)
            return
    with pairing.passes(feature, acts, wire=wire, size=3):
        if how == "by value":
            made = first.commit(reinit(b"new", 1, [REQUIRED]), public=public)
        else:
            proposer = second if pairing.name == "ts-mls" else third
            deliver(proposer.propose(reinit(b"new", 1), public=public), members, proposer)
            made = first.commit(public=public)
        for member in members[1:]:
            if isinstance(member, OurMember) or pairing.name == "ts-mls":
                member.process(made.commit)
            else:
                done = member.peer.call("process", group=member.group, message=made.commit)
                assert done["effect"] == "reinit"
        for member in members:
            if isinstance(member, OurMember) or pairing.name == "ts-mls":
                with pytest.raises((GroupInactive, PeerError), match=r"ReInit|suspended pending reinit"):
                    member.encrypt(b"after the end")
        assert third.g.reinit is not None
        assert (third.g.reinit.group_id, third.g.reinit.cipher_suite) == (b"new", 1)
        assert len({member.export("probe") for member in members}) == 1


# --- the new group ---------------------------------------------------------------------------------
def started(new: list[Member], old: list[Member], new_id: bytes, usage: str) -> bytes:
    """The first starts the group that follows from `old`; gives the Welcome for the others."""
    first, before = new[0], old[0]
    packages = [member.key_package() for member in new[1:]]
    if isinstance(first, OurMember) and isinstance(before, OurMember):
        decoded = [decode(package) for package in packages]
        if usage == "reinit":
            first.group, pending = before.g.reinitialize(first.client, decoded, rng=first.rng, now=now())
        else:
            first.client = before.client
            first.group, pending = before.g.branch(new_id, decoded, rng=first.rng, now=now())
        first.merge()
        return pending.welcomes[0].message
    first.create(new_id, **({"group_extensions": [REQUIRED]} if usage == "reinit" else {}))
    made = first.commit(*map(add, packages), resumption_psk(usage, group_id_of(old), before.epoch))
    assert made.welcome is not None
    return made.welcome


def again(pairing: Pairing, old: list[Member], suite: int) -> list[Member]:
    """New memberships of the same people; of the same client of mls-rs, after it stored the old group."""
    new: list[Member] = []
    for member in old:
        if isinstance(member, OurMember):
            new.append(OurMember(member.identity, suite))
        elif pairing.name == "ts-mls":
            new.append(PeerMember(pairing.peer, member.identity, suite))
        else:
            pairing.peer.call("reload", group=member.group, group_id=group_id_of(old))
            new.append(copy(member))
            new[-1].group += " again"
    return new


@acting
@pytest.mark.parametrize("where", ["same suite", "another suite"])
def test_going_on_after_reinit(pairing: Pairing, acts: str, where: str) -> None:
    """With all members; who acts starts the new group."""
    feature = f"new group after ReInit, {where}"
    if pairing.name == "mls-rs" and (acts == "peer" or where == "another suite"):
        why = "PSKs in a commit of its own" if acts == "peer" else "another suite"
        pairing.note(feature, acts, f"has no such interface: {why}", size=4)
        return
    suite = pairing.suite if where == "same suite" else OTHER_SUITE[pairing.suite]
    old = group_of(*pairing.sides(acts), pairing.ours(), pairing.theirs())
    new_id = b"after " + group_id_of(old)
    made = old[0].commit(reinit(new_id, suite, [REQUIRED]))
    deliver(made.commit, old, old[0])
    new = again(pairing, old, suite)
    welcome = started(new, old, new_id, "reinit")
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "Old group state not found", size=4):
            new[1].join(welcome)
        return
    with pairing.passes(feature, acts, size=4):
        for member, former in zip(new[1:], old[1:], strict=True):
            member.join(welcome, resuming=former)  # type: ignore[arg-type]
        agree(*new)
        talk(*new)
        us = next(member for member in new if isinstance(member, OurMember))
        assert us.g.epoch == 1
        assert {leaf.credential.identity for _, leaf in us.g.members()} == {member.identity for member in old}


@acting
def test_branching(pairing: Pairing, acts: str) -> None:
    """A group of three of the four members; the old one goes on."""
    feature = "branch"
    if pairing.mls_rs_acts(acts):
        pairing.note(feature, acts, "has no such interface: PSKs in a commit of its own", size=4)
        return
    old = group_of(*pairing.sides(acts), pairing.ours(), pairing.theirs())
    new = again(pairing, old[:3], pairing.suite)
    welcome = started(new, old, b"branch of " + group_id_of(old), "branch")
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "Old group state not found", size=4):
            new[1].join(welcome)
        return
    with pairing.passes(feature, acts, size=4):
        for member, former in zip(new[1:], old[1:3], strict=True):
            member.join(welcome, resuming=former)  # type: ignore[arg-type]
        agree(*new)
        talk(*new)
        deliver(old[0].commit().commit, old, old[0])
        agree(*old)
        talk(*old)


@TS_MLS
def test_a_branch_that_we_do_not_enter(pairing: Pairing) -> None:
    """With a stranger in it (section 11.3), or of a group that we were not in."""
    old = group_of(*pairing.sides("peer"), pairing.theirs())
    new = again(pairing, old, pairing.suite)
    first, us = new[:2]
    assert isinstance(us, OurMember)
    first.create(b"stranger in " + group_id_of(old))
    link = resumption_psk("branch", group_id_of(old), old[0].epoch)
    made = first.commit(add(us.key_package()), add(pairing.theirs().key_package()), link)
    assert made.welcome is not None
    with pytest.raises(InvalidGroupMessage, match="members that the old group has not"):
        us.join(made.welcome, resuming=old[1])  # type: ignore[arg-type]
    known = old[1].g.resumption_psk(1)  # type: ignore[union-attr]
    us.find_psk = lambda psk: known  # type: ignore[method-assign]
    with pytest.raises(InvalidGroupMessage, match="continues a group that we do not know"):
        us.join(made.welcome)

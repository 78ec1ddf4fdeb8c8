"""Commits and proposals between us and a peer, in both directions and both wire formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from interop.mls_members import Member, OurMember, agree, decode, deliver, group_of, now, talk
from interop.mls_pairing import EVERY_SUITE, Pairing, wire_of
from interop.mls_peers import (
    PeerMember,
    add,
    custom,
    group_context_extensions,
    psk,
    remove,
    resumption_psk,
    update,
)
from letterlock.codec.tls import opaque, u16
from letterlock.errors import InvalidGroupMessage, MissingPsk
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.results import StagedCommit
from letterlock.mls.policy import DEFAULT_POLICY
from letterlock.mls.public_group import PublicGroup, PublicProposal, StagedPublicCommit
from letterlock.mls.registries import EXTERNAL_SENDERS, REQUIRED_CAPABILITIES
from letterlock.mls.wire.proposals import CustomProposalType, ProposalTypes, SelfRemove
from mls.any_credential import AnyCredential

pytestmark = pytest.mark.node
acting = pytest.mark.parametrize("acts", ["we", "peer"])
wires = pytest.mark.parametrize("wire", ["private", "public"])

UNKNOWN = 0xFF02
CUSTOM = 0xF001
PSK_ID = b"a shared key"
PSK = bytes(range(32))
SIZE = 4


def four(pairing: Pairing, acts: str, **options: Any) -> list[Member]:
    """A group of the acting side, the following side, and one more of each."""
    return group_of(*pairing.sides(acts), pairing.ours(), pairing.theirs(), **options)


def sends_public_only(pairing: Pairing, feature: str, acts: str, wire: str, message: bytes) -> bool:
    """mls-rs has no other wire format; that it is so is seen in `message`."""
    if wire_of(message) == wire:
        return False
    assert pairing.mls_rs_acts(acts) and wire == "private"
    pairing.note(feature, acts, "sends PublicMessages only", wire=wire, size=SIZE)
    return True


def last_commit(member: Member) -> StagedCommit:
    assert isinstance(member, OurMember)
    return next(result for result in reversed(member.seen) if isinstance(result, StagedCommit))


# --- commits ---------------------------------------------------------------------------------------
@EVERY_SUITE
@acting
@wires
def test_update_path_commits(pairing: Pairing, acts: str, wire: str) -> None:
    feature = "Commit with an UpdatePath only"
    first, *_ = members = four(pairing, acts)
    if pairing.mls_rs_acts(acts) and wire == "private":
        assert sends_public_only(pairing, feature, acts, wire, first.commit().commit)
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        for sender in (first, *members) if pairing.suite in (1, 2) else members[:2]:
            deliver(sender.commit(public=wire == "public").commit, members, sender)
            agree(*members)
        talk(*members)


@acting
@wires
def test_authenticated_data_of_a_commit(pairing: Pairing, acts: str, wire: str) -> None:
    feature = "authenticated_data of a Commit"
    first, _, third, _ = members = four(pairing, acts)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "authenticated data", wire=wire, size=SIZE):
            first.commit(aad=b"for all to see")
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        made = first.commit(public=wire == "public", aad=b"for all to see")
        deliver(made.commit, members, first)
        agree(*members)
        assert last_commit(third).effects.authenticated_data == b"for all to see"


@acting
def test_a_new_signature_key(pairing: Pairing, acts: str) -> None:
    """The path of a commit brings another signature key and other capabilities; the identity stays."""
    feature = "new signature key by a Commit"
    if acts == "peer":
        pairing.note(feature, acts, "has no way to ask for it", size=SIZE)
        return
    first, *_ = members = four(pairing, acts)
    assert isinstance(first, OurMember)
    fresh = pairing.ours(first.identity, capable_extensions=[UNKNOWN])
    with pairing.passes(feature, acts, size=SIZE):
        made = first.g.commit(options=CommitOptions(rotate=fresh.client), rng=first.rng, now=now())
        first.merge()
        deliver(made.message, members, first)
        agree(*members)
        first.client = fresh.client
        deliver(first.commit().commit, members, first)
        agree(*members)
        talk(*members)
        assert our(members[2:]).leaf_key(first.g.own_leaf) == fresh.public_key


@acting
@wires
def test_a_remove(pairing: Pairing, acts: str, wire: str) -> None:
    """Of a third member, then of the one who follows: it sees that it is out."""
    first, second, third, fourth = members = four(pairing, acts)
    talk(*members)  # mls-rs removes only whom it has heard
    if pairing.mls_rs_acts(acts) and wire == "private":
        made = first.commit(remove(identity=fourth.identity))
        assert sends_public_only(pairing, "Remove", acts, wire, made.commit)
        return
    with pairing.passes("Remove", acts, wire=wire, size=SIZE):
        made = first.commit(remove(identity=fourth.identity), public=wire == "public")
        assert wire_of(made.commit) == wire
        deliver(made.commit, [second, third], first)
        assert sees_that_it_is_out(fourth, made.commit)
        agree(first, second, third)
        made = first.commit(remove(identity=second.identity), public=wire == "public")
        third.process(made.commit)
        assert sees_that_it_is_out(second, made.commit)
        agree(first, third)
        talk(first, third)


def sees_that_it_is_out(member: Member, commit: bytes) -> bool:
    if isinstance(member, PeerMember):
        done = member.peer.call("process", group=member.group, message=commit)
        return "removedFromGroup" in done.values() or "removed" in done.values()
    member.process(commit)
    return not member.g.active and last_commit(member).effects.self_removed


@acting
def test_a_remove_whose_leaf_an_add_takes(pairing: Pairing, acts: str) -> None:
    """The one who follows is removed, and its leaf is not blank afterwards."""
    feature = "Remove, with an Add into the same leaf"
    first, second, third, fourth = members = four(pairing, acts)
    talk(*members)
    new = pairing.ours()
    deliver(fourth.propose(add(new.key_package()), public=True), members, fourth)
    made = first.commit(remove(identity=second.identity), public=True)
    deliver(made.commit, [third, fourth], first)
    assert made.welcome is not None
    new.join(made.welcome)
    agree(first, third, fourth, new)
    assert new.g.own_leaf == 1
    if (pairing.name, acts) == ("ts-mls", "we"):
        with pairing.cannot(feature, acts, "No overlap between provided private keys and update path", size=SIZE):
            second.process(made.commit)
        return
    with pairing.passes(feature, acts, size=SIZE):
        assert sees_that_it_is_out(second, made.commit)


def our(members: Sequence[Member]) -> OurMember:
    return next(member for member in members if isinstance(member, OurMember))


# --- proposals by reference ------------------------------------------------------------------------
@acting
@wires
@pytest.mark.parametrize("kind", ["Add", "Remove", "Update"])
def test_a_proposal_by_reference(pairing: Pairing, acts: str, wire: str, kind: str) -> None:
    """Who acts proposes; the other side commits it."""
    feature = f"{kind} by reference"
    first, second, third, fourth = members = four(pairing, acts)
    talk(*members)
    new = pairing.theirs()
    proposal = {"Add": add(new.key_package()), "Remove": remove(identity=fourth.identity), "Update": update()}[kind]
    if pairing.mls_rs_acts(acts) and kind == "Update":
        with pairing.cannot(feature, acts, "proposal update", wire=wire, size=SIZE):
            first.propose(proposal)
        return
    message = first.propose(proposal, public=wire == "public")
    if sends_public_only(pairing, feature, acts, wire, message):
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        deliver(message, members, first)
        made = second.commit(public=wire == "public")
        deliver(made.commit, members, second)
        staying = members[:3] if kind == "Remove" else members
        if kind == "Add":
            assert made.welcome is not None
            new.join(made.welcome)
            staying = [*members, new]
        agree(*staying)
        talk(*staying)
        for member in (first, third):
            deliver(member.commit(public=wire == "public").commit, staying, member)
        agree(*staying)


@EVERY_SUITE
@acting
def test_many_proposals_at_once(pairing: Pairing, acts: str) -> None:
    """By reference from several members and by value beside them; committed by who acts."""
    first, second, third, fourth = members = four(pairing, acts)
    talk(*members)
    new, other = pairing.theirs(), pairing.ours()
    with pairing.passes("Commit of several proposals", acts, wire="public", size=SIZE):
        deliver(second.propose(add(new.key_package()), public=True), members, second)
        deliver(third.propose(update(), public=True), members, third)
        deliver(second.propose(remove(identity=fourth.identity), public=True), members, second)
        made = first.commit(add(other.key_package()), public=True)
        assert len(decode(made.commit).content.content.proposals) == 4
        deliver(made.commit, [second, third], first)  # ts-mls would not see that it is out, see above
        for member in (new, other):
            assert made.welcome is not None
            member.join(made.welcome)
        agree(first, second, third, new, other)
        talk(first, second, third, new, other)
        deliver(third.commit(public=True).commit, [first, second, new, other], third)
        agree(first, second, third, new, other)


# --- pre-shared keys -------------------------------------------------------------------------------
def share_psk(*members: Member) -> None:
    for member in members:
        if isinstance(member, OurMember):
            member.psks[PSK_ID] = PSK
        else:
            member.peer.call("psk", psk_id=PSK_ID, psk=PSK)


@acting
@wires
def test_an_external_psk(pairing: Pairing, acts: str, wire: str) -> None:
    """By value, by reference, and in a Welcome."""
    feature = "external PSK"
    first, second, *_ = members = four(pairing, acts)
    if pairing.name == "mls-rs":
        if acts == "peer":
            with pairing.cannot(feature, acts, "a commit of psk", wire=wire, size=SIZE):
                first.commit(psk(PSK_ID))
            return
        share_psk(first)
        with pairing.cannot(feature, acts, "Missing required Psk", wire=wire, size=SIZE):
            second.process(first.commit(psk(PSK_ID), public=wire == "public").commit)
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        share_psk(first, second)
        made = first.commit(psk(PSK_ID), public=wire == "public", merge=False)
        with pytest.raises(MissingPsk):
            our(members[2:]).process(made.commit)
        share_psk(*members)
        deliver(made.commit, members, first)
        first.merge()
        agree(*members)
        deliver(first.propose(psk(PSK_ID), public=wire == "public"), members, first)
        new = [pairing.ours(), pairing.theirs()]
        share_psk(*new)
        made = second.commit(*(add(member.key_package()) for member in new), public=wire == "public")
        deliver(made.commit, members, second)
        for member in new:
            assert made.welcome is not None
            member.join(made.welcome)
        agree(*members, *new)


@acting
@wires
def test_an_application_resumption_psk(pairing: Pairing, acts: str, wire: str) -> None:
    """The key of an earlier epoch of the same group in a commit."""
    feature = "resumption PSK, usage application"
    first, *_ = members = four(pairing, acts)
    proposal = resumption_psk("application", our(members).g.group_id, 1)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "a commit of resumption_psk", wire=wire, size=SIZE):
            first.commit(proposal)
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        deliver(first.commit(public=True).commit, members, first)
        deliver(first.commit(proposal, public=wire == "public").commit, members, first)
        agree(*members)


@acting
def test_an_application_resumption_psk_in_a_welcome(pairing: Pairing, acts: str) -> None:
    """The one who follows was removed, and comes back by a Welcome that wants the key of an epoch it was in."""
    feature = "resumption PSK in the Welcome of one who returns"
    first, second, *others = members = four(pairing, acts)
    talk(*members)
    psk_of_one = resumption_psk("application", our(members).g.group_id, 1)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "a commit of add and resumption_psk", size=SIZE):
            first.commit(add(second.key_package()), psk_of_one)
        return
    removing = first.commit(remove(identity=second.identity))
    deliver(removing.commit, others, first)
    assert sees_that_it_is_out(second, removing.commit)
    made = first.commit(add(second.key_package()), psk_of_one)
    deliver(made.commit, others, first)
    assert made.welcome is not None
    if isinstance(second, PeerMember):
        answer = "Resumption must be started at epoch 1" if pairing.name == "ts-mls" else "Old group state not found"
        with pairing.cannot(feature, acts, answer, size=SIZE):
            second.join(made.welcome, resuming=second)
        return
    with pairing.passes(feature, acts, size=SIZE):
        second.join(made.welcome, resuming=second)
        agree(*members)


# --- the group's extensions ------------------------------------------------------------------------
REQUIRED = (REQUIRED_CAPABILITIES, bytes.fromhex("0000020001"))
"""Basic credentials are required: everybody has that."""


@acting
@wires
def test_group_context_extensions_by_value(pairing: Pairing, acts: str, wire: str) -> None:
    feature = "GroupContextExtensions by value"
    first, second, *_ = members = four(pairing, acts)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "a commit of group_context_extensions", wire=wire, size=SIZE):
            first.commit(group_context_extensions([REQUIRED]))
        return
    made = first.commit(group_context_extensions([REQUIRED]), public=wire == "public")
    if acts == "peer":  # section 12.4: it needs a path
        answer = "the commit needs an UpdatePath and has none"
        with pairing.cannot(feature, acts, answer, wire=wire, size=SIZE, error=InvalidGroupMessage):
            second.process(made.commit)
        return
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        deliver(made.commit, members, first)
        agree(*members)
        assert first.status()["extensions"] == [list(REQUIRED)]


@acting
@wires
def test_group_context_extensions_by_reference(pairing: Pairing, acts: str, wire: str) -> None:
    """Who acts proposes; mls-rs and we can commit that, ts-mls cannot."""
    feature = "GroupContextExtensions by reference"
    first, second, third, _ = members = four(pairing, acts)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "proposal group_context_extensions", wire=wire, size=SIZE):
            first.propose(group_context_extensions([REQUIRED]))
        return
    message = first.propose(group_context_extensions([REQUIRED]), public=wire == "public")
    deliver(message, members, first)
    committer = second
    if (pairing.name, acts) == ("ts-mls", "we"):
        made = second.commit(public=wire == "public", merge=False)
        answer = "the commit needs an UpdatePath and has none"
        with pairing.cannot(feature, acts, answer, wire=wire, size=SIZE, error=InvalidGroupMessage):
            third.process(made.commit)
        committer = third
    with pairing.passes(feature, acts, wire=wire, size=SIZE):
        deliver(committer.commit(public=wire == "public").commit, members, committer)
        agree(*members)
        assert our(members).status()["extensions"] == [list(REQUIRED)]


@acting
def test_an_unknown_extension_of_the_group(pairing: Pairing, acts: str) -> None:
    """Who acts creates the group with an extension that all members list and nobody else knows."""
    feature = "unknown extension of the GroupContext"
    given = [(UNKNOWN, b"for all members")]
    if pairing.mls_rs_acts(acts):
        pairing.note(feature, acts, "has no such interface: extensions of a new group")
        return
    us = pairing.ours(capable_extensions=[UNKNOWN])
    them = pairing.theirs()
    if acts == "we":
        us.create(b"unknown " + us.name.encode(), group_extensions=given)
        package = them.key_package(capable_extensions=[UNKNOWN])
        if pairing.name == "mls-rs":  # whose packages do not list it, so that we add none
            with pytest.raises(InvalidGroupMessage, match="does not support the group's extension 0xff02"):
                us.commit(add(package))
            pairing.note(feature, acts, "does not list an unknown extension: we do not add it")
            return
        made, joiner = us.commit(add(package)), them
    else:
        them.create(b"unknown " + them.name.encode(), group_extensions=given, capable_extensions=[UNKNOWN])
        made, joiner = them.commit(add(us.key_package())), us
    with pairing.passes(feature, acts):
        assert made.welcome is not None
        joiner.join(made.welcome)
        agree(us, them)
        for member, other in ((us, them), (them, us)):
            other.process(member.commit().commit)
            agree(us, them)
        assert us.status()["extensions"] == them.status()["extensions"] == [[UNKNOWN, b"for all members"]]
        with pytest.raises(InvalidGroupMessage, match="does not support the group's extension 0xff02"):
            us.commit(add(pairing.ours().key_package()))


# --- other types of proposals ----------------------------------------------------------------------
CUSTOM_POLICY = replace(
    DEFAULT_POLICY,
    proposal_types=ProposalTypes(
        custom={
            CUSTOM: CustomProposalType(
                CUSTOM, "custom", None, path_required=False, external_senders=False, external_commit=False
            )
        }
    ),
)


@acting
@pytest.mark.parametrize("how", ["by value", "by reference"])
def test_custom_proposals(pairing: Pairing, acts: str, how: str) -> None:
    feature = f"custom proposal {how}"
    us = pairing.ours(capable_proposals=[CUSTOM], policy=CUSTOM_POLICY)
    them = pairing.theirs()
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "proposal custom"):
            them.create(b"custom mls-rs")
            them.propose(custom(CUSTOM, b"body"))
        return
    package = them.key_package(capable_proposals=[CUSTOM])
    us.create(b"custom " + us.name.encode())
    made = us.commit(add(package))
    assert made.welcome is not None
    them.join(made.welcome)
    first, second = (us, them) if acts == "we" else (them, us)
    if pairing.name == "mls-rs":
        with pytest.raises(InvalidGroupMessage, match="some members do not support proposal type 0xf001"):
            us.commit(custom(CUSTOM, b"body"))
        pairing.note(feature, acts, "does not list an unknown proposal type: we commit none")
        return
    with pairing.passes(feature, acts):
        if how == "by value":
            second.process(first.commit(custom(CUSTOM, b"body")).commit)
        else:
            second.process(first.propose(custom(CUSTOM, b"body")))
            first.process(second.commit().commit)
        agree(us, them)
        effects = us.pending_effects if (acts == "we") == (how == "by value") else last_commit(us).effects
        assert [proposal.body for _, proposal in effects.custom] == [b"body"]


def test_a_self_remove(pairing: Pairing) -> None:
    """Of draft-ietf-mls-extensions. Peers do not know the type, so that we do not send it into a group with them."""
    us, them = pairing.ours(), pairing.theirs()
    members = group_of(us, them)
    with pytest.raises(InvalidGroupMessage, match="some members do not support proposal type 0x000a"):
        us.g.propose(SelfRemove(), rng=us.rng, now=now())
    for acts in ("we", "peer"):
        pairing.note("SelfRemove", acts, "does not list the type: we do not propose it")
    talk(*members)


# --- from outside the group ------------------------------------------------------------------------
@acting
@pytest.mark.parametrize("kind", ["Add", "Remove", "GroupContextExtensions"])
def test_an_external_sender(pairing: Pairing, acts: str, kind: str) -> None:
    """Who acts is the second of two external senders of the group; the other side commits what it proposes."""
    feature = f"{kind} by an external sender"
    if pairing.mls_rs_acts(acts):
        pairing.note(feature, acts, "has no such interface: proposals of an external sender", size=3)
        return
    server, second = pairing.sides(acts)
    senders = (EXTERNAL_SENDERS, opaque(b"".join(map(listed, (pairing.ours(), server)))))
    us = second if isinstance(second, OurMember) else pairing.ours()
    them = second if isinstance(second, PeerMember) else pairing.theirs()
    members = group_of(us, them, pairing.ours(), group_extensions=[senders])
    new = pairing.theirs()
    proposal = {
        "Add": add(new.key_package()),
        "Remove": remove(index=2),
        "GroupContextExtensions": group_context_extensions([REQUIRED]),
    }[kind]
    message = server.propose_external(us.group_info(), proposal)
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "from outside the group", size=3):
            them.process(message)
        return
    with pairing.passes(feature, acts, size=3):
        server_sees = following(us)
        deliver(message, members)
        committer = us if kind == "GroupContextExtensions" else second  # ts-mls cannot commit those, see above
        made = committer.commit(public=True)
        deliver(made.commit, members, committer)
        server_sees(message, made.commit)
        staying = members[:2] if kind == "Remove" else members
        if kind == "Add":
            assert made.welcome is not None
            new.join(made.welcome)
            staying = [*members, new]
        agree(*staying)
        talk(*staying)


def following(us: OurMember) -> Callable[[bytes, bytes], None]:
    """A server that sees a proposal and its commit, both public, and has to end where we are."""
    authentication = AnyCredential()
    server = PublicGroup(
        us.client.suite, us.group_info(), authentication=authentication, policy=DEFAULT_POLICY, now=now()
    )

    def sees(proposal: bytes, commit: bytes) -> None:
        assert isinstance(server.process(proposal, now=now()), PublicProposal)
        staged = server.process(commit, now=now())
        assert isinstance(staged, StagedPublicCommit)
        server.merge(staged)
        assert server.state.context == us.g.state.context

    return sees


def listed(sender: Member) -> bytes:
    """An ExternalSender with a basic credential."""
    return opaque(sender.public_key) + u16(1) + opaque(sender.identity)


@acting
def test_proposing_to_join(pairing: Pairing, acts: str) -> None:
    """new_member_proposal: who acts asks to be added, the other side commits it."""
    feature = "new_member_proposal"
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "no such operation", size=3):
            pairing.theirs().propose_join(b"")
        return
    new, second = pairing.sides(acts)
    us = second if isinstance(second, OurMember) else pairing.ours()
    them = second if isinstance(second, PeerMember) else pairing.theirs()
    members = group_of(us, them)
    message = new.propose_join(us.group_info())
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "from outside the group", size=3):
            them.process(message)
        return
    with pairing.passes(feature, acts, size=3):
        server_sees = following(us)
        deliver(message, members)
        made = second.commit(public=True)
        deliver(made.commit, members, second)
        server_sees(message, made.commit)
        assert made.welcome is not None
        new.join(made.welcome)
        agree(*members, new)
        talk(*members, new)

"""Every numbered rule of the ordering (rcc16.md 5.8): a request that breaks it is refused with its reason, and is not
refused by it when the rule is off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from focus.ordering import DAY, GROUP_ID, LIMITS, Phone, World
from letterlock.ids import Instant
from letterlock.mls.group.results import PendingCommit
from letterlock.mls.registries import EXTERNAL_SENDERS
from letterlock.mls.rules import Rule as MlsRule
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension, ExternalSender, encode_external_senders
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import GroupContextExtensions, Remove, SelfRemove
from letterlock.mls.wire.welcome import GroupInfo, Welcome
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.rules import RULES, Rule
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.control import MetadataChange, Operation, RosterChange
from letterlock.rcc16.wire.extensions import era_extension
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.proposals import server_remove
from letterlock.rcc16.wire.reasons import ServerReason
from letterlock.services.focus.mls.logic import OrderedGroup
from letterlock.services.focus.mls.outcome import Outcome, Refused
from letterlock.services.focus.mls.refusing import REASONS
from rcc16.certificates import NOW, Lab, lab_policy
from switching import switched_off

Attack = Callable[[], Outcome | None]
ATTACKS: dict[str, list[Attack]] = {}


def attack(number: str) -> Callable[[Attack], Attack]:
    def take(function: Attack) -> Attack:
        ATTACKS.setdefault(f"RCC-5.8-{number}", []).append(function)
        return function

    return take


# --- asking ----------------------------------------------------------------------------------------------
@attack("01")
def _stranger() -> Outcome:
    world = World(3)
    a = world.phones[0]
    world.roster -= {a.number}
    return world.judge(a, a.commit())


@attack("02")
def _no_group() -> Outcome:
    world = World(2)
    a = world.phones[0]
    world.group = OrderedGroup(world.terms, GROUP_ID)
    return world.judge(a, a.commit())


@attack("02")
def _no_group_to_renew() -> Outcome:
    world = World(2)
    a, b = world.phones
    world.group = OrderedGroup(world.terms, GROUP_ID)
    return world.judge(a, a.found([b], era=2, operation=Operation.NEW_ERA))


@attack("03")
def _other_era() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(era=2))


@attack("03")
def _era_again() -> Outcome:
    world = World(2)
    a, b = world.phones
    return world.judge(a, a.found([b], era=1))


@attack("03")
def _era_jumps() -> Outcome:
    world = World(2)
    a, b = world.phones
    return world.judge(a, a.found([b], era=3, operation=Operation.NEW_ERA))


@attack("03")
def _begins_with_the_last_era() -> Outcome:
    """Eras do not wrap: nobody could ever begin another one."""
    world, (a, b) = _empty()
    return world.judge(a, a.found([b], era=0xFFFF_FFFF))


@attack("29")
def _control_id_again() -> Outcome:
    """Members would take it for the first one, said again, and be left behind."""
    world = World(2)
    a = world.phones[0]
    first = a.commit()
    world.do(a, first)
    data = encode_authenticated_data(first.message_id, 1)
    return world.judge(a, a.commit(data=data, message_id=first.message_id))


@attack("29")
def _control_id_of_another() -> Outcome:
    world = World(2)
    a, b = world.phones
    first = a.commit()
    world.do(a, first)
    data = encode_authenticated_data(first.message_id, 1)
    return world.judge(b, b.commit(data=data, message_id=first.message_id))


@attack("04")
def _loser_of_a_race() -> Outcome:
    world = World(3)
    a, b, _ = world.phones
    late = b.commit()
    b.refused()
    world.do(a, a.commit())
    return world.judge(b, late)


@attack("05")
def _other_authenticator() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(base_epoch_authenticator=bytes(32)))


@attack("06")
def _garbage() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(commit=b"\x00\x01garbage"))


@attack("06")
def _proposal_as_commit() -> Outcome:
    world = World(2)
    a, b = world.phones
    leaving = b.leave()
    return world.judge(a, a.commit(commit=leaving.proposal))


@attack("07")
def _envelope() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.group.judge(a.commit(), "another", a.number, world.roster, NOW)


@attack("08")
def _disguised_as_external() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(operation=Operation.EXTERNAL_COMMIT))


@attack("08")
def _disguised_external() -> Outcome:
    world = World(2)
    a = world.phones[0]
    assert world.snapshot is not None
    _, request = a.come_back(world.group, world.snapshot)
    return world.judge(a, replace(request, operation=Operation.COMMIT))


@attack("09")
def _commit_of_another() -> Outcome:
    world = World(2)
    a, b = world.phones
    return world.judge(b, a.commit())


@attack("10")
def _era_changed_inside() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit([GroupContextExtensions((era_extension(2),))]))


@attack("10")
def _era_dropped_inside() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit([GroupContextExtensions(())]))


@attack("11")
def _pre_shared_key() -> Outcome:
    world = World(2)
    a, b = world.phones
    world.do(a, a.commit())
    return world.judge(b, b.commit([b.g.past_epoch_psk(1, rng=b.rng)]))


def _external_senders(phone: Phone) -> Extension:
    sender = ExternalSender(phone.identity.leaf.public, phone.identity.credential)
    return Extension(EXTERNAL_SENDERS, encode_external_senders((sender,)))


@attack("11")
def _takes_external_senders() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.extend(_external_senders(a)))


@attack("11")
def _server_remove_by_a_member() -> Outcome:
    world = World(3)
    a, b, _ = world.phones
    request = a.commit([server_remove(a.leaves_of(b.number)[0])], roster=RosterChange(remove=(b.number,)))
    return world.judge(a, request)


@attack("13")
def _old_group_info() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(group_info=a.g.group_info(with_tree=False)))


@attack("13")
def _no_group_info() -> Outcome:
    world = World(2)
    a = world.phones[0]
    request = a.commit()
    return world.judge(a, replace(request, group_info=request.commit))


def _info(data: bytes) -> GroupInfo:
    policy = lab_policy()
    info = decode_message(data, policy.proposal_types, policy.max_message_bytes)
    assert isinstance(info, GroupInfo)
    return info


@attack("12")
def _large_group_context() -> Outcome:
    """Everybody who comes back would have to carry it."""
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.extend(Extension(0xF012, bytes(LIMITS.max_group_info))))


@attack("12")
def _large_authenticated_data() -> Outcome:
    world = World(2)
    a = world.phones[0]
    message_id = new_message_id(a.rng)
    data = encode_authenticated_data(message_id, 1)[:-1] + b"\x02" + bytes(100_000)
    return world.judge(a, a.commit(data=data, message_id=message_id))


@attack("12")
def _large_welcome() -> Outcome:
    world = World(2)
    a = world.phones[0]
    request = a.add(world.enrol(9))
    policy = lab_policy()
    welcome = decode_message(request.welcome, policy.proposal_types, policy.max_message_bytes)
    assert isinstance(welcome, Welcome)
    return world.judge(
        a, replace(request, welcome=encode_message(replace(welcome, encrypted_group_info=bytes(150_000))))
    )


@attack("12")
def _tree_that_cannot_be_loaded() -> Outcome:
    world = World(2)
    a = world.phones[0]
    request = a.add(world.enrol(9))
    policy = replace(world.terms.policy, max_message_bytes=len(request.ratchet_tree) - 1)
    world.terms = replace(world.terms, policy=policy)
    world.group._terms = world.terms
    return world.judge(a, replace(request, ratchet_tree=b""))


@attack("19")
def _many_devices_of_one() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_leaves_of_one=2))
    a, b = world.phones
    more = [world.enrol(1, device=device) for device in (2, 3)]
    assert {each.number for each in more} == {b.number}
    return world.judge(a, a.commit([each.package() for each in more], path=False))


@attack("19")
def _new_group_with_many_devices_of_one() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_leaves_of_one=1))
    a, b = world.phones
    return world.judge(a, a.found([b, world.enrol(1, device=2)], era=2, operation=Operation.NEW_ERA))


@attack("19")
def _large_leaf() -> Outcome:
    world = World(2)
    a = world.phones[0]
    large = replace(a.client, leaf_extensions=(Extension(0xF012, bytes(LIMITS.max_leaf)),))
    return world.judge(a, a.commit(rotate=large))


@attack("14")
def _unsigned_group_info() -> Outcome:
    """What a focus that trusted it could never load again."""
    world = World(2)
    a = world.phones[0]
    request = a.commit()
    info = _info(request.group_info)
    forged = replace(info, signature=info.signature[:-1] + bytes([info.signature[-1] ^ 1]))
    return world.judge(a, replace(request, group_info=encode_message(forged)))


@attack("14")
def _group_info_of_another() -> Outcome:
    world = World(2)
    a = world.phones[0]
    request = a.commit()
    return world.judge(a, replace(request, group_info=encode_message(replace(_info(request.group_info), signer=1))))


@attack("15")
def _other_tree() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(ratchet_tree=a.g.state.tree.encode()))


@attack("16")
def _no_authenticator() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(epoch_authenticator=b""))


@attack("16")
def _long_delivery() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(key_delivery=bytes(LIMITS.max_key_delivery + 1)))


@attack("16")
def _long_subject() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(metadata=MetadataChange(bytes(LIMITS.max_subject + 1))))


@attack("16")
def _long_icon() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(metadata=MetadataChange(None, "x" * (LIMITS.max_icon + 1))))


@attack("16")
def _subject_from_outside() -> Outcome:
    world = World(2)
    a = world.phones[0]
    assert world.snapshot is not None
    _, request = a.come_back(world.group, world.snapshot)
    return world.judge(a, replace(request, metadata=MetadataChange(b"x")))


@attack("16")
def _founding_without_tree() -> Outcome:
    world = World(2)
    a, b = world.phones
    return world.judge(a, replace(a.found([b], era=2, operation=Operation.NEW_ERA), ratchet_tree=b""))


@attack("16")
def _proposal_with_commit() -> Outcome:
    world = World(3)
    a, b, _ = world.phones
    return world.judge(a, replace(a.leave(), commit=b.commit().commit))


@attack("17")
def _committer_leaves() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(roster=RosterChange(leave=True)))


@attack("17")
def _external_with_roster() -> Outcome:
    world = World(2)
    a, b = world.phones
    assert world.snapshot is not None
    _, request = a.come_back(world.group, world.snapshot)
    return world.judge(a, replace(request, roster=RosterChange(remove=(b.number,))))


@attack("17")
def _adds_a_member() -> Outcome:
    world = World(2)
    a, b = world.phones
    return world.judge(a, a.commit(roster=RosterChange(add=(b.number,))))


@attack("17")
def _removes_a_stranger() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(roster=RosterChange(remove=(world.enrol(9).number,))))


# --- roster and credentials ------------------------------------------------------------------------------
@attack("18")
def _ghost() -> Outcome:
    """SR-04: a leaf in the tree of somebody whom the RCS group does not show."""
    world = World(2)
    a = world.phones[0]
    return world.judge(a, replace(a.add(world.enrol(9)), roster=None))


@attack("18")
def _removed_in_the_tree_only() -> Outcome:
    world = World(3)
    a, _, c = world.phones
    return world.judge(a, replace(a.remove(c.number), roster=None))


@attack("18")
def _added_to_the_roster_only() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(roster=RosterChange(add=(world.enrol(9).number,))))


@attack("18")
def _external_of_who_was_removed() -> Outcome:
    """Somebody whom the roster still has comes back while another has been put on the roster alone."""
    world = World(2)
    a = world.phones[0]
    world.roster |= {world.enrol(9).number}
    assert world.snapshot is not None
    _, request = a.come_back(world.group, world.snapshot)
    return world.judge(a, request)


def _short_lived() -> tuple[World, Instant]:
    """A group in which one member's certificate falls under the floor after 15 days."""
    world = World(2)
    a = world.phones[0]
    world.do(a, a.add(world.enrol(2, days=40)))
    return world, NOW + 15 * DAY


@attack("20")
def _under_the_floor() -> Outcome:
    world, later = _short_lived()
    a = world.phones[0]
    return world.judge(a, a.commit(now=later), later)


@attack("20")
def _new_group_under_the_floor() -> Outcome:
    world, later = _short_lived()
    a, b, short = world.phones
    return world.judge(a, a.found([b, short], era=2, operation=Operation.NEW_ERA, now=later), later)


class _Both:
    """Believes two labs; the focus believes one of them."""

    def __init__(self, *labs: Lab) -> None:
        self._judges: list[CertificateAuthentication] = [lab.authentication() for lab in labs]

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        found = [judge.validate(credential, signature_key, now) for judge in self._judges]
        return None if None in found else found[0]

    def identity(self, credential: Credential) -> bytes:
        return self._judges[0].identity(credential)


@attack("21")
def _unknown_root() -> Outcome:
    world = World(2)
    a = world.phones[0]
    other = Lab("other")
    a.g._member.client = replace(a.client, authentication=_Both(world.lab, other))
    stranger = Phone(other.enrol("+15559999999"))
    return world.judge(a, a.add(stranger))


@attack("21")
def _own_leaf_of_an_unknown_root() -> Outcome:
    world = World(2)
    a = world.phones[0]
    other = Lab("other")
    a.g._member.client = replace(a.client, authentication=_Both(world.lab, other))
    again = replace(other.enrol(a.number).client, authentication=_Both(world.lab, other))
    return world.judge(a, a.commit(rotate=again))


# --- commits ---------------------------------------------------------------------------------------------
def _leaving() -> World:
    world = World(3)
    c = world.phones[2]
    world.do(c, c.leave())
    return world


@attack("22")
def _skipped() -> Outcome:
    world = _leaving()
    a = world.phones[0]
    return world.judge(a, a.commit(references=()))


@attack("22")
def _another_removed_instead() -> Outcome:
    world = _leaving()
    a, b, _ = world.phones
    request = a.commit([Remove(a.leaves_of(b.number)[0])], references=(), roster=RosterChange(remove=(b.number,)))
    return world.judge(a, request)


@attack("23")
def _made_for_another_request() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(data=encode_authenticated_data("another", 1)))


@attack("23")
def _made_for_another_era() -> Outcome:
    world = World(2)
    a = world.phones[0]
    probe = a.commit()
    a.refused()
    # The id is minted from a seeded stream: the same phone, begun anew, mints the same one.
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(data=encode_authenticated_data(probe.message_id, 2)))


@attack("23")
def _no_authenticated_data() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, a.commit(data=b""))


@attack("24")
def _after_the_end() -> Outcome:
    world = World(2)
    a, b = world.phones
    world.do(a, a.end())
    return world.judge(b, b.commit())


@attack("24")
def _back_after_the_end() -> Outcome:
    world = World(2)
    a, b = world.phones
    world.do(a, a.end())
    assert world.snapshot is not None
    _, request = b.come_back(world.group, world.snapshot)
    return world.judge(b, request)


@attack("25")
def _withheld_welcome() -> Outcome:
    world = World(2)
    a = world.phones[0]
    return world.judge(a, replace(a.add(world.enrol(9)), welcome=b""))


@attack("25")
def _welcome_to_another() -> Outcome:
    world = World(2)
    a = world.phones[0]
    first = a.add(world.enrol(8))
    a.refused()
    return world.judge(a, replace(a.add(world.enrol(9)), welcome=first.welcome))


@attack("25")
def _no_welcome_at_all() -> Outcome:
    world = World(2)
    a = world.phones[0]
    request = a.add(world.enrol(9))
    return world.judge(a, replace(request, welcome=request.commit))


@attack("26")
def _external_again_and_again() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_external_commits_a_day=1))
    a, b = world.phones
    assert world.snapshot is not None
    b.group, request = b.come_back(world.group, world.snapshot)
    world.do(b, request)
    _, request = a.come_back(world.group, world.snapshot)
    return world.judge(a, request)


@attack("26")
def _external_again_and_again_by_one() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_external_commits_a_day_by_one=1))
    b = world.phones[1]
    assert world.snapshot is not None
    b.group, request = b.come_back(world.group, world.snapshot)
    world.do(b, request)
    _, request = b.come_back(world.group, world.snapshot)
    return world.judge(b, request)


@attack("27")
def _too_many_commits_by_one() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_epochs_an_hour_by_one=1))
    a = world.phones[0]
    world.do(a, a.commit())
    return world.judge(a, a.commit())


@attack("27")
def _too_many_commits() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_epochs_an_hour=1))
    a = world.phones[0]
    world.do(a, a.commit())
    return world.judge(a, a.commit())


def _new_era(world: World, era: int, now: Instant) -> Outcome:
    a, b = world.phones
    request = a.found([b], era=era, operation=Operation.NEW_ERA, now=now)
    outcome = world.judge(a, request, now)
    return outcome if isinstance(outcome, Refused) else world.do(a, request, now)


@attack("28")
def _too_many_eras_in_an_hour() -> Outcome:
    world = World(2)
    return [_new_era(world, era, NOW) for era in (2, 3, 4)][-1]


@attack("28")
def _too_many_eras_in_a_day() -> Outcome:
    world = World(2)
    return [_new_era(world, era, NOW + era * 3_700_000) for era in range(2, 8)][-1]


@attack("28")
def _too_many_eras_by_one() -> Outcome:
    world = World(2, limits=replace(LIMITS, max_eras_a_day_by_one=1))
    return [_new_era(world, era, NOW + era * 3_700_000) for era in (2, 3)][-1]


# --- proposals -------------------------------------------------------------------------------------------
@attack("30")
def _late_leave() -> Outcome:
    world = World(3)
    a, _, c = world.phones
    request = c.leave()
    world.do(a, a.commit())
    return world.judge(c, request)


@attack("31")
def _leave_in_another_state() -> Outcome:
    world = World(3)
    c = world.phones[2]
    return world.judge(c, replace(c.leave(), base_epoch_authenticator=bytes(32)))


@attack("32")
def _remove_alone() -> Outcome:
    world = World(3)
    a, _, c = world.phones
    request = replace(a.leave(), proposal=c.g.propose(Remove(0), rng=c.rng, now=NOW))
    return world.judge(a, request)


@attack("32")
def _self_remove_and_stay() -> Outcome:
    world = World(3)
    c = world.phones[2]
    return world.judge(c, replace(c.leave(), roster=None))


@attack("32")
def _large_self_remove() -> Outcome:
    world = World(3)
    c = world.phones[2]
    message_id = new_message_id(c.rng)
    data = encode_authenticated_data(message_id, 1)[:-1] + b"\x02" + bytes(LIMITS.max_group_info)
    proposal = c.g.propose(SelfRemove(), rng=c.rng, now=NOW, authenticated_data=data)
    return world.judge(c, replace(c.leave(), message_id=message_id, proposal=proposal))


@attack("33")
def _leave_of_another() -> Outcome:
    world = World(3)
    b, c = world.phones[1:]
    return world.judge(b, c.leave())


@attack("34")
def _leave_for_another_request() -> Outcome:
    world = World(3)
    c = world.phones[2]
    request = c.leave()
    return world.group.judge(replace(request, message_id="x"), "x", c.number, world.roster, NOW)


@attack("34")
def _leave_without_data() -> Outcome:
    world = World(3)
    c = world.phones[2]
    request = c.leave()
    again = World(3).phones[2]
    bare = again.g.propose(SelfRemove(), rng=again.rng, now=NOW)
    return world.judge(c, replace(request, proposal=bare))


@attack("35")
def _everybody_leaves() -> Outcome:
    world = World(3, limits=replace(LIMITS, max_pending=1))
    b, c = world.phones[1:]
    world.do(c, c.leave())
    return world.judge(b, b.leave())


# --- new groups ------------------------------------------------------------------------------------------
def _empty(count: int = 2) -> tuple[World, list[Phone]]:
    world = World()
    people = [world.enrol(index) for index in range(count)]
    world.roster = frozenset(each.number for each in people)
    return world, people


@attack("40")
def _group_without_info() -> Outcome:
    world, (a, b) = _empty()
    request = a.found([b])
    return world.judge(a, replace(request, group_info=request.commit))


@attack("41")
def _group_of_another_name() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, a.found([b], group_id=bytes(range(16))))


@attack("42")
def _group_of_another_era() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, replace(a.found([b]), era=2))


@attack("43")
def _group_with_a_past() -> Outcome:
    world, (a, b) = _empty()
    request = a.found([b])
    pending: PendingCommit = a.g.commit(rng=a.rng, now=NOW)
    a.g.merge(pending, now=NOW)
    return world.judge(
        a, replace(request, group_info=a.g.group_info(with_tree=False), ratchet_tree=a.g.state.tree.encode())
    )


@attack("44")
def _group_of_another() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(b, a.found([b]))


@attack("45")
def _group_with_external_senders() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, a.found([b], extensions=(_external_senders(a),)))


@attack("46")
def _group_without_somebody() -> Outcome:
    world, (a, b, _) = _empty(3)
    return world.judge(a, a.found([b]))


@attack("46")
def _group_with_a_ghost() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, a.found([b, world.enrol(9)]))


@attack("47")
def _group_without_welcome() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, replace(a.found([b]), welcome=b""))


@attack("48")
def _group_with_a_large_context() -> Outcome:
    world, (a, b) = _empty()
    return world.judge(a, a.found([b], extensions=(Extension(0xF012, bytes(LIMITS.max_group_info)),)))


@attack("48")
def _group_with_a_large_welcome() -> Outcome:
    world, (a, b) = _empty()
    request = a.found([b])
    policy = lab_policy()
    welcome = decode_message(request.welcome, policy.proposal_types, policy.max_message_bytes)
    assert isinstance(welcome, Welcome)
    return world.judge(
        a, replace(request, welcome=encode_message(replace(welcome, encrypted_group_info=bytes(200_000))))
    )


# --- application messages --------------------------------------------------------------------------------
def _say(world: World, phone: Phone) -> bytes:
    return phone.g.encrypt(b"hello", rng=phone.rng)


def _pass(
    world: World, phone: Phone, body: bytes, era: int | None, authenticator: bytes | None, now: Instant = NOW
) -> Refused | None:
    return world.group.judge_application(phone.number, era, authenticator, body, now)


@attack("50")
def _nothing_to_encrypt_to() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    body, authenticator = _say(world, a), a.g.epoch_authenticator
    world.group = OrderedGroup(world.terms, GROUP_ID)
    return _pass(world, a, body, 1, authenticator)


@attack("51")
def _no_headers() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    return _pass(world, a, _say(world, a), 1, None)


@attack("52")
def _message_of_another_era() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    return _pass(world, a, _say(world, a), 2, a.g.epoch_authenticator)


@attack("52")
def _receipt_of_the_future() -> Refused | None:
    return World(2).group.judge_receipt(2)


@attack("53")
def _message_of_another_epoch() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    return _pass(world, a, _say(world, a), 1, bytes(32))


@attack("53")
def _message_of_long_ago() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    body, authenticator = _say(world, a), a.g.epoch_authenticator
    world.do(a, a.commit())
    return _pass(world, a, body, 1, authenticator, NOW + 4 * DAY)


@attack("53")
def _message_of_many_epochs_ago() -> Refused | None:
    world = World(2, limits=replace(LIMITS, recent_epochs=1))
    a = world.phones[0]
    body, authenticator = _say(world, a), a.g.epoch_authenticator
    world.do(a, a.commit())
    world.do(a, a.commit())
    return _pass(world, a, body, 1, authenticator)


@attack("54")
def _message_after_the_end() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    world.do(a, a.end())
    return _pass(world, a, _say(world, a), 1, a.g.epoch_authenticator)


@attack("55")
def _headers_of_another_epoch() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    body = _say(world, a)
    world.do(a, a.commit())
    return _pass(world, a, body, 1, a.g.epoch_authenticator)


@attack("56")
def _message_of_nobody() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    return _pass(world, world.enrol(9), _say(world, a), 1, a.g.epoch_authenticator)


@attack("57")
def _message_of_an_expired_member() -> Refused | None:
    world = World(2)
    a = world.phones[0]
    return _pass(world, a, _say(world, a), 1, a.g.epoch_authenticator, NOW + 76 * DAY)


# --- the tests ---------------------------------------------------------------------------------------------
def test_every_rule_of_the_ordering_is_attacked() -> None:
    assert set(ATTACKS) == set(REASONS)
    assert set(REASONS) == {id for id in RULES if id.startswith("RCC-5.8-")}


@pytest.mark.parametrize(("id", "place"), [(id, place) for id in sorted(ATTACKS) for place in range(len(ATTACKS[id]))])
def test_rule(id: str, place: int) -> None:
    outcome = ATTACKS[id][place]()
    assert isinstance(outcome, Refused), outcome
    assert (outcome.rule, outcome.reason) == (id, REASONS[id]), outcome.what
    with switched_off(Rule, id):
        outcome = ATTACKS[id][place]()
        assert not isinstance(outcome, Refused) or outcome.rule != id


def test_what_cannot_be_read_is_refused_as_unparsable() -> None:
    world, (a, b) = _empty()
    outcome = world.judge(a, replace(a.found([b]), group_info=b"garbage"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is ServerReason.UNPARSABLE_COMMIT


def test_an_external_commit_cannot_remove_somebody_else() -> None:
    """rcc16.md 2.5: the MLS rules see to it, by the certified number."""
    world = World(2)
    a, b = world.phones
    assert world.snapshot is not None
    with switched_off(MlsRule):
        a.leaves_of = lambda _: b.leaves_of(b.number)  # type: ignore[method-assign]
        _, request = a.come_back(world.group, world.snapshot)
    outcome = world.judge(a, request)
    assert isinstance(outcome, Refused)
    assert (outcome.rule, outcome.reason) == ("MLS-12.2-13", ServerReason.INVALID_COMMIT)

"""Groups of people with certificates under an ordering focus: what is accepted, what follows, what is stored (rcc16.md 2, 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from focus.ordering import DAY, LIMITS, WIRE, World
from letterlock.errors import InputError
from letterlock.mls.wire.proposals import GroupContextExtensions, Remove
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.wire.control import (
    Accepted as AcceptedMessage,
)
from letterlock.rcc16.wire.control import (
    CommitBundle,
    EndReason,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    MlsMessage,
    Operation,
    RosterChange,
    decode_enhanced_group_info,
    decode_server_message,
    encode_server_message,
)
from letterlock.rcc16.wire.extensions import end_mls_extension, era_extension
from letterlock.services.focus.mls.outcome import Accepted, Refused, Repeated
from letterlock.services.focus.mls.pulling import PullPlan
from letterlock.services.focus.mls.state import RecordKind
from mls.refusing import switched_off
from rcc16.certificates import NOW


def _agree(world: World) -> None:
    state = world.group.state
    assert state is not None
    inside = [phone for phone in world.phones if phone.group is not None and phone.g.active]
    assert {phone.number for phone in inside} == set(state.members) == world.roster
    for phone in inside:
        assert phone.g.epoch == state.at.epoch
        assert phone.g.epoch_authenticator == state.at.authenticator


def test_add_remove_leave_and_come_back() -> None:
    world = World(3)
    a, b, c = world.phones
    d = world.enrol(3)
    accepted = world.do(a, a.add(d))
    assert accepted.record.added == (d.number,)
    assert [delivery.recipients for delivery in accepted.deliveries] == [
        tuple(sorted((a.number, b.number, c.number))),
        (d.number,),
    ]
    _agree(world)
    world.do(d, d.commit())
    world.do(b, b.remove(c.number))
    c.group = None
    _agree(world)
    world.do(d, d.leave())
    d.group = None
    assert d.number not in world.roster
    assert world.group.state is not None
    assert len(world.group.state.pending()) == 1
    accepted = world.do(a, a.commit())
    assert accepted.record.removed == (d.number,)
    assert not accepted.state.pending()
    _agree(world)
    assert world.snapshot is not None
    b.group, request = b.come_back(world.group, world.snapshot)
    accepted = world.do(b, request)
    assert accepted.record.operation is Operation.EXTERNAL_COMMIT
    assert accepted.record.added == accepted.record.removed == ()
    _agree(world)


def test_what_is_stored_goes_on_as_if_nothing_had_happened() -> None:
    world = World(4)
    a, b, _, d = world.phones
    world.do(a, a.commit())
    world.do(d, d.leave())
    d.group = None
    world.group = world.reloaded()
    refused = world.judge(a, a.commit(references=()))
    assert isinstance(refused, Refused)
    assert refused.rule == "RCC-5.8-22"  # the proposal is still owed
    a.refused()
    world.do(b, b.commit())
    world.group = world.reloaded(NOW + 400 * DAY)  # every certificate has run out: it loads all the same
    _agree(world)


def test_one_of_two_commits_for_an_epoch_wins() -> None:
    world = World(3)
    a, b, c = world.phones
    first, second = a.commit(), b.commit()
    for outcome in (one := world.judge(a, first), two := world.judge(b, second)):
        assert isinstance(outcome, Accepted)
    assert isinstance(one, Accepted)
    assert isinstance(two, Accepted)
    assert one.before == two.before
    world.group.install(one)
    with pytest.raises(InputError, match="another state"):
        world.group.install(two)
    b.refused()
    for phone in (b, c):
        phone.receive(one.deliveries[0].data)
    a.accepted()
    _agree(world)


def test_a_request_that_was_accepted_is_answered_again_and_changes_nothing() -> None:
    world = World(2)
    a = world.phones[0]
    request = a.commit()
    accepted = world.do(a, request)
    again = world.judge(a, request)
    assert again == Repeated(accepted.acceptance)
    other = world.judge(world.phones[1], request)
    assert isinstance(other, Refused)
    told = decode_server_message(accepted.acceptance, OURS.control_numbers, WIRE)
    assert told == AcceptedMessage(request.message_id, accepted.state.at)


def test_devices_of_a_member_come_and_go_together() -> None:
    world = World(2)
    a, b = world.phones
    b2 = world.enrol(1)
    accepted = world.do(a, a.commit([b2.package()], path=False))
    assert accepted.roster.added == accepted.record.added == ()
    assert accepted.deliveries[1].recipients == (b.number,)
    world.do(b2, b2.commit())
    _agree(world)
    one_leaf = a.commit([Remove(a.leaves_of(b.number)[0])])
    outcome = world.judge(a, one_leaf)
    assert isinstance(outcome, Accepted)  # a device is the tree's matter alone
    a.refused()
    world.do(a, a.remove(b.number))
    assert world.roster == {a.number}


def test_an_external_commit_takes_further_stale_leaves_along() -> None:
    """rcc16.md 2.5: ServerRemove, of the joiner's own only."""
    world = World(3)
    a, b, c = world.phones
    b2 = world.enrol(1)
    world.do(a, a.commit([b2.package()], path=False))
    assert world.snapshot is not None
    stale = b.leaves_of(b.number)[1]
    b.group, request = b.come_back(world.group, world.snapshot, further=[stale])
    world.do(b, request)
    assert len(b.leaves_of(b.number)) == 1
    with switched_off():
        b.group, request = b.come_back(world.group, world.snapshot, further=b.leaves_of(c.number))
    outcome = world.judge(b, request)
    assert isinstance(outcome, Refused)
    assert outcome.rule == "MLS-12.2-13"


def test_who_left_by_hanging_up_is_removed_by_the_next_commit() -> None:
    world = World(3)
    a, b, c = world.phones
    world.roster -= {c.number}
    outcome = world.judge(a, a.commit())
    assert isinstance(outcome, Refused)
    assert outcome.rule == "RCC-5.8-18"
    a.refused()
    assert world.snapshot is not None
    b.group, request = b.come_back(world.group, world.snapshot)
    world.do(b, request)  # from outside nobody can be put out, and nobody is kept out for that
    c.group = None
    world.do(a, a.commit([Remove(a.leaves_of(c.number)[0])]))
    _agree(world)


def test_a_self_update_renews_a_credential_under_the_floor() -> None:
    """rcc16.md 1.6: one member under the floor blocks the others' commits, its own next leaf and its removal are the way out."""
    world = World(2)
    a, b = world.phones
    short = world.enrol(2, days=40)
    world.do(a, a.add(short))
    later = NOW + 15 * DAY
    refused = world.judge(a, a.commit(now=later), later)
    assert isinstance(refused, Refused)
    assert refused.rule == "RCC-5.8-20"
    a.refused()
    removed = world.judge(b, b.remove(short.number, later), later)
    assert isinstance(removed, Accepted)
    b.refused()
    fresh = world.lab.enrol(short.number, authentication=world.authentication, now=later, device=1)
    world.do(short, short.commit(now=later, rotate=fresh.client), later)
    world.do(a, a.commit(now=later), later)


def test_a_new_era_takes_the_place_of_the_group() -> None:
    world = World(3)
    a, b, c = world.phones
    world.do(a, a.commit())
    accepted = world.do(b, b.found([a, c], era=2, operation=Operation.NEW_ERA))
    assert accepted.before is not None
    assert (accepted.before.era, accepted.state.at.era, accepted.state.at.epoch) == (1, 2, 1)
    assert accepted.deliveries[0].recipients == tuple(sorted(world.roster))
    _agree(world)
    late = world.judge(c, replace(c.commit(), era=1))
    assert isinstance(late, Refused)
    assert late.rule == "RCC-5.8-03"


def test_a_group_that_the_focus_lost_may_be_made_in_a_later_era() -> None:
    world = World()
    a, b = world.enrol(0), world.enrol(1)
    world.roster = frozenset((a.number, b.number))
    accepted = world.do(a, a.found([b], era=7))
    assert accepted.state.at.era == 7


def test_end_mls_and_back() -> None:
    world = World(3)
    a, b, c = world.phones
    accepted = world.do(a, a.end())
    assert accepted.state.ended
    d = world.enrol(4)
    world.roster |= {d.number}  # while nothing is encrypted the RCS group changes by itself
    revived = world.judge(b, b.commit([GroupContextExtensions((era_extension(1),))]))
    assert isinstance(revived, Refused)
    assert revived.rule == "RCC-5.8-18"
    b.refused()
    accepted = world.do(b, b.commit([d.package(), GroupContextExtensions((era_extension(1),))]))
    assert not accepted.state.ended
    _agree(world)
    assert c.g.epoch == 3


def test_phoenix_is_born_ended_with_its_creator_alone() -> None:
    world = World(3)
    a, b, _ = world.phones
    end = end_mls_extension(EndReason.UNSET, Revision.V3)
    accepted = world.do(b, b.found([], era=2, operation=Operation.NEW_ERA, extensions=(end,)))
    assert accepted.state.ended
    assert accepted.state.members.keys() == {b.number}
    told = decode_server_message(accepted.deliveries[0].data, OURS.control_numbers, WIRE)
    assert isinstance(told, GroupInfoMessage)
    assert a.number in accepted.deliveries[0].recipients


# --- what was missed -------------------------------------------------------------------------------------
def _pull(world: World, who: int, known: EpochIdentifier | None, page: int = 1 << 20) -> EnhancedGroupInfo:
    world.group._terms = replace(world.terms, limits=replace(LIMITS, max_page_bytes=page))
    plan = world.group.plan_pull(world.phones[who].number, known, max_messages=64)
    assert isinstance(plan, PullPlan)
    assert world.snapshot is not None
    data = world.group.answer_pull(world.snapshot, plan, world.data, WIRE)
    return decode_enhanced_group_info(data, OURS.control_numbers, WIRE)


def _here(world: World) -> EpochIdentifier:
    assert world.group.state is not None
    return world.group.state.at


def test_a_member_that_missed_ten_epochs_gets_them_in_pages_and_catches_up() -> None:
    world = World(4)
    a, b, c, d = world.phones
    world.phones.remove(c)
    start = _here(world)
    for turn in range(8):
        world.do((a, b)[turn % 2], (a, b)[turn % 2].commit())
    world.do(d, d.leave())
    world.do(a, a.commit())
    known, pages = start, 0
    world.phones.insert(2, c)
    while True:
        page = _pull(world, 2, known, 6_000)
        assert page.latest == _here(world)
        for message in page.messages:
            told = message.message
            assert isinstance(told, CommitBundle | MlsMessage)
            c.receive(encode_server_message(told, OURS.control_numbers))
        pages += 1
        assert page.page_end is not None
        known = page.page_end
        if known == page.latest:
            break
    assert pages > 2
    assert c.g.epoch_authenticator == _here(world).authenticator


def test_waiting_proposals_are_given_to_who_is_up_to_date() -> None:
    world = World(3)
    c = world.phones[2]
    world.do(c, c.leave())
    page = _pull(world, 0, _here(world))
    assert [type(each.message) for each in page.messages] == [MlsMessage]
    assert page.page_end == page.latest


def test_missed_messages_go_only_to_who_was_a_member_all_the_time() -> None:
    """rcc16.md 2.6 (7.10.3)."""
    world = World(3)
    a, b, _ = world.phones
    start = _here(world)
    world.do(a, a.remove(b.number))
    b.group = None
    world.do(a, a.add(b))
    assert _pull(world, 1, start).page_end is None
    assert _pull(world, 1, _here(world)).page_end == _here(world)
    assert _pull(world, 0, start).page_end == _here(world)
    assert _pull(world, 0, replace(start, authenticator=bytes(32))).page_end is None
    assert _pull(world, 0, None).page_end is None
    stranger = _pull(world, 0, start)
    assert stranger.group_info.ratchet_tree == a.g.state.tree.encode()


def test_waiting_proposals_are_given_to_who_has_to_come_in_from_outside() -> None:
    """draft-ietf-mls-extensions 6.3: its external commit ends them, and nobody else may have heard of them."""
    world = World(3)
    a, _, c = world.phones
    world.do(c, c.leave())
    page = _pull(world, 0, None)
    assert [type(each.message) for each in page.messages] == [MlsMessage]
    assert page.page_end is None
    assert not _pull(world, 0, None, page=1).messages
    world.do(a, a.commit())
    assert not _pull(world, 0, None).messages


def test_a_new_era_is_among_what_was_missed() -> None:
    world = World(3)
    a, b, c = world.phones
    start = _here(world)
    world.do(a, a.commit())
    world.do(b, b.found([a, c], era=2, operation=Operation.NEW_ERA))
    page = _pull(world, 2, start)
    assert [type(each.message) for each in page.messages] == [CommitBundle, CommitBundle]
    last = page.messages[-1].message
    assert isinstance(last, CommitBundle)
    assert last.ratchet_tree


def test_the_history_is_bounded_and_never_loses_the_present() -> None:
    world = World(2, limits=replace(LIMITS, max_history=3))
    a, b = world.phones
    forgotten: list[int] = []
    for _ in range(6):
        forgotten += world.do(a, a.commit()).forgotten
    state = world.group.state
    assert state is not None
    assert [each.serial for each in state.history] == [5, 6, 7]
    assert forgotten == [1, 2, 3, 4]
    assert all(each.data is None for each in state.history)
    small = World(3, limits=replace(LIMITS, max_history_bytes=1, max_history=1))
    a, b, c = small.phones
    small.do(a, a.commit())
    small.do(c, c.leave())
    state = small.group.state
    assert state is not None
    assert [each.kind for each in state.history] == [RecordKind.COMMIT, RecordKind.PROPOSAL]
    small.do(b, b.commit(roster=RosterChange()))


# --- messages --------------------------------------------------------------------------------------------
def test_messages_of_recent_epochs_pass() -> None:
    world = World(2)
    a, b = world.phones
    body, authenticator = a.g.encrypt(b"hello", rng=a.rng), a.g.epoch_authenticator
    world.do(b, b.commit())
    assert world.group.judge_application(a.number, 1, authenticator, body, NOW) is None
    world.do(b, b.end())
    assert world.group.judge_application(a.number, 1, authenticator, body, NOW) is None
    assert world.group.judge_receipt(None) is None
    assert world.group.judge_receipt(1) is None

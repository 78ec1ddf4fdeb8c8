"""Each check of what comes in: a message that breaks it alone is refused, and read or taken without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.conversation_seam import AddMembers, Conversation, KeysSeen, LetterReceived, Packet
from letterlock.ids import MessageId
from letterlock.mls.group.group import Group
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Remove
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.conversation.records import chat_key
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.control import CommitBundle, decode_server_message
from letterlock.rcc16.wire.extensions import ERA, era_extension, merge

from .crooked import bundle_packet, commit_packet, group_of, letter, raising, working
from .refusing import refuses
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Phone, World

Act = Callable[[], object]
BACK = Conversation(peer=ANA)
CHAT = Conversation(peer=BEN)


# --- letters -------------------------------------------------------------------------------------------------
@refuses("RCC-7.5.3.1-01")
def test_a_letter_under_another_id_than_the_one_bound_to_it() -> Act:
    ana, ben, _cleo = World().group(ANA, BEN, CLEO)
    return raising(ben, letter(ana, GROUP, bound_id="another"), ANA)


@refuses("RCC-7.5.3.1-02")
def test_a_letter_of_another_era_than_its_group() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    return raising(ben, letter(ana, GROUP, bound_era=2), ANA)


@refuses("RCC-7.5.3.1-03")
def test_a_letter_that_the_network_says_somebody_else_sent() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    return raising(ben, letter(ana, GROUP), CLEO)


@refuses("RCC-7.5.4-01")
def test_a_letter_with_another_counter_than_its_key() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    return raising(ben, letter(ana, GROUP, generation=7), ANA)


@refuses("RCC-7.5.3.1-05")
def test_a_letter_of_our_own_number_by_somebody_elses_key() -> Act:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    rogue = world.phone(ANA, participant="rogue")
    rogue.upgrade(GROUP, BEN, CLEO)
    ben.change(GROUP, AddMembers((ANA,)))
    world.run()
    assert [one.number for one in ana.told(KeysSeen)][-1] == ANA
    packet = letter(rogue, GROUP)
    assert ben.receive(packet, ANA).notices
    return raising(ana, packet, ANA)


def test_what_was_refused_has_used_nothing_up() -> None:
    """SR-05: the copy that the network spoilt does not keep the genuine letter from being read."""
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    genuine = letter(ana, GROUP, "genuine")
    rows = dict(ben.state.rows)
    for spoilt, sender in (
        (replace(genuine, message_id=MessageId("spoilt")), ANA),
        (genuine, CLEO),
        (replace(genuine, headers=genuine.headers[1:]), ANA),
        (replace(genuine, headers=genuine.headers[:1]), ANA),
        (genuine, None),
    ):
        assert not ben.receive(spoilt, sender).notices
        assert ben.state.rows == rows
    ben.receive(genuine, ANA)
    assert ben.read() == ["genuine"]
    ben.receive(genuine, ANA)
    assert ben.read() == ["genuine"]


def test_a_payload_of_a_kind_that_nobody_knows_is_dropped_without_a_receipt() -> None:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    progress = ben.receive(letter(ana, GROUP, payload_type=9), ANA)
    assert not progress.packets and not progress.notices and not ben.told(LetterReceived)


# --- commits -------------------------------------------------------------------------------------------------
@refuses("RCC-7.5.3.1-01")
def test_a_commit_under_another_control_id() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    return raising(ben, commit_packet(ana, GROUP, bound_id="another")[0], None)


@refuses("RCC-7.5.3.1-02")
def test_a_commit_of_another_era() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    return raising(ben, commit_packet(ana, GROUP, bound_era=9)[0], None)


@refuses("RCC-9.2-01")
def test_a_commit_that_changes_the_era() -> Act:
    ana, ben, _ = World().group(ANA, BEN, CLEO)
    with working(ana, GROUP) as work:
        extensions = merge(group_of(work).state.extensions, {ERA: era_extension(5)})
    return raising(ben, commit_packet(ana, GROUP, [GroupContextExtensions(extensions)])[0], None)


@refuses("RCC-P-02")
def test_a_third_one_is_added_to_a_chat_of_two() -> Act:
    world = World()
    ana, ben, chat, back = world.pair()
    cleo = world.phone(CLEO)
    packet, _ = commit_packet(ana, chat, [Add(package_of(cleo))])
    return raising(ben, replace(packet, conversation=back), ANA)


@refuses("RCC-9.5-01")
def test_a_stranger_lets_itself_in() -> Act:
    """A focus that gives a GroupInfo to somebody who is nobody's member cannot make him one (SR-04)."""
    world = World()
    ana, _ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    with working(ana, GROUP) as work:
        group = group_of(work)
        info, tree, base = group.group_info(with_tree=False), group.state.tree.encode(), group.epoch_authenticator
    client = dora.protocol.enrolment.client(dora.state, world.now)
    assert client is not None
    data = encode_authenticated_data(MessageId("ghost"), 1)
    _, join = Group.join_externally(client, info, tree=tree, authenticated_data=data, rng=dora.rng, now=world.now)
    return raising(cleo, bundle_packet(GROUP, "ghost", CommitBundle(join.message), 1, base), None)


@refuses("RCC-7.5.3.1-04")
def test_a_commit_that_the_network_says_somebody_else_sent() -> Act:
    """In a chat of two commits come from the peer itself; a reflection of our own device's is not the peer's."""
    world = World()
    ana, ana_tablet, ben = world.phone(ANA), world.phone(ANA), world.phone(BEN)
    ben.upgrade(BACK, ANA)
    world.run()
    packet, _ = commit_packet(ana_tablet, CHAT)
    return raising(ana, packet, BEN)


def test_commits_in_private_messages_are_refused_with_their_reason() -> None:
    """Client reason 5: the focus could not judge them."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    packet, _ = commit_packet(ana, GROUP, public=False)
    before = ben.view(GROUP).epoch
    ben.receive(packet, None)
    assert ben.view(GROUP).epoch == before
    ana2, ben2, chat, back = World("another").pair()
    private, _ = commit_packet(ana2, chat, public=False)
    (told,) = ben2.receive(replace(private, conversation=back), ANA).packets
    assert b"commit-in-privatemessage" in told.body


def test_only_the_focus_hands_on_commits() -> None:
    ana, ben, cleo = World().group(ANA, BEN, CLEO)
    packet, _ = commit_packet(ana, GROUP, [Remove(2)])
    for sender in (ANA, BEN, CLEO, DORA):
        assert not ben.receive(packet, sender).writes
    assert ben.receive(packet, None).writes and ben.view(GROUP).epoch == 2 and not cleo.view(GROUP).left


# --- Welcomes --------------------------------------------------------------------------------------------------
def welcome_for(world: World, ben: Phone) -> Packet:
    """The Welcome that is on its way to Ben."""
    (travelling,) = [one for one in world.queue if one.to is ben]
    return travelling.packet


def invited(*, numbers: tuple = (ANA, BEN, CLEO)) -> tuple[World, Phone, Packet]:  # type: ignore[type-arg]
    world = World()
    phones = [world.phone(of) for of in numbers]
    world.found(GROUP, numbers)
    phones[0].upgrade(GROUP, *numbers)
    return world, phones[1], welcome_for(world, phones[1])


@refuses("RCC-9.3-01")
def test_a_welcome_to_the_group_of_another_conversation() -> Act:
    _, ben, packet = invited()
    assert GROUP.group is not None
    other = Conversation(group=type(GROUP.group)(bytes(16)))
    return raising(ben, replace(packet, conversation=other), None)


@refuses("RCC-9.3-02")
def test_a_welcome_to_an_era_that_we_are_in() -> Act:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    era, packet = 1, new_group(world, ana, ben, cleo, era=1)
    assert era == 1
    return raising(ben, packet, None)


@refuses("RCC-9.3-05")
def test_a_stranger_makes_a_new_era() -> Act:
    world = World()
    _, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    return raising(ben, new_group(world, dora, ben, cleo, era=2), None)


@refuses("RCC-9.3-04")
def test_a_welcome_beside_another_authenticator() -> Act:
    _, ben, packet = invited()
    bundle = decode_server_message(packet.body, OURS.control_numbers, CONTROL)
    assert isinstance(bundle, CommitBundle)
    other = replace(bundle, epoch_authenticator=bytes(32))
    return raising(ben, bundle_packet(GROUP, packet.message_id, other, 1, bytes(32)), None)


@refuses("RCC-9.3-03")
def test_a_welcome_that_the_network_says_somebody_else_sent() -> Act:
    world = World()
    ana, tablet, ben = (world.phone(of) for of in (ANA, ANA, BEN))
    pair = b"12345678-1234-4234-8234-123456789abc"
    packet = new_group(world, tablet, ana, ben, era=1, group_id=pair, conversation=CHAT)
    return raising(ana, packet, BEN)


@refuses("RCC-P-01")
def test_a_welcome_to_a_chat_of_two_with_a_third_one_in_it() -> Act:
    world = World()
    ana, ben, cleo = (world.phone(of) for of in (ANA, BEN, CLEO))
    pair = b"12345678-1234-4234-8234-123456789abc"
    packet = new_group(world, ana, ben, cleo, era=1, group_id=pair, conversation=BACK)
    return raising(ben, packet, ANA)


def new_group(
    world: World, by: Phone, *others: Phone, era: int, group_id: bytes = b"", conversation: Conversation = GROUP
) -> Packet:
    """The Welcome to a group that the machine would not make."""
    client = by.protocol.enrolment.client(by.state, world.now)
    assert client is not None
    name = group_id or bytes(range(16)).hex().encode()
    group = Group.create(client, name, extensions=(era_extension(era),), rng=by.rng, now=world.now)
    from letterlock.mls.group.group import CommitOptions

    options = CommitOptions(public=True, tree_in_welcome=False, path=False)
    pending = group.commit([Add(package_of(one)) for one in others], options=options, rng=by.rng, now=world.now)
    bundle = CommitBundle(
        pending.welcomes[0].message, pending.staged.state.tree.encode(), b"", pending.epoch_authenticator
    )
    return bundle_packet(conversation, "new-group", bundle, era, group.epoch_authenticator)


def package_of(phone: Phone):  # type: ignore[no-untyped-def]
    from letterlock.mls.wire.message import decode_message
    from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES

    return decode_message(phone.world.pools[phone.number, phone.device].pop(0), PROPOSAL_TYPES, 1 << 20)


def test_a_ghost_is_seen_however_it_was_added() -> None:
    """A member that the focus says nothing about stands in the roster that everybody reads from the tree (SR-04)."""
    from letterlock.conversation_seam import RosterChanged

    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    packet, _ = commit_packet(ana, GROUP, [Add(package_of(dora))])
    cleo.receive(packet, None)
    assert cleo.told(RosterChanged)[-1].added == (DORA,)
    assert ben.state.get(chat_key(GROUP)) != cleo.state.get(chat_key(GROUP))

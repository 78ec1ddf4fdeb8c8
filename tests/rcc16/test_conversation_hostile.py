"""Networks and members that lie to the machine: what nobody has signed changes nothing, and what was is not believed of
others (SR-04, SR-05)."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.conversation_seam import (
    AddMembers,
    Conversation,
    Ended,
    EndEncryption,
    Leave,
    LetterReceived,
    Packet,
    PacketHeader,
    Refusal,
    Revive,
    RosterChanged,
    Secured,
    SendAgain,
    SetMetadata,
)
from letterlock.ids import MessageId
from letterlock.mls.group.group import CommitOptions, Group
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.content_types import GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import (
    EndReason,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    MlsMessage,
    Operation,
    decode_client_message,
    encode_enhanced_group_info,
    encode_server_message,
)
from letterlock.rcc16.wire.extensions import END_MLS, ERA, end_mls_extension, era_extension, merge
from letterlock.rcc16.wire.packet_headers import NAMESPACE, ORIGINAL_MESSAGE_ID, control_headers
from letterlock.rcc16.wire.reasons import ClientReason, ServerReason, encode_negative_receipt

from .crooked import group_of, letter, working
from .test_conversation_groups import agree, chat_of, members
from .test_conversation_rules import package_of
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Phone, World

BACK = Conversation(peer=ANA)
AT = "2026-11-23T05:00:00Z"


# --- what stands outside of the encryption -----------------------------------------------------------------------
def test_a_letter_is_not_suppressed_by_the_name_of_another_one() -> None:
    """SR-05: Original-Message-ID in the envelope is anybody's word, whether it names a letter before or after."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    first, second = (letter(ana, GROUP, text, message_id=text) for text in ("first", "second"))
    for packet, named in ((first, "second"), (second, "first")):
        original = PacketHeader(NAMESPACE, ORIGINAL_MESSAGE_ID, named)
        ben.receive(replace(packet, headers=(*packet.headers, original)), ANA)
    assert [one.root for one in ben.told(LetterReceived)] == ["first", "second"]


@pytest.mark.parametrize("root", ["a/b", "", "x" * 65, "zwölf", "a b"])
def test_a_root_that_is_no_message_id_is_none(root: str) -> None:
    """Keys of records are made of it."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    with working(ana, GROUP) as work:
        from letterlock.conversation_seam import Letter
        from letterlock.rcc16.conversation.letters import seal
        from letterlock.rcc16.wire.secret_payload import text_entity

        header = PacketHeader(OURS.own_namespace, "Root", root)
        seal(work, Letter(MessageId("m"), MessageId("m"), (header,), text_entity("x")))
        (packet,) = work.packets
    ben.receive(packet, ANA)
    assert [one.root for one in ben.told(LetterReceived)] in (["m"], [])


def test_a_member_that_uses_the_id_of_another_ones_letter_takes_no_receipt_from_it() -> None:
    """SR-05: each sender's ids are its own."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    genuine = letter(ana, GROUP, "genuine", message_id="same")
    ben.receive(genuine, ANA)
    ben.receive(letter(cleo, GROUP, "other", message_id="same"), CLEO)
    again = ben.receive(genuine, ANA)
    assert [packet.to for packet in again.packets] == [ANA]
    shown = ben.do(lambda: ben.protocol.displayed(ben.state, GROUP, MessageId("same"), ANA, world.now, ben.rng))
    assert [packet.to for packet in shown.packets] == [ANA]


# --- proposals of members --------------------------------------------------------------------------------------------
def proposed(phone: Phone, proposal: Proposal) -> Packet:
    """A by-reference proposal as a lying focus hands it on."""
    with working(phone, GROUP) as work:
        group = group_of(work)
        data = encode_authenticated_data(MessageId("proposal"), work.chat.moment.era)
        message = group.propose(proposal, rng=phone.rng, now=phone.world.now, authenticated_data=data, public=True)
        work.forget_changes()
        body = encode_server_message(MlsMessage(message), OURS.control_numbers)
        headers = control_headers(work.chat.moment.era, group.epoch_authenticator)
    return Packet(GROUP, None, MessageId("proposal"), SERVER_CONTROL, headers, body)


@pytest.mark.parametrize("what", ["remove", "add", "end", "era"])
def test_nobody_commits_in_its_own_name_what_another_one_proposes(what: str) -> None:
    """SR-03, SR-04; rcc16.md 6: of proposals by reference nothing is committed but that somebody leaves."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    with working(cleo, GROUP) as work:
        context = group_of(work).state.extensions
    end = end_mls_extension(EndReason.UNSET, OURS.revision)
    proposal: Proposal = {
        "remove": lambda: Remove(1),
        "add": lambda: Add(package_of(dora)),
        "end": lambda: GroupContextExtensions(merge(context, {END_MLS: end})),
        "era": lambda: GroupContextExtensions(merge(context, {ERA: era_extension(9)})),
    }[what]()
    packet = proposed(cleo, proposal)
    ana.receive(packet, None)
    assert ana.write(GROUP, "on we go").waits is None
    world.pass_time(120_000)
    assert ana.view(GROUP).epoch == 1 and not ana.view(GROUP).ended
    assert members(ana) == [ANA, BEN, CLEO] and not ana.told(RosterChanged)[1:] and not ana.told(Ended)
    assert ben.read() == ["on we go"]


# --- the word of whoever orders --------------------------------------------------------------------------------------
def asking(phone: Phone, world: World) -> None:
    """Bring it to ask where the group stands, and let nobody hear."""
    world.drop = lambda t: True
    era = PacketHeader(NAMESPACE, "Era-ID", "7")
    auth = PacketHeader(NAMESPACE, "Epoch-Authenticator", base64.b64encode(bytes(32)).decode())
    head = b"\x00\x01\x00\x02" + b"\x20" + chat_of(phone).mls_id.encode() + (9).to_bytes(8, "big")
    phone.receive(Packet(GROUP, None, MessageId("future"), "message/mls", (era, auth), head), BEN)
    for _ in range(5):
        world.now += 4_000
        phone.timer()
        if chat_of(phone).heal is not None and chat_of(phone).heal.asked:
            return
    raise AssertionError("it does not ask")


def answer(info: GroupInfoMessage, latest: EpochIdentifier) -> Packet:
    body = encode_enhanced_group_info(EnhancedGroupInfo(latest, info), OURS.control_numbers)
    return Packet(GROUP, None, MessageId("page"), GROUP_INFO, (), body)


def group_info(phone: Phone) -> tuple[GroupInfoMessage, EpochIdentifier]:
    with working(phone, GROUP) as work:
        group, era = group_of(work), work.chat.moment.era
        info = group.group_info(with_tree=False, external_pub=True)
        tree, authenticator = group.state.tree.encode(), group.epoch_authenticator
        return GroupInfoMessage(info, tree, authenticator), EpochIdentifier(era, group.epoch, authenticator)


def test_an_era_that_nobody_signed_does_not_use_up_the_eras_that_are_left() -> None:
    """One forged answer with the last era there is, and the conversation could never be made anew (SR-05)."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    asking(ana, world)
    info, latest = group_info(ben)
    ana.receive(answer(info, replace(latest, era=0xFFFF_FFFF)), None)
    assert chat_of(ana).era_seen == 1
    world.drop = lambda t: False
    world.pass_time(600_000)
    agree(ana, ben, cleo)


def test_an_ending_of_the_past_is_not_played_back() -> None:
    """SR-01, SR-05: encryption was ended and begun again; the GroupInfo between is old."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ben.change(GROUP, EndEncryption())
    world.run()
    info, latest = group_info(ben)
    ben.change(GROUP, Revive())
    world.run()
    agree(ana, ben, cleo)
    assert len(ana.told(Ended)) == 1 and not ana.view(GROUP).ended
    asking(ana, world)
    for _ in range(6):
        ana.receive(answer(info, latest), None)
        world.now += 40_000
        ana.timer()
    assert len(ana.told(Ended)) == 1 and not ana.view(GROUP).ended


def test_a_welcome_that_was_kept_back_does_not_bring_back_what_was_before_we_left() -> None:
    """SR-05: a group that we have left is entered again in a later moment only (rcc16.md 6)."""
    world = World()
    ana, ben, cleo = (world.phone(of) for of in (ANA, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    kept: list[Packet] = []

    def withheld(travelling: Any) -> bool:
        if travelling.to is ben and travelling.packet.content_type == SERVER_CONTROL and not kept:
            kept.append(travelling.packet)
            return True
        return False

    world.drop = withheld
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    assert kept and not ben.told(Secured)
    ana.write(GROUP, "come in")
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    ben.change(GROUP, Leave())
    world.run()
    world.pass_time(20_000)
    assert ben.view(GROUP).left and members(ana) == [ANA, CLEO]
    ben.receive(kept[0], None)
    assert ben.view(GROUP).left and len(ben.told(Secured)) == 1


def test_an_old_copy_opens_no_welcome_a_second_time() -> None:
    """SR-06: with the leaf of that Welcome the lost future has sent; its keys would be used twice."""
    world = World()
    ana, ben, cleo = (world.phone(of) for of in (ANA, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    old = dict(ben.state.rows)
    welcomes: list[Packet] = []

    def seen(travelling: Any) -> bool:
        if travelling.to is ben and travelling.packet.content_type == SERVER_CONTROL:
            welcomes.append(travelling.packet)
        return False

    world.drop = seen
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    ben.write(GROUP, "one")
    world.run()
    ben.state.rows = dict(old)
    ben.restart()
    ben.state.apply(ben.protocol.rolled_back(ben.state))
    ben.notices.clear()
    for packet in welcomes:
        ben.receive(packet, None)
    assert not ben.told(Secured)
    world.run()
    ana.write(GROUP, "still there?")
    world.run()
    world.pass_time(300_000)
    agree(ana, ben, cleo)
    ben.write(GROUP, "two")
    world.run()
    assert cleo.read()[-1] == "two"


def negative(message_id: str, reason: Any = None, name: str = "no") -> Packet:
    if reason is None:
        body = (
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>' + message_id + "</message-id><datetime>" + AT
        ).encode() + b"</datetime><delivery-notification><status><failed/></status></delivery-notification></imdn>"
    else:
        body = encode_negative_receipt(message_id, AT, reason)
    return Packet(GROUP, None, MessageId(name), "message/imdn+xml", (), body)


def test_failures_that_nobody_signed_do_not_use_up_what_a_member_may_ask_for() -> None:
    """SR-05: three forged ones, and the member itself would go unheard for a day."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    for n in range(4):
        ana.write(GROUP, f"forged {n}", f"f{n}")
        ana.receive(negative(f"f{n}", name=f"no{n}"), BEN)
    forged = len(ana.told(SendAgain))
    assert 0 < forged < 4
    ana.write(GROUP, "genuine", "g")
    with working(ben, GROUP) as work:
        from letterlock.rcc16.conversation.receipts import report_failure

        report_failure(work, ANA, MessageId("g"), ClientReason.FAILED_TO_DECRYPT)
        (packet,) = work.packets
    ana.receive(packet, BEN)
    assert [one.message_id for one in ana.told(SendAgain)[forged:]] == ["g"]


def test_a_member_that_reads_again_is_no_failing_one() -> None:
    """rcc16.md 5.6: a streak; what it confirms ends it."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    for n in range(5):
        world.drop = lambda t: t.to is ben
        ana.write(GROUP, f"lost {n}", f"l{n}")
        world.run()
        world.drop = lambda t: False
        ana.receive(negative(f"l{n}", name=f"no{n}"), BEN)
        ana.write(GROUP, f"read {n}")
        world.run()
        world.now += 3_600_000
    assert len(ana.told(SendAgain)) == 5


# --- keys that were verified ----------------------------------------------------------------------------------------
def test_a_subject_goes_to_nobody_with_another_key_than_the_verified_one() -> None:
    """ "Nothing is sent" is also the group's name."""
    world = World()
    ana, _, cleo = world.group(ANA, BEN, CLEO)
    ana.change(GROUP, SetMetadata(subject="our plans"))
    world.run()
    before = {one.number: one.participant_spki for one in ana.view(GROUP).members}[BEN]
    ana.do(lambda: ana.protocol.trust(ana.state, BEN, before, True, world.now))
    rogue = world.phone(BEN, participant="rogue")
    rogue.upgrade(GROUP, ANA, CLEO)
    cleo.change(GROUP, AddMembers((BEN,)))
    world.drop = lambda t: t.to is rogue and t.packet.content_type == "message/mls" and t.sender == CLEO
    world.run()
    world.pass_time(60_000)
    assert ana.write(GROUP, "x").refused is not None
    sent = len([p for p in ana.sent if p.content_type == "message/mls"])
    with working(ana, GROUP) as work:
        from letterlock.rcc16.conversation.metadata import push_keys

        push_keys(work)
        assert not work.packets
    ana.change(GROUP, SetMetadata(subject="other plans"))
    world.run()
    assert len([p for p in ana.sent if p.content_type == "message/mls"]) == sent
    assert rogue.view(GROUP).subject != "other plans"


# --- forks and strangers -------------------------------------------------------------------------------------------
def test_nobody_goes_over_to_a_group_that_only_a_stranger_vouches_for() -> None:
    """SR-04: whoever has a certificate can make a group of our name with leaves of ours from the key server, and its
    GroupInfo holds. Who was with us, or whoever comes in by a commit that we have seen, is who tells where it goes on."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    client = dora.protocol.enrolment.client(dora.state, world.now)
    assert client is not None
    group = Group.create(
        client, chat_of(ana).mls_id.encode(), extensions=(era_extension(2),), rng=dora.rng, now=world.now
    )
    pending = group.commit(
        [Add(package_of(one)) for one in (ben, cleo)],
        options=CommitOptions(public=True, tree_in_welcome=False, path=False),
        rng=dora.rng,
        now=world.now,
    )
    group.merge(pending, now=world.now)
    info = GroupInfoMessage(
        group.group_info(with_tree=False, external_pub=True), group.state.tree.encode(), group.epoch_authenticator
    )
    asking(ana, world)
    ana.sent.clear()
    for _ in range(4):
        ana.receive(answer(info, EpochIdentifier(2, 1, group.epoch_authenticator)), None)
        world.now += 40_000
        ana.timer()
    requests = [decode_client_message(p.body, OURS.control_numbers, CONTROL) for p in ana.sent if p.large]
    assert Operation.EXTERNAL_COMMIT not in {one.operation for one in requests}
    assert DORA not in members(ana)


def packets_of_each_kind() -> tuple[World, Phone, list[tuple[Packet, Any]]]:
    """Genuine packets that are on their way to Ben, and Ben as he is before any of them came."""
    world = World("fuzz")
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    found: list[tuple[Packet, Any]] = []

    def caught(travelling: Any) -> bool:
        if travelling.to is ben:
            found.append((travelling.packet, travelling.sender))
        return travelling.to is ben

    ben.write(GROUP, "mine", "mine")
    world.drop = caught
    world.run()
    cleo.write(GROUP, "hello")
    ana.write(GROUP, "again", "again", root="before")
    world.run()
    ana.change(GROUP, SetMetadata(subject="plans"))
    world.run()
    cleo.change(GROUP, Leave())
    world.run()
    world.pass_time(20_000)
    found.append((negative("mine", ClientReason.FAILED_TO_DECRYPT), CLEO))
    found.append((negative("mine", ServerReason.INCORRECT_EPOCH), None))
    info, latest = group_info(ana)
    found.append((answer(info, latest), None))
    return world, ben, found


_WORLD: list[tuple[World, Phone, list[tuple[Packet, Any]], dict[str, bytes]]] = []


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_nothing_that_comes_raises(data: st.DataObject) -> None:
    """SR-07, SR-09: any field of any packet, changed in any way, and whoever is said to have sent it."""
    if not _WORLD:
        world, ben, found = packets_of_each_kind()
        _WORLD.append((world, ben, found, dict(ben.state.rows)))
    world, ben, found, rows = _WORLD[0]
    ben.state.rows = dict(rows)
    world.drop = lambda t: True
    for _ in range(data.draw(st.integers(1, 3))):
        packet, sender = data.draw(st.sampled_from(found))
        kind = data.draw(st.sampled_from(("byte", "cut", "headers", "type", "sender", "id", "asked", "none")))
        if kind == "byte" and packet.body:
            at = data.draw(st.integers(0, len(packet.body) - 1))
            value = bytes([packet.body[at] ^ data.draw(st.integers(1, 255))])
            packet = replace(packet, body=packet.body[:at] + value + packet.body[at + 1 :])
        elif kind == "cut":
            packet = replace(packet, body=packet.body[: data.draw(st.integers(0, len(packet.body)))])
        elif kind == "headers":
            values = st.one_of(
                st.text(max_size=30), st.sampled_from(("0", "1", "2", "4294967295", "99999999999999999999"))
            )
            packet = replace(
                packet,
                headers=tuple(
                    replace(one, value=data.draw(values)) if data.draw(st.booleans()) else one for one in packet.headers
                ),
            )
        elif kind == "type":
            types = [*sorted(ben.protocol.media_types), "message/imdn+xml", "message/cpim"]
            packet = replace(packet, content_type=data.draw(st.sampled_from(types)))
        elif kind == "sender":
            sender = data.draw(st.sampled_from((None, ANA, BEN, CLEO, DORA)))
        elif kind == "id":
            packet = replace(packet, message_id=MessageId(data.draw(st.sampled_from(("mine", "x", "control-1")))))
        elif kind == "asked":
            packet = replace(packet, dispositions=tuple(data.draw(st.lists(st.text(max_size=8), max_size=3))))
        if data.draw(st.booleans()):
            packet = replace(packet, conversation=Conversation(peer=ANA))
        ben.receive(packet, sender)
        if data.draw(st.booleans()):
            ben.timer()
    assert ben.write(GROUP, "goes on").refused in (None, *Refusal)

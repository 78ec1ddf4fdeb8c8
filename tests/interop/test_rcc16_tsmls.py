"""RCC.16's groups with ts-mls as the other implementation: suite 2, certificates of our lab, public commits, treeless
Welcomes, and the authenticated data and payloads of RCC.16 in both directions. What ts-mls cannot do is in the matrix in
its own words."""

from __future__ import annotations

import base64
import os
import time

import pytest

from interop.mls_matrix import PAIRINGS
from interop.mls_pairing import Pairing, pairings
from interop.mls_peers import PeerError, PeerMember, add, custom, group_context_extensions, remove
from letterlock.codec.cpim import CpimLimits
from letterlock.codec.imdn import Disposition, Imdn, Status
from letterlock.errors import DecodeError, InvalidGroupMessage
from letterlock.ids import Instant, MessageId
from letterlock.mls.group.group import CommitOptions, Group
from letterlock.mls.group.results import Application, PendingCommit, StagedCommit
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.public_group import PublicGroup, StagedPublicCommit
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove, SelfRemove
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.metadata import Slot, context_changes, seal_subject
from letterlock.rcc16.policy import OURS_V3
from letterlock.rcc16.wire.authenticated_data import decode_authenticated_data, encode_authenticated_data
from letterlock.rcc16.wire.derived_content import Delivery, DeliveryStatus, DerivedContent, encode_derived_content
from letterlock.rcc16.wire.extensions import SUBJECT_COMMITMENT, era_extension, era_of, merge
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES, RCS_SIGNATURE
from letterlock.rcc16.wire.reasons import Receipt
from letterlock.rcc16.wire.receipts import SignedReceipt, sign_receipt, verify_receipt
from letterlock.rcc16.wire.secret_payload import (
    Content,
    SecretPayload,
    decode_content,
    decode_secret_payload,
    encode_content,
    encode_secret_payload,
    text_entity,
)
from rcc16.certificates import CRYPTO, SUITE, Identity, Lab

pytestmark = pytest.mark.node
ONLY_TS_MLS = pairings(*(pair for pair in PAIRINGS if pair == ("ts-mls", 2)))
GROUP_ID = b"000102030405060708090a0b0c0d0e0f"
CPIM = CpimLimits(65_536, 64, 8_192)


def now() -> Instant:
    """ts-mls looks at the clock itself."""
    return int(time.time() * 1000)


class Chat:
    """A lab of today, us in a group of era 7, and people of ts-mls with certificates of the same authority."""

    def __init__(self, pairing: Pairing) -> None:
        self.pairing = pairing
        self.lab = Lab("ts-mls", now())
        self.judge = self.lab.authentication()
        self.us = Us(self.lab.enrol("+15550100", authentication=self.judge))
        self.us.group = Group.create(
            self.us.identity.client, GROUP_ID, extensions=[era_extension(7)], rng=os.urandom, now=now()
        )
        self.focus = PublicGroup(
            SUITE,
            self.us.g.group_info(),
            authentication=self.judge,
            policy=self.us.identity.client.policy,
            now=now(),
        )

    def theirs(self, number: str) -> PeerMember:
        who = self.lab.enrol(number, authentication=self.judge)
        return self.pairing.theirs(x509=list(who.chain), private_key=who.leaf.private, public_key=who.leaf.public)

    def package(self, member: PeerMember) -> bytes:
        return member.key_package(
            suites=[2],
            capable_extensions=list(OURS_V3.extensions),
            capable_proposals=list(OURS_V3.proposals),
            capable_credentials=[1, 2],
        )

    def with_them(self, *numbers: str) -> list[PeerMember]:
        """Added in one commit; each joins by the Welcome and the tree that comes beside it."""
        members = [self.theirs(number) for number in numbers]
        made = self.we_commit([], *(Add(key_package(self.package(member))) for member in members))
        tree = self.us.g.state.tree.encode()
        for member in members:
            member.join(made.welcomes[0].message, tree)
        return members

    def we_commit(self, members: list[PeerMember], *proposals: Proposal, path: bool = True) -> PendingCommit:
        """A commit of ours with the authenticated data of RCC.16, judged by the focus and followed by all."""
        aad = encode_authenticated_data(new_message_id(os.urandom), 7)
        options = CommitOptions(authenticated_data=aad, tree_in_welcome=False, path=path)
        made = self.us.g.commit(proposals, options=options, rng=os.urandom, now=now())
        self.judged(made.message)
        for member in members:
            assert member.process(made.message).kind == "commit"
        self.us.g.merge(made, now=now())
        return made

    def judged(self, commit: bytes) -> None:
        staged = self.focus.process(commit, now=now())
        assert isinstance(staged, StagedPublicCommit)
        self.focus.merge(staged)

    def agree(self, *members: PeerMember) -> None:
        for member in members:
            status = member.status()
            assert status["epoch_authenticator"] == self.us.g.epoch_authenticator
            assert status["extensions"] == [[e.extension_type, e.extension_data] for e in self.us.g.state.extensions]
        assert self.focus.state.context == self.us.g.state.context


class Us:
    """One enrolled device."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.bundle: KeyPackageBundle = make_key_package(
            identity.client, now(), os.urandom, lifetime_seconds=70 * 86_400
        )
        self.group: Group | None = None

    @property
    def g(self) -> Group:
        assert self.group is not None
        return self.group

    def process(self, message: bytes) -> object:
        result = self.g.process(message, now=now())
        if isinstance(result, StagedCommit):
            self.g.merge(result, now=now())
        return result


def key_package(message: bytes) -> KeyPackage:
    package = decode_message(message, PROPOSAL_TYPES, 1 << 20)
    assert isinstance(package, KeyPackage)
    return package


def payload(text: str, generation: int) -> bytes:
    return encode_secret_payload(SecretPayload(generation, encode_content((), text_entity(text))))


@ONLY_TS_MLS
def test_a_treeless_welcome(pairing: Pairing) -> None:
    with pairing.passes("RCC.16: treeless Welcome, era in the context", "we", wire="public", size=3):
        chat = Chat(pairing)
        members = chat.with_them("+15550101", "+15550102")
        chat.agree(*members)
        assert era_of(chat.us.g.state.extensions) == 7


@ONLY_TS_MLS
def test_their_treeless_welcome(pairing: Pairing) -> None:
    with pairing.passes("RCC.16: treeless Welcome, era in the context", "peer", wire="public", size=2):
        chat = Chat(pairing)
        them = chat.theirs("+15550101")
        era = era_extension(3)
        them.create(
            b"0b4a3c1e-0000-4000-8000-000000000000",
            [(era.extension_type, era.extension_data)],
            suites=[2],
            capable_extensions=list(OURS_V3.extensions),
            capable_proposals=list(OURS_V3.proposals),
        )
        made = them.commit(add(chat.us.bundle.message), public=True, tree=False)
        assert made.welcome is not None
        ours = Group.join(chat.us.identity.client, chat.us.bundle, made.welcome, tree=made.tree, now=now())
        assert ours.epoch_authenticator == them.epoch_authenticator
        assert era_of(ours.state.extensions) == 3


@ONLY_TS_MLS
def test_commits_of_both_sides(pairing: Pairing) -> None:
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    with pairing.passes("RCC.16: PublicMessage commits with their data", "we", wire="public"):
        chat.we_commit([them])
        chat.agree(them)
    with pairing.passes("RCC.16: PublicMessage commits with their data", "peer", wire="public"):
        message = new_message_id(os.urandom)
        made = them.commit(public=True, aad=encode_authenticated_data(message, 7))
        chat.judged(made.commit)
        staged = chat.us.process(made.commit)
        assert isinstance(staged, StagedCommit)
        said = decode_authenticated_data(staged.effects.authenticated_data)
        assert (said.message_id, said.era, said.resent) == (message, 7, b"")
        chat.agree(them)


@ONLY_TS_MLS
def test_letters_of_both_sides(pairing: Pairing) -> None:
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    with pairing.passes("RCC.16: authenticated data and payload", "we", wire="private"):
        for text in ("hello", "grüße ☕"):
            said = payload(text, chat.us.g.next_generation())
            aad = encode_authenticated_data(new_message_id(os.urandom), 7)
            heard = them.process(chat.us.g.encrypt(said, rng=os.urandom, authenticated_data=aad))
            assert heard.data is not None
            inside = decode_secret_payload(heard.data)
            assert decode_content(inside.content, CPIM) == Content((), text_entity(text))
    with pairing.passes("RCC.16: authenticated data and payload", "peer", wire="private"):
        for generation, text in enumerate(("hello", "it is us")):
            message = new_message_id(os.urandom)
            sealed = them.encrypt(payload(text, generation), encode_authenticated_data(message, 7))
            heard_here = chat.us.g.process(sealed, now=now())
            assert isinstance(heard_here, Application)
            assert decode_authenticated_data(heard_here.authenticated_data).message_id == message
            inside = decode_secret_payload(heard_here.data)
            assert inside.generation == heard_here.generation == generation
            assert decode_content(inside.content, CPIM).entity == text_entity(text)


@ONLY_TS_MLS
def test_removals_of_both_sides(pairing: Pairing) -> None:
    chat = Chat(pairing)
    first, second, third = chat.with_them("+15550101", "+15550102", "+15550103")
    with pairing.passes("RCC.16: a member is removed", "we", wire="public", size=4):
        chat.we_commit([first, second, third], Remove(3))
        chat.agree(first, second)
        assert third.status()["active"] == "removedFromGroup"
    with pairing.passes("RCC.16: a member is removed", "peer", wire="public", size=3):
        made = first.commit(remove(index=2), public=True, aad=encode_authenticated_data(MessageId("m-1"), 7))
        chat.judged(made.commit)
        staged = chat.us.process(made.commit)
        assert isinstance(staged, StagedCommit) and [leaf for leaf, _ in staged.effects.removed] == [2]
        second.process(made.commit)
        chat.agree(first)


@ONLY_TS_MLS
def test_external_commits_of_both_sides(pairing: Pairing) -> None:
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    aad = encode_authenticated_data(new_message_id(os.urandom), 7)
    with pairing.passes("RCC.16: external commit, tree beside the GroupInfo", "peer", wire="public", size=3):
        info, tree = chat.us.g.group_info(with_tree=False), chat.us.g.state.tree.encode()
        other = chat.theirs("+15550102")
        commit = other.external_join(
            info,
            tree,
            aad=aad,
            suites=[2],
            capable_extensions=list(OURS_V3.extensions),
            capable_proposals=list(OURS_V3.proposals),
        )
        chat.judged(commit)
        assert isinstance(chat.us.process(commit), StagedCommit)
        them.process(commit)
        chat.agree(them, other)
    with pairing.passes("RCC.16: external commit, tree beside the GroupInfo", "we", wire="public", size=4):
        device = Us(chat.lab.enrol("+15550100", authentication=chat.judge))
        device.group, join = Group.join_externally(
            device.identity.client,
            them.group_info(tree=False),
            tree=them.tree(),
            authenticated_data=aad,
            rng=os.urandom,
            now=now(),
        )
        chat.judged(join.message)
        for member in (them, other):
            assert member.process(join.message).kind == "commit"
        assert isinstance(chat.us.process(join.message), StagedCommit)
        chat.agree(them, other)
        assert device.g.epoch_authenticator == them.epoch_authenticator


@ONLY_TS_MLS
def test_a_new_subject(pairing: Pairing) -> None:
    """A GroupContextExtensions commit with the full list and a commitment."""
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    with pairing.passes("RCC.16: commitment to a subject", "we", wire="public"):
        sealed = seal_subject("lunch", crypto=CRYPTO, rng=os.urandom)
        listed = merge(chat.us.g.state.extensions, context_changes(Slot.SUBJECT, sealed.metadata, OURS))
        chat.we_commit([them], GroupContextExtensions(listed))
        chat.agree(them)
        assert [extension.extension_type for extension in listed] == [0xF001, SUBJECT_COMMITMENT]
    listed = merge(listed, context_changes(Slot.SUBJECT, None, OURS))
    made = them.commit(group_context_extensions(_pairs(listed)), public=True)
    with pairing.cannot(
        "RCC.16: commitment to a subject",
        "peer",
        "the commit needs an UpdatePath and has none",
        wire="public",
        error=InvalidGroupMessage,
    ):
        chat.us.process(made.commit)


def _pairs(extensions: tuple[Extension, ...]) -> list[tuple[int, bytes]]:
    return [(one.extension_type, one.extension_data) for one in extensions]


@ONLY_TS_MLS
def test_a_signed_receipt(pairing: Pairing) -> None:
    """Its keys and its cryptography agree; the frame is the driver's, because of what the next test finds."""
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    report = Delivery(DeliveryStatus.DELIVERED, MessageId("m-1"))
    derived = DerivedContent(MessageId("r-1"), 7, report)
    with pairing.passes("RCC.16: signed receipt", "we", wire="public"):
        message = base64.b64decode(sign_receipt(chat.us.g, derived, rng=os.urandom, now=now()))
        assert them.peer.call("rcc16_verify", group=them.group, message=message) == {
            "leaf": 0,
            "aad": encode_derived_content(derived),
        }
        for place in (-1, -40):
            wrong = bytearray(message)
            wrong[place] ^= 1
            with pytest.raises(PeerError, match="does not hold"):
                them.peer.call("rcc16_verify", group=them.group, message=bytes(wrong))
    with pairing.passes("RCC.16: signed receipt", "peer", wire="public"):
        theirs = them.peer.call("rcc16_sign", group=them.group, aad=encode_derived_content(derived))["message"]
        receipt = Receipt(Imdn("m-1", "", Disposition.DELIVERY, Status.DELIVERED), None)
        header = base64.b64encode(theirs).decode()
        found = verify_receipt(chat.us.g, header, receipt, MessageId("r-1"), 7, now=now())
        assert isinstance(found, SignedReceipt)
        assert (found.sender, found.derived) == (1, derived)


@ONLY_TS_MLS
def test_a_proposal_without_a_body(pairing: Pairing) -> None:
    """rcs_signature has no body; ts-mls reads and writes a length before that of a custom proposal."""
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    report = Delivery(DeliveryStatus.DELIVERED, MessageId("m-1"))
    header = sign_receipt(chat.us.g, DerivedContent(MessageId("r-1"), 7, report), rng=os.urandom, now=now())
    with pairing.cannot("RCC.16: rcs_signature by ts-mls's own reader", "we", "Offset beyond buffer", wire="public"):
        them.process(base64.b64decode(header))
    made = them.propose(custom(RCS_SIGNATURE, b""), public=True, aad=b"x")
    with pairing.cannot(
        "RCC.16: rcs_signature by ts-mls's own reader", "peer", "bytes too many", wire="public", error=DecodeError
    ):
        chat.us.g.verify_passing(made, now=now())


@ONLY_TS_MLS
def test_leaving(pairing: Pairing) -> None:
    """SelfRemove, which ts-mls does not know under any number."""
    chat = Chat(pairing)
    (them,) = chat.with_them("+15550101")
    message = chat.us.g.propose(SelfRemove(), rng=os.urandom, now=now())
    with pairing.cannot("RCC.16: SelfRemove as F003", "we", "Offset beyond buffer", wire="public"):
        them.process(message)

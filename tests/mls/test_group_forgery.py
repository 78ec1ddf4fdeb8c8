"""Attackers against a member: whatever they send, nothing of the group changes and the genuine message still works.

Three of them: who carries the messages and has no key, who was removed and has old keys, and a member with all keys
of the group but not the signature keys of others. "Nothing changes" is every secret, ratchet and list of the member,
down to the log of rows to write; what is held for a later epoch is the one thing that a network may add to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from crypto.deterministic import seeded_rng
from letterlock.errors import (
    BadMac,
    DecodeError,
    GroupInactive,
    InvalidGroupMessage,
    LetterlockError,
    MissingProposal,
    RemoteError,
    TooFarAhead,
)
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import (
    Application,
    Duplicate,
    Fork,
    FutureEpoch,
    OwnEcho,
    PastEpoch,
    ProposalReceived,
    StagedCommit,
)
from letterlock.mls.outside import propose_as_external_sender, propose_to_join
from letterlock.mls.public_group import PublicGroup, PublicProposal, StagedPublicCommit
from letterlock.mls.registries import EXTERNAL_SENDERS
from letterlock.mls.wire.commit import Commit, HPKECiphertext
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension, ExternalSender, encode_external_senders
from letterlock.mls.wire.framing import PublicMessage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add, Remove, SelfRemove

from .forging import StolenKeys, cut_and_joined, flipped, relabelled
from .lab import NOW, Person, assert_agree, deliver, group_of, suite
from .malformed import member_commit
from .snapshot import snapshot

SUITES = pytest.mark.parametrize("number", [1, 2])
WIRE = pytest.mark.parametrize("public", [True, False], ids=["public", "private"])

ANA, BEN, CAS, DEE = range(4)


@dataclass
class Scene:
    """Four members in a tree without blanks; `ben` is attacked. Nothing that the others made has reached him."""

    people: list[Person]
    server: PublicGroup
    genuine: dict[str, bytes]

    @property
    def ben(self) -> Person:
        return self.people[BEN]

    def accept(self, name: str) -> object:
        """The genuine message, processed by ben as if nothing had happened."""
        result = self.ben.g.process(self.genuine[name], now=NOW)
        expected = StagedCommit if "commit" in name else Application if name == "application" else ProposalReceived
        assert isinstance(result, expected), name
        return result


def scene(number: int) -> Scene:
    """Every kind of message that can reach a member, made in one epoch."""
    guard_private, guard_public = suite(number).generate_signature_key(seeded_rng("guard"))
    senders = encode_external_senders((ExternalSender(guard_public, Credential.basic(b"guard")),))
    people = group_of(
        ["ana", "ben", "cas", "dee"],
        make=lambda name: Person(name, number=number),
        extensions=[Extension(EXTERNAL_SENDERS, senders)],
    )
    for person in people:
        deliver(person.commit().message, people)
    ana, ben, cas, dee = people
    group_id, epoch = ben.g.group_id, ben.g.epoch
    info = ana.g.group_info()
    server = PublicGroup(
        ana.client.suite, info, authentication=ana.client.authentication, policy=ana.client.policy, now=NOW
    )
    eve, fay = Person("eve", number=number), Person("fay", number=number)
    genuine = {
        "application": cas.say(b"the genuine message"),
        "public proposal": cas.propose(Remove(DEE), public=True),
        "private proposal": dee.g.propose_update(rng=dee.rng, now=NOW, public=False),
        "self remove": dee.propose(SelfRemove()),
        "asks to join": propose_to_join(eve.client, eve.package().key_package, group_id, epoch),
        "external sender": propose_as_external_sender(
            ana.client.suite, ana.client.suite.signer(guard_private), 0, Remove(DEE), group_id, epoch
        ),
        "external commit": Group.join_externally(fay.client, info, rng=fay.rng, now=NOW)[1].message,
    }
    commits: dict[str, bytes] = {}
    for name, public in (("public commit", True), ("private commit", False)):
        new = Person(name, number=number)
        commits[name] = ana.commit([Add(new.package().key_package), Remove(DEE)], public=public).message
        ana.g.discard()
    return Scene(people, server, genuine | commits)


@pytest.fixture(scope="module", params=[1, 2])
def shared(request: pytest.FixtureRequest) -> Scene:
    """One scene for all the attacks on it that must leave no trace: they cannot disturb one another."""
    return scene(request.param)


def refused(group: Group, message: bytes, answers: tuple[type, ...] = ()) -> object:
    """`message` has no effect: it raises a documented error or gets one of `answers`. What came of it."""
    before = snapshot(group, held=False)
    outcome: object
    try:
        outcome = group.process(message, now=NOW)
    except RemoteError as error:
        outcome = error
    assert isinstance(outcome, (RemoteError, *answers)), outcome
    assert snapshot(group, held=False) == before
    return outcome


def rule_of(outcome: object) -> str:
    assert isinstance(outcome, InvalidGroupMessage), repr(outcome)
    return outcome.rule


# --- without any key -------------------------------------------------------------------------------
KINDS = (
    "application",
    "public proposal",
    "private proposal",
    "self remove",
    "asks to join",
    "external sender",
    "external commit",
    "public commit",
    "private commit",
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_can_be_changed(shared: Scene, kind: str) -> None:
    """A flipped epoch looks like a message of another time, everything else is refused; nothing uses up a key."""
    answers: dict[str, int] = {}
    for forged in flipped(shared.genuine[kind], seed=1):
        outcome = refused(shared.ben.g, forged, (PastEpoch, FutureEpoch))
        answers[type(outcome).__name__] = answers.get(type(outcome).__name__, 0) + 1
    assert answers["FutureEpoch"] > 50 and answers["InvalidGroupMessage"] + answers.get("BadMac", 0) > 100, answers


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_can_be_changed(shared: Scene, kind: str) -> None:
    message = shared.genuine[kind]
    others = [other for name, other in shared.genuine.items() if name != kind]
    for forged in cut_and_joined(message, others, seed=2):
        if forged in shared.genuine.values():
            continue
        refused(shared.ben.g, forged, (PastEpoch, FutureEpoch))


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_belongs_to_its_group_and_epoch(shared: Scene, kind: str) -> None:
    """Relabelled for another epoch or group it does not hold, also where the same four are in that group."""
    group, message = shared.ben.g, shared.genuine[kind]
    for epoch in range(group.epoch):
        refused(group, relabelled(message, epoch=epoch), (PastEpoch,))
    for epoch in (group.epoch + 1, group.epoch + 3, 2**64 - 1):
        assert isinstance(refused(group, relabelled(message, epoch=epoch), (FutureEpoch,)), FutureEpoch)
    number = group.state.suite.number
    other = group_of(
        ["ana", "ben", "cas", "dee"],
        make=lambda name: Person(name, number=number),
        group_id=b"other",
        extensions=group.state.extensions,
    )
    for person in other:
        deliver(person.commit().message, other)
    ben = other[BEN]
    assert ben.g.epoch == group.epoch
    assert rule_of(refused(ben.g, message)) == "MLS-6-22"
    outcome = refused(ben.g, relabelled(message, group_id=b"other"))
    assert isinstance(outcome, BadMac) or rule_of(outcome) in ("MLS-6.2-01", "MLS-6.1-24")


@SUITES
def test_the_genuine_messages_work_after_all_that(number: int) -> None:
    """A tampered copy must not use up the key: first every forgery, then the message itself."""
    for kind in KINDS:
        stage = scene(number)
        message = stage.genuine[kind]
        for forged in list(flipped(message, seed=3))[:: 7 if number == 1 else 23]:
            refused(stage.ben.g, forged, (PastEpoch, FutureEpoch))
        result = stage.accept(kind)
        if isinstance(result, StagedCommit):
            stage.ben.g.merge(result, now=NOW)
            assert stage.ben.g.epoch == result.epoch


@SUITES
def test_repeated_at_any_time(number: int) -> None:
    """Every message comes again, at once and in each later epoch."""
    stage = scene(number)
    ben = stage.ben
    seen = ["application", "public proposal", "private proposal", "self remove", "external sender", "asks to join"]
    for kind in seen:
        stage.accept(kind)
    for kind in seen:
        assert isinstance(refused(ben.g, stage.genuine[kind], (Duplicate,)), Duplicate), kind
    ben.g.drop_proposals()
    commit = stage.accept("private commit")
    assert isinstance(commit, StagedCommit)
    ben.g.merge(commit, now=NOW)
    deliver(stage.genuine["private commit"], [stage.people[CAS]])
    epoch = commit.base_epoch
    everybody = [ben, stage.people[CAS]]
    for _ in range(8):
        for kind, message in stage.genuine.items():
            outcome = refused(ben.g, message, (Duplicate, PastEpoch, Fork))
            if kind == "private commit":
                assert outcome in (Duplicate(epoch), PastEpoch(epoch))
            elif isinstance(outcome, Fork):
                assert "commit" in kind
        deliver(ben.commit().message, everybody)
    assert_agree(everybody)


@SUITES
def test_a_server_without_keys_is_not_fooled(number: int) -> None:
    """The same attacks on a PublicGroup. The two tags at the end it cannot check: they are left out here."""
    stage = scene(number)
    for kind in ("public proposal", "self remove", "asks to join", "external sender", "external commit"):
        message = stage.genuine[kind]
        parsed = decode_message(message, RFC_PROPOSALS, 1 << 20)
        assert isinstance(parsed, PublicMessage)
        tags = parsed.encode()[len(parsed.content.encoded) + len(parsed.auth.encode()) :]
        checked = len(message) - len(tags)
        if parsed.auth.confirmation_tag is not None:
            checked -= 1 + len(parsed.auth.confirmation_tag)
        for forged in flipped(message, seed=4):
            if forged[:checked] == message[:checked]:
                continue
            state, proposals = stage.server.state, list(stage.server.proposals())
            try:
                outcome: object = stage.server.process(forged, now=NOW)
            except LetterlockError as error:
                outcome = error
            assert not isinstance(outcome, (PublicProposal, StagedPublicCommit))
            assert stage.server.state is state and list(stage.server.proposals()) == proposals
    for kind in ("public proposal", "self remove", "asks to join", "external sender"):
        assert isinstance(stage.server.process(stage.genuine[kind], now=NOW), PublicProposal)
    assert isinstance(stage.server.process(stage.genuine["public commit"], now=NOW), StagedPublicCommit)


# --- somebody who was removed ----------------------------------------------------------------------
def expelled(number: int, **options: Any) -> tuple[list[Person], Person, StolenKeys]:
    """Dee knows all keys of the epoch that ended with her removal; she has processed the commit, as she may."""
    people = group_of(["ana", "ben", "cas", "dee"], make=lambda name: Person(name, number=number))
    for person in people:
        deliver(person.commit().message, people)
    keys = StolenKeys(people[DEE])
    deliver(people[ANA].commit([Remove(DEE)], **options).message, people)
    return people[:3], people[DEE], keys


@SUITES
def test_the_removed_cannot_read(number: int) -> None:
    """Neither with the group's own code nor with the keys of before."""
    people, dee, _ = expelled(number)
    ana, ben, cas = people
    messages = [ana.say(b"secret"), ben.commit().message]
    deliver(messages[1], people)
    messages += [cas.say(b"secret"), ana.commit(public=True).message]
    for message in messages:
        with pytest.raises(GroupInactive):
            dee.g.process(message, now=NOW)
    # The group as she could keep it from before, with the removal left out.
    people = group_of(["ana", "ben", "cas", "dee"], make=lambda name: Person(name, number=number))
    for person in people:
        deliver(person.commit().message, people)
    ana, _, _, dee = people
    commit = ana.commit([Remove(DEE)])
    deliver(commit.message, people[:3])
    said = ana.say(b"secret")
    assert dee.g.process(said, now=NOW) == FutureEpoch(dee.g.epoch + 1, True)
    assert isinstance(refused(dee.g, relabelled(said, epoch=dee.g.epoch)), BadMac)
    staged = dee.g.process(commit.message, now=NOW)
    assert isinstance(staged, StagedCommit) and staged.secrets is None


@SUITES
@WIRE
def test_the_removed_cannot_speak(number: int, public: bool) -> None:
    """With old keys, her own signature key, in her own name and in others'."""
    people, _, keys = expelled(number, public=public)
    ben = people[BEN]
    now, then = ben.g.epoch, ben.g.epoch - 1
    for leaf in (ANA, BEN, CAS, DEE, 7, 2**32 - 1):
        for content in (Remove(CAS), Commit((Remove(CAS),), None)):
            outcome = refused(ben.g, keys.public(content, leaf=leaf, epoch=now))
            assert rule_of(outcome) == "MLS-6.2-01"
            # In her own time it is too late for handshakes, whoever signs.
            answers = (PastEpoch, Fork) if leaf == DEE else (PastEpoch,)
            refused(ben.g, keys.public(content, leaf=leaf, epoch=then), answers)
    for leaf in (ANA, BEN, CAS, DEE):
        for message in (b"hello", Remove(CAS), Commit((Remove(CAS),), None)):
            assert isinstance(refused(ben.g, keys.private(message, leaf=leaf, generation=3, epoch=now)), BadMac)
            if leaf == DEE and isinstance(message, bytes):
                continue  # see the next test
            refused(ben.g, keys.private(message, leaf=leaf, generation=3, epoch=then), (PastEpoch, Fork))
    deliver(people[ANA].commit().message, people)
    assert_agree(people)


@SUITES
def test_late_messages_stay_bound_to_their_sender_and_time(number: int) -> None:
    """She may still be heard, in the epoch that she was in and as herself; never in another's name.

    A forgery in another's name does not use up the key of the message that it pretends to be.
    """
    people = group_of(["ana", "ben", "cas", "dee"], make=lambda name: Person(name, number=number))
    ana, ben, _, dee = people
    keys = StolenKeys(dee)
    genuine = ana.say(b"from ana")
    deliver(ana.commit([Remove(DEE)]).message, people)
    for _ in range(3):
        assert refused(ben.g, keys.private(b"from dee", leaf=ANA), (PastEpoch,)) == PastEpoch(1)
    result = ben.g.process(genuine, now=NOW)
    assert isinstance(result, Application) and result.data == b"from ana"
    result = ben.g.process(keys.private(b"from dee"), now=NOW)
    assert isinstance(result, Application)
    assert (result.epoch, result.leaf.credential.identity) == (1, b"dee")
    for leaf in (4, 2**32 - 1):
        with pytest.raises(LetterlockError):
            keys.private(b"", leaf=leaf)


@SUITES
def test_the_removed_cannot_come_back_as_somebody_else(number: int) -> None:
    """With a GroupInfo she may join again under her own name where the policy has it, and replace nobody."""
    people, dee, _ = expelled(number)
    ana, ben, _ = people
    info = ana.g.group_info()
    fresh = Person("dee", number=number)
    for victim in (ANA, BEN, CAS):
        with pytest.raises(InvalidGroupMessage) as raised:
            Group.join_externally(fresh.client, info, resync=victim, rng=fresh.rng, now=NOW)
        assert raised.value.rule == "MLS-12.2-13"
    closed = replace(ben.client, policy=replace(ben.client.policy, external_commits=False))
    message = Group.join_externally(dee.client, info, rng=dee.rng, now=NOW)[1].message
    assert isinstance(ben.g.process(message, now=NOW), StagedCommit)
    ben.g._member.client = closed
    assert rule_of(refused(ben.g, message)) == "MLS-P-02"


# --- a member with bad intentions ------------------------------------------------------------------
def insiders(number: int) -> tuple[list[Person], StolenKeys]:
    people = group_of(["ana", "ben", "cas", "dee"], make=lambda name: Person(name, number=number))
    for person in people:
        deliver(person.commit().message, people)
    return people, StolenKeys(people[DEE])


@SUITES
def test_an_insider_cannot_speak_for_others(number: int) -> None:
    """Every member can encrypt in the name of every other; only the signature tells, and it costs no key."""
    people, keys = insiders(number)
    ana, ben, *_ = people
    genuine = [ana.say(b"%d" % i) for i in range(4)]
    for leaf in (ANA, CAS):
        for generation in (0, 1, 3):
            outcome = refused(ben.g, keys.private(b"forged", leaf=leaf, generation=generation))
            assert rule_of(outcome) == "MLS-6.1-24"
        for content in (Remove(BEN), Commit((), None)):
            assert rule_of(refused(ben.g, keys.private(content, leaf=leaf))) == "MLS-6.1-24"
            assert rule_of(refused(ben.g, keys.public(content, leaf=leaf))) == "MLS-6.1-24"
    for index in (2, 0, 3, 1):
        result = ben.g.process(genuine[index], now=NOW)
        assert isinstance(result, Application) and result.data == b"%d" % index


@SUITES
def test_an_insider_cannot_use_our_own_name(number: int) -> None:
    people, keys = insiders(number)
    ben = people[BEN]
    assert refused(ben.g, keys.private(b"forged", leaf=BEN), (OwnEcho,)) == OwnEcho(None)
    assert refused(ben.g, keys.private(Commit((), None), leaf=BEN), (OwnEcho,)) == OwnEcho(None)
    assert rule_of(refused(ben.g, keys.public(Remove(CAS), leaf=BEN))) == "MLS-6.1-24"
    assert rule_of(refused(ben.g, keys.public(Commit((), None), leaf=BEN))) == "MLS-6.1-24"
    pending = ben.commit()
    assert refused(ben.g, keys.private(Commit((), None), leaf=BEN), (OwnEcho,)) == OwnEcho(None)
    echo = ben.g.process(pending.message, now=NOW)
    assert isinstance(echo, OwnEcho) and echo.pending is pending


@SUITES
def test_an_insider_cannot_move_what_others_signed(number: int) -> None:
    """To another leaf, wire format, epoch or group: the signature covers all of them."""
    people, keys = insiders(number)
    ana, ben, *_ = people
    proposal = ana.propose(Remove(CAS), public=True)
    ana.g.drop_proposals()
    parsed = decode_message(proposal, RFC_PROPOSALS, 1 << 20)
    assert isinstance(parsed, PublicMessage)
    signature = parsed.auth.signature
    for leaf in (CAS, DEE):
        assert rule_of(refused(ben.g, keys.resealed(proposal, leaf=leaf))) == "MLS-6.1-24"
    assert rule_of(refused(ben.g, keys.private(Remove(CAS), leaf=ANA, signature=signature))) == "MLS-6.1-24"
    assert rule_of(refused(ben.g, keys.public(Remove(DEE), leaf=ANA, signature=signature))) == "MLS-6.1-24"
    old = proposal
    deliver(people[CAS].commit().message, people)
    keys = StolenKeys(people[DEE])
    assert rule_of(refused(ben.g, keys.resealed(old, leaf=ANA))) == "MLS-6.1-24"


@SUITES
def test_what_an_insider_writes_into_sender_data(number: int) -> None:
    """Blank and absent leaves, generations that cost work: nobody has authenticated them yet."""
    people, _ = insiders(number)
    ana, ben, _, dee = people
    deliver(ana.commit([Remove(CAS)]).message, people)
    keys = StolenKeys(dee)
    assert rule_of(refused(ben.g, keys.private(b"?", leaf=CAS))) == "MLS-6.3.2-20"
    limit = ben.client.policy.forward
    assert isinstance(refused(ben.g, keys.private(b"?", leaf=ANA, generation=limit + 1)), TooFarAhead)
    assert rule_of(refused(ben.g, keys.private(b"?", leaf=ANA, generation=limit))) == "MLS-6.1-24"


@SUITES
def test_one_generation_twice_from_a_member(number: int) -> None:
    """The first that arrives counts; the other one is a duplicate, and no second decryption happens."""
    people, keys = insiders(number)
    ben = people[BEN]
    assert isinstance(ben.g.process(keys.private(b"one"), now=NOW), Application)
    assert refused(ben.g, keys.private(b"two"), (Duplicate,)) == Duplicate(ben.g.epoch)
    # The same with a commit that was staged when a proposal with its key arrived: both were made by one member.
    commit = member_commit(people[DEE], public=False).message
    staged = ben.g.process(commit, now=NOW)
    assert isinstance(staged, StagedCommit)
    assert isinstance(ben.g.process(keys.private(Remove(CAS)), now=NOW), ProposalReceived)
    ben.g.merge(staged, now=NOW)
    assert ben.g.epoch == staged.epoch


@SUITES
@WIRE
def test_an_insiders_commit_with_something_wrong_in_it(number: int, public: bool) -> None:
    """Tag, sealed secrets, keys of the path: refused by whoever it hurts, and an honest commit goes on."""
    people, _ = insiders(number)
    ana, ben, cas, dee = people

    def spoil(place: int) -> Callable[[Any], Any]:
        """The secrets of one node of the path are sealed to nobody."""

        def change(path: Any) -> Any:
            nodes = list(path.nodes)
            sealed = tuple(
                HPKECiphertext(c.kem_output, bytes(len(c.ciphertext))) for c in nodes[place].encrypted_path_secret
            )
            nodes[place] = replace(nodes[place], encrypted_path_secret=sealed)
            return replace(path, nodes=tuple(nodes))

        return change

    def swap(path: Any) -> Any:
        """Public keys that do not come from the secrets."""
        nodes = list(path.nodes)
        _, key = dee.client.suite.generate_key_pair(dee.rng)
        nodes[0] = replace(nodes[0], encryption_key=key)
        return replace(path, nodes=tuple(nodes))

    cases = {
        "tag": (member_commit(dee, public=public, tag=bytes(dee.client.suite.hash_length)).message, ben),
        "short tag": (member_commit(dee, public=public, tag=b"").message, ben),
        "upper secrets": (member_commit(dee, public=public, change_path=spoil(1)).message, ben),
        "lower secrets": (member_commit(dee, public=public, change_path=spoil(0)).message, cas),
        "keys": (member_commit(dee, public=public, change_path=swap).message, cas),
    }
    for name, (message, victim) in cases.items():
        first = refused(victim.g, message)
        assert isinstance(first, InvalidGroupMessage), (name, first)
        again = refused(victim.g, message)
        assert rule_of(first) == rule_of(again), name
    honest = ana.commit().message
    deliver(honest, [ana, ben, cas])
    assert_agree([ana, ben, cas])


@SUITES
@WIRE
def test_a_commit_with_proposals_that_nobody_sent(number: int, public: bool) -> None:
    people, _ = insiders(number)
    ben, dee = people[BEN], people[DEE]
    dee.propose(Remove(CAS))
    commit = dee.commit(public=public)
    assert isinstance(refused(ben.g, commit.message), MissingProposal)


def test_noise(shared: Scene) -> None:
    """Nothing that is no MLS message at all does anything."""
    rng = seeded_rng("noise")
    for length in (0, 1, 2, 3, 4, 10, 100, 5_000):
        outcome = refused(shared.ben.g, rng(length))
        assert isinstance(outcome, DecodeError)

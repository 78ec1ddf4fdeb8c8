"""Proposals and lists of proposals that no commit may cover (RFC 9420 sections 12.1 and 12.2, SelfRemove)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from letterlock.ids import Instant
from letterlock.mls.evolution.proposal_list import QueuedProposal
from letterlock.mls.group.group import Group
from letterlock.mls.registries import (
    BASIC,
    EXTERNAL_SENDERS,
    PROTOCOL_VERSION_MLS10,
    REQUIRED_CAPABILITIES,
    SELF_REMOVE,
    X509,
)
from letterlock.mls.wire.commit import ProposalRef
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension, ExternalSender, RequiredCapabilities, encode_external_senders
from letterlock.mls.wire.framing import NEW_MEMBER_PROPOSAL, Sender
from letterlock.mls.wire.leaf_node import LeafNodeSource
from letterlock.mls.wire.proposals import (
    Add,
    CustomProposal,
    CustomProposalType,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalTypes,
    ReInit,
    Remove,
    SelfRemove,
    Update,
)
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage

from .lab import LAB, NOW, Person
from .malformed import ANY_PSK, by_reference, certified, external_commit, key_package, leaf, member_commit, message
from .refusing import Attack, on_outsider, refuses
from .world import World, at_member, at_server, make_person

Place = Callable[[World, bytes], Attack]
NUMBER = 0xF00D


def psk(length: int = 32, usage: ResumptionPSKUsage | None = None) -> PreSharedKey:
    nonce = bytes(range(length))
    if usage is None:
        return PreSharedKey(PreSharedKeyID.external(b"known", nonce))
    return PreSharedKey(PreSharedKeyID.resumption(usage, b"group", 1, nonce))


def reinit(version: int = PROTOCOL_VERSION_MLS10, extensions: Sequence[Extension] = ()) -> ReInit:
    return ReInit(b"next", version, 1, tuple(extensions))


def update_of(person: Person) -> Update:
    group = person.g
    where = {"group_id": group.group_id, "leaf_index": group.own_leaf}
    return Update(leaf(person.client, person.rng, LeafNodeSource.UPDATE, **where))


def add_of(person: Person) -> Add:
    return Add(key_package(person.client, person.rng))


def psks_known(w: World) -> World:
    """Everybody has every pre-shared key: a missing one is another error."""
    for person in w.people:
        person.g._member.find_psk = lambda psk: ANY_PSK
    return w


def kept(w: World, person: Person) -> list[QueuedProposal]:
    """All that the person has received, for a commit to refer to."""
    return [by_reference(person, reference) for reference, _, _ in person.g.proposals()]


# --- one by itself ---------------------------------------------------------------------------------------------
@refuses("MLS-12.1.3-01", at_member, at_server)
def test_removal_of_a_blank_leaf(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(3)))


@refuses("MLS-12.1.3-01", at_member, at_server)
def test_removal_of_a_leaf_outside_the_tree(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2**32 - 1)))


@refuses("MLS-12.1.3-01", at_member, at_server)
def test_commit_that_removes_a_blank_leaf(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, shown=[Remove(3)]).message)


@refuses("MLS-12.1.3-01", at_member, at_server)
def test_external_commit_that_removes_a_blank_leaf(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), shown=[Remove(3)]).message)


@refuses("MLS-12.1.3-01")
def test_nobody_removes_a_blank_leaf() -> Attack:
    w = World()
    return w.ask(lambda: w.ben.commit([Remove(3)]))


@refuses("MLS-12.1.4-01", at_member, at_server)
def test_psk_of_a_reinitialisation(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, psk(usage=ResumptionPSKUsage.REINIT)))


@refuses("MLS-12.1.4-01", at_member, at_server)
def test_psk_of_a_branch(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, psk(usage=ResumptionPSKUsage.BRANCH)))


@refuses("MLS-12.1.4-01", at_member, at_server)
def test_commit_with_the_psk_of_a_branch(place: Place) -> Attack:
    w = psks_known(World())
    return place(w, member_commit(w.mal, [psk(usage=ResumptionPSKUsage.BRANCH)]).message)


@refuses("MLS-12.1.4-01", at_member, at_server)
def test_external_commit_with_the_psk_of_a_reinitialisation(place: Place) -> Attack:
    w = psks_known(World())
    proposals = [psk(usage=ResumptionPSKUsage.REINIT)]
    return place(w, external_commit(w.eve, w.ben.g.group_info(), proposals).message)


@refuses("MLS-12.1.4-01")
def test_nobody_commits_the_psk_of_a_branch() -> Attack:
    w = psks_known(World())
    return w.ask(lambda: w.ben.commit([psk(usage=ResumptionPSKUsage.BRANCH)]))


@refuses("MLS-12.1.4-02", at_member, at_server)
def test_psk_with_a_short_nonce(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, psk(31)))


@refuses("MLS-12.1.4-02", at_member, at_server)
def test_commit_with_a_psk_with_a_long_nonce(place: Place) -> Attack:
    w = psks_known(World())
    return place(w, member_commit(w.mal, [psk(33)]).message)


@refuses("MLS-12.1.4-02", at_member, at_server)
def test_external_commit_with_a_psk_without_nonce(place: Place) -> Attack:
    w = psks_known(World())
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [psk(0)]).message)


@refuses("MLS-12.1.5-01", at_member, at_server)
def test_reinit_to_an_older_version(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, reinit(version=0)))


@refuses("MLS-12.1.5-01", at_member, at_server)
def test_commit_of_a_reinit_to_an_older_version(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [reinit(version=0)]).message)


@refuses("MLS-13.4-01", at_member, at_server)
def test_reinit_with_an_extension_twice(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, reinit(extensions=TWICE)))


@refuses("MLS-13.4-01", at_member, at_server)
def test_commit_of_a_reinit_with_an_extension_twice(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [reinit(extensions=TWICE)]).message)


@refuses("MLS-12.2-08", at_member, at_server)
def test_external_init_by_itself(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, ExternalInit(bytes(32))))


# --- context extensions ----------------------------------------------------------------------------------------
TWICE = (Extension(1, b"one"), Extension(1, b"two"))


def demanding(*kinds: tuple[int, ...]) -> GroupContextExtensions:
    return GroupContextExtensions((Extension(REQUIRED_CAPABILITIES, RequiredCapabilities(*kinds).encode()),))


def with_senders(*senders: ExternalSender) -> GroupContextExtensions:
    return GroupContextExtensions((Extension(EXTERNAL_SENDERS, encode_external_senders(senders)),))


class Doorkeeper:
    """Refuses whoever is called bad."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return "bad" if credential.identity == b"bad" else None

    def identity(self, credential: Credential) -> bytes:
        return credential.identity


@refuses("MLS-13.4-01", at_member, at_server)
def test_context_with_an_extension_twice(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, GroupContextExtensions(TWICE)))


@refuses("MLS-13.4-01", at_member, at_server)
def test_commit_of_a_context_with_an_extension_twice(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [GroupContextExtensions(TWICE)]).message)


@refuses("MLS-13.4-03", at_member, at_server)
def test_context_extension_that_some_do_not_support(place: Place) -> Attack:
    w = World(extensions=[NUMBER], each={"cleo": {"extensions": []}})
    return place(w, member_commit(w.mal, [GroupContextExtensions((Extension(NUMBER, b""),))]).message)


@refuses("MLS-13.4-03")
def test_nobody_commits_a_context_extension_that_some_do_not_support() -> Attack:
    w = World(extensions=[NUMBER], each={"cleo": {"extensions": []}})
    return w.ask(lambda: w.ben.commit([GroupContextExtensions((Extension(NUMBER, b""),))]))


@refuses("MLS-12.1.7-01", at_member, at_server)
def test_required_extension_that_some_do_not_support(place: Place) -> Attack:
    w = World(extensions=[NUMBER], each={"cleo": {"extensions": []}})
    return place(w, member_commit(w.mal, [demanding((NUMBER,), (), ())]).message)


@refuses("MLS-12.1.7-01", at_member, at_server)
def test_required_proposal_that_some_do_not_support(place: Place) -> Attack:
    w = World(proposals=[SELF_REMOVE, NUMBER], each={"cleo": {"proposals": [SELF_REMOVE]}})
    return place(w, member_commit(w.mal, [demanding((), (NUMBER,), ())]).message)


@refuses("MLS-12.1.7-01", at_member, at_server)
def test_required_credential_type_that_some_do_not_support(place: Place) -> Attack:
    w = World(each={"cleo": {"credentials": [BASIC]}})
    return place(w, member_commit(w.mal, [demanding((), (), (X509,))]).message)


@refuses("MLS-12.1.7-01", at_member, at_server)
def test_required_extension_by_reference(place: Place) -> Attack:
    w = World(extensions=[NUMBER], each={"cleo": {"extensions": []}})
    w.spread(message(w.cleo, demanding((NUMBER,), (), ())))
    return place(w, member_commit(w.mal, kept(w, w.mal)).message)


@refuses("MLS-12.1.7-01")
def test_nobody_commits_a_required_extension_that_some_do_not_support() -> Attack:
    w = World(extensions=[NUMBER], each={"cleo": {"extensions": []}})
    return w.ask(lambda: w.ben.commit([demanding((NUMBER,), (), ())]))


@refuses("MLS-7.3-02", at_member, at_server)
def test_added_member_without_what_the_same_commit_requires(place: Place) -> Attack:
    """New extensions hold for the rest of the list (section 12.3)."""
    w = World(extensions=[NUMBER])
    poor = make_person("poor")
    return place(w, member_commit(w.mal, [add_of(poor), demanding((NUMBER,), (), ())]).message)


@refuses("MLS-7.3-02", at_member, at_server)
def test_added_member_by_reference_without_what_the_same_commit_requires(place: Place) -> Attack:
    """It was judged by the old extensions when it arrived, and is judged again."""
    w = World(extensions=[NUMBER])
    poor = make_person("poor")
    w.spread(message(w.cleo, add_of(poor)))
    return place(w, member_commit(w.mal, [*kept(w, w.mal), demanding((NUMBER,), (), ())]).message)


@refuses("MLS-7.3-02", at_member, at_server)
def test_path_without_what_the_same_commit_requires(place: Place) -> Attack:
    w = World(extensions=[NUMBER])
    poor = make_person("mal").client.capabilities
    return place(w, member_commit(w.mal, [demanding((NUMBER,), (), ())], in_leaf={"capabilities": poor}).message)


@refuses("MLS-5.3.1-01", at_member, at_server)
def test_external_sender_whom_the_application_refuses(place: Place) -> Attack:
    w = World(authentication=Doorkeeper())
    sender = ExternalSender(w.eve.client.signature_key, Credential.basic(b"bad"))
    return place(w, message(w.mal, with_senders(sender)))


@refuses("MLS-5.3.1-01", at_member, at_server)
def test_commit_of_an_external_sender_whom_the_application_refuses(place: Place) -> Attack:
    w = World(authentication=Doorkeeper())
    sender = ExternalSender(w.eve.client.signature_key, Credential.basic(b"bad"))
    return place(w, member_commit(w.mal, [with_senders(sender)]).message)


@refuses("MLS-5.3-01", at_member, at_server)
def test_external_sender_with_a_certificate_for_another_key(place: Place) -> Attack:
    w = World()
    sender = ExternalSender(w.eve.client.signature_key, certified(bytes(range(32))))
    return place(w, member_commit(w.mal, [with_senders(sender)]).message)


@refuses("MLS-5.3.1-01")
def test_nobody_creates_a_group_with_an_external_sender_who_is_refused() -> Attack:
    ben = make_person("ben", authentication=Doorkeeper())
    extensions = with_senders(ExternalSender(ben.client.signature_key, Credential.basic(b"bad"))).extensions
    return on_outsider(lambda: Group.create(ben.client, b"new", extensions=extensions, rng=ben.rng, now=NOW))


@refuses("MLS-13.4-01")
def test_nobody_creates_a_group_with_an_extension_twice() -> Attack:
    ben = make_person("ben")
    return on_outsider(lambda: Group.create(ben.client, b"new", extensions=TWICE, rng=ben.rng, now=NOW))


@refuses("MLS-13.4-02")
def test_nobody_creates_a_group_with_an_extension_that_he_does_not_support() -> Attack:
    ben = make_person("ben")
    extensions = (Extension(NUMBER, b""),)
    return on_outsider(lambda: Group.create(ben.client, b"new", extensions=extensions, rng=ben.rng, now=NOW))


@refuses("MLS-7.3-02")
def test_nobody_creates_a_group_that_requires_what_he_lacks() -> Attack:
    ben = make_person("ben")
    extensions = demanding((), (NUMBER,), ()).extensions
    return on_outsider(lambda: Group.create(ben.client, b"new", extensions=extensions, rng=ben.rng, now=NOW))


# --- lists ---------------------------------------------------------------------------------------------------------
@refuses("MLS-12.2-01", at_member, at_server)
def test_commit_of_an_own_update(place: Place) -> Attack:
    w = World()
    w.spread(message(w.mal, update_of(w.mal)))
    return place(w, member_commit(w.mal, kept(w, w.cleo)).message)


@refuses("MLS-12.2-01", at_member, at_server)
def test_commit_of_an_own_update_by_value(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [update_of(w.mal)]).message)


@refuses("MLS-12.2-01")
def test_nobody_commits_an_own_update() -> Attack:
    w = World()
    return w.ask(lambda: w.ben.commit([update_of(w.ben)]))


@refuses("MLS-12.2-02", at_member, at_server)
def test_commit_that_removes_the_committer(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, shown=[Remove(1)]).message)


@refuses("MLS-12.2-02", at_member, at_server)
def test_commit_that_removes_the_committer_by_reference(place: Place) -> Attack:
    w = World()
    reference = w.spread(message(w.cleo, Remove(1)))
    return place(w, member_commit(w.mal, shown=[ProposalRef(reference)]).message)


@refuses("MLS-12.2-02")
def test_nobody_removes_himself() -> Attack:
    w = World()
    return w.ask(lambda: w.ben.commit([Remove(0)]))


@refuses("MLS-12.2-03", at_member, at_server)
def test_removed_twice(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [Remove(2)], shown=[Remove(2), Remove(2)]).message)


@refuses("MLS-12.2-03", at_member, at_server)
def test_updated_and_removed(place: Place) -> Attack:
    w = World()
    w.spread(message(w.cleo, update_of(w.cleo)))
    return place(w, member_commit(w.mal, [*kept(w, w.mal), Remove(2)]).message)


@refuses("MLS-12.2-03", at_member, at_server)
def test_updated_twice(place: Place) -> Attack:
    w = World()
    w.spread(message(w.cleo, update_of(w.cleo)))
    w.spread(message(w.cleo, update_of(w.cleo)))
    return place(w, member_commit(w.mal, kept(w, w.mal)).message)


@refuses("MLS-12.2-03", at_member, at_server)
def test_one_update_referred_to_twice(place: Place) -> Attack:
    w = World()
    w.spread(message(w.cleo, update_of(w.cleo)))
    return place(w, member_commit(w.mal, kept(w, w.mal) * 2).message)


@refuses("MLS-12.2-03", at_member, at_server)
def test_removed_and_self_removed(place: Place) -> Attack:
    w = World()
    reference = w.spread(message(w.cleo, SelfRemove()))
    shown = [ProposalRef(reference), Remove(2)]
    return place(w, member_commit(w.mal, kept(w, w.mal), shown=shown).message)


@refuses("MLS-12.2-03", at_member, at_server)
def test_external_commit_that_removes_who_removes_himself(place: Place) -> Attack:
    w = World()
    reference = w.spread(message(w.cleo, SelfRemove()))
    shown = [ProposalRef(reference), Remove(2)]
    made = external_commit(w.cleo, w.ben.g.group_info(), kept(w, w.mal), shown=shown)
    return place(w, made.message)


@refuses("MLS-12.2-04", at_member, at_server)
def test_one_client_added_twice(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [add_of(w.eve), add_of(w.eve)]).message)


@refuses("MLS-12.2-04", at_member, at_server)
def test_one_client_added_by_value_and_by_reference(place: Place) -> Attack:
    w = World()
    w.spread(message(w.cleo, add_of(w.eve)))
    return place(w, member_commit(w.mal, [*kept(w, w.mal), add_of(w.eve)]).message)


@refuses("MLS-12.2-05", at_member, at_server)
def test_one_psk_twice(place: Place) -> Attack:
    w = psks_known(World())
    return place(w, member_commit(w.mal, [psk(), psk()]).message)


@refuses("MLS-12.2-05", at_member, at_server)
def test_external_commit_with_one_psk_twice(place: Place) -> Attack:
    w = psks_known(World())
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [psk(), psk()]).message)


@refuses("MLS-12.2-06", at_member, at_server)
def test_two_new_contexts(place: Place) -> Attack:
    w = World()
    none = GroupContextExtensions(())
    return place(w, member_commit(w.mal, [none, none]).message)


@refuses("MLS-12.2-07", at_member, at_server)
def test_reinit_beside_something_else(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [reinit(), add_of(w.eve)]).message)


@refuses("MLS-12.2-07", at_member, at_server)
def test_two_reinits(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [reinit(), reinit()]).message)


@refuses("MLS-12.2-07")
def test_nobody_commits_a_reinit_beside_something_else() -> Attack:
    w = World()
    return w.ask(lambda: w.ben.commit([reinit(), Remove(1)]))


@refuses("MLS-12.2-08", at_member, at_server)
def test_external_init_in_a_members_commit(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [ExternalInit(bytes(range(32)))]).message)


# --- types of proposals ------------------------------------------------------------------------------------------------
def knowing(*, external_senders: bool = False, external_commit: bool = False) -> ProposalTypes:
    kind = CustomProposalType(NUMBER, "custom", None, False, external_senders, external_commit)
    return ProposalTypes(custom={NUMBER: kind})


CUSTOM = CustomProposal(NUMBER, b"body")


def custom_world(each: dict[str, dict[str, object]] | None = None, **flags: bool) -> World:
    policy = replace(LAB, proposal_types=knowing(**flags))
    return World(policy=policy, proposals=[SELF_REMOVE, NUMBER], each=each)


POOR = {"cleo": {"proposals": [SELF_REMOVE]}}


@refuses("MLS-12.2-09", at_member, at_server)
def test_custom_proposal_that_some_do_not_support(place: Place) -> Attack:
    w = custom_world(POOR)
    return place(w, member_commit(w.mal, [CUSTOM]).message)


@refuses("MLS-12.2-09", at_member, at_server)
def test_custom_proposal_by_reference_that_some_do_not_support(place: Place) -> Attack:
    w = custom_world(POOR)
    w.spread(message(w.cleo, CUSTOM))
    return place(w, member_commit(w.mal, kept(w, w.mal)).message)


@refuses("MLS-12.2-09", at_member, at_server)
def test_self_remove_that_some_do_not_support(place: Place) -> Attack:
    w = World(each={"ben": {"proposals": []}})
    w.spread(message(w.cleo, SelfRemove()))
    return place(w, member_commit(w.mal, kept(w, w.mal)).message)


@refuses("MLS-12.2-09")
def test_nobody_proposes_what_some_do_not_support() -> Attack:
    w = custom_world(POOR)
    return w.ask(lambda: w.ben.propose(CUSTOM))


@refuses("MLS-12.2-09")
def test_nobody_commits_what_some_do_not_support() -> Attack:
    w = custom_world(POOR)
    return w.ask(lambda: w.ben.commit([CUSTOM]))


# --- external senders ----------------------------------------------------------------------------------------------------
def with_eve(**options: object) -> World:
    """A group in which Eve is an external sender."""
    eve = make_person("eve").client
    context = with_senders(ExternalSender(eve.signature_key, eve.credential)).extensions
    return World(context=context, **options)  # type: ignore[arg-type]


def from_eve(w: World, proposal: Proposal) -> bytes:
    return message(w.mal, proposal, sender=Sender.external(0), sign=w.eve.client.sign)


@refuses("MLS-12.1.8-01", at_member, at_server)
def test_update_of_an_external_sender(place: Place) -> Attack:
    w = with_eve()
    return place(w, from_eve(w, update_of(w.mal)))


@refuses("MLS-12.1.8-01", at_member, at_server)
def test_external_init_of_an_external_sender(place: Place) -> Attack:
    w = with_eve()
    return place(w, from_eve(w, ExternalInit(bytes(32))))


@refuses("MLS-12.1.8-01", at_member, at_server)
def test_custom_proposal_that_is_not_for_external_senders(place: Place) -> Attack:
    w = with_eve(policy=replace(LAB, proposal_types=knowing()), proposals=[SELF_REMOVE, NUMBER])
    return place(w, message(w.mal, CUSTOM, sender=Sender.external(0), sign=w.eve.client.sign))


# --- external commits ------------------------------------------------------------------------------------------------------
@refuses("MLS-12.2-10", at_member, at_server)
def test_external_commit_without_external_init(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), inits=0).message)


@refuses("MLS-12.2-10", at_member, at_server)
def test_external_commit_with_two_external_inits(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), inits=2).message)


@refuses("MLS-12.2-11", at_member, at_server)
def test_external_commit_with_two_removals(place: Place) -> Attack:
    w = World(authentication=Everybody())
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [Remove(1), Remove(2)]).message)


@refuses("MLS-12.2-12", at_member, at_server)
def test_external_commit_with_an_add(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [add_of(make_person("dan"))]).message)


@refuses("MLS-12.2-12", at_member, at_server)
def test_external_commit_with_an_update(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), shown=[update_of(w.cleo)]).message)


@refuses("MLS-12.2-12", at_member, at_server)
def test_external_commit_with_a_new_context(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [GroupContextExtensions(())]).message)


@refuses("MLS-12.2-12", at_member, at_server)
def test_external_commit_with_a_reinit(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [reinit()]).message)


@refuses("MLS-12.2-12", at_member, at_server)
def test_external_commit_with_a_custom_proposal_that_is_not_for_it(place: Place) -> Attack:
    w = custom_world()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [CUSTOM]).message)


@refuses("MLS-12.2-13", at_member, at_server)
def test_external_commit_that_removes_somebody_else(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), [Remove(2)]).message)


@refuses("MLS-12.2-13")
def test_nobody_joins_in_the_place_of_somebody_else() -> Attack:
    w = World()
    info = w.ben.g.group_info()
    return on_outsider(lambda: Group.join_externally(w.eve.client, info, resync=2, rng=w.eve.rng, now=NOW))


@refuses("MLS-12.4.3.2-01", at_member, at_server)
def test_external_commit_with_a_removal_by_reference(place: Place) -> Attack:
    w = World(authentication=Everybody())
    w.proposed(w.cleo, Remove(1))
    return place(w, external_commit(w.eve, w.ben.g.group_info(), kept(w, w.ben)).message)


@refuses("MLS-12.4.3.2-01", at_member, at_server)
def test_external_commit_with_a_psk_by_reference(place: Place) -> Attack:
    w = psks_known(World())
    w.spread(message(w.cleo, psk()))
    return place(w, external_commit(w.eve, w.ben.g.group_info(), kept(w, w.ben)).message)


class Everybody:
    """All are one client."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return None

    def identity(self, credential: Credential) -> bytes:
        return b"everybody"


# --- SelfRemove ------------------------------------------------------------------------------------------------------------
@refuses("MLS-X.6.3-01", at_member, at_server)
def test_self_remove_by_value_in_an_external_commit(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), shown=[SelfRemove()]).message)


@refuses("MLS-X.6.3-01", at_member, at_server)
def test_self_remove_by_value(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, shown=[SelfRemove()]).message)


@refuses("MLS-X.6.3-01")
def test_nobody_commits_a_self_remove_by_value() -> Attack:
    w = World()
    return w.ask(lambda: w.ben.commit([SelfRemove()]))


@refuses("MLS-X.6.3-02", at_member, at_server)
def test_commit_of_an_own_self_remove(place: Place) -> Attack:
    w = World()
    reference = w.spread(message(w.mal, SelfRemove()))
    return place(w, member_commit(w.mal, shown=[ProposalRef(reference)]).message)


@refuses("MLS-X.6.3-03")
def test_self_remove_in_a_private_message() -> Attack:
    w = World()
    return w.attack(message(w.mal, SelfRemove(), public=False))


@refuses("MLS-X.6.3-04", at_member, at_server)
def test_self_remove_of_an_external_sender(place: Place) -> Attack:
    w = with_eve()
    return place(w, from_eve(w, SelfRemove()))


@refuses("MLS-X.6.3-04", at_member, at_server)
def test_self_remove_of_somebody_new(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, SelfRemove(), sender=NEW_MEMBER_PROPOSAL, sign=w.eve.client.sign))

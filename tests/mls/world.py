"""A group for negative tests: Ben, who is attacked, Mal, who is a member and attacks, Cleo, who looks on, a server
that orders their commits, and Eve, who is not in the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crypto.deterministic import seeded_rng
from letterlock.mls.authentication import Authentication
from letterlock.mls.group.results import ProposalReceived
from letterlock.mls.policy import Policy
from letterlock.mls.public_group import PublicGroup, PublicProposal, StagedPublicCommit
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import Proposal

from .lab import LAB, NOW, Person, deliver, group_of, suite
from .malformed import certified
from .refusing import Attack, on_member, on_sender, on_server

__all__ = ["World", "at_member", "at_server", "make_person", "signature_private"]


def signature_private(name: str, number: int = 1) -> bytes:
    """The key that the lab gives to a person of that name."""
    return suite(number).generate_signature_key(seeded_rng(name))[0]


def make_person(
    name: str, *, authentication: Authentication | None = None, has_certificate: bool = False, **options: Any
) -> Person:
    """A person of the lab, with another authentication service or an X.509 credential."""
    person = Person(name, **options)
    if authentication is not None:
        person.client = replace(person.client, authentication=authentication)
    if has_certificate:
        person.client = replace(person.client, credential=certified(signature_private(name)))
    return person


class World:
    """Leaves: Ben 0, Mal 1, Cleo 2, then `more` names. `context` are GroupContext extensions, `each` options of
    single persons by name, all others hold for everybody.
    """

    def __init__(
        self,
        *more: str,
        policy: Policy = LAB,
        context: Sequence[Extension] = (),
        each: Mapping[str, Mapping[str, Any]] | None = None,
        **everybody: Any,
    ) -> None:
        single = dict(each or {})
        policy = replace(policy, public_handshakes=True)

        def make(name: str) -> Person:
            return make_person(name, **{"policy": policy, **everybody, **single.get(name, {})})

        self.people = group_of(["ben", "mal", "cleo", *more], make=make, extensions=context)
        self.ben, self.mal, self.cleo = self.people[:3]
        self.eve = make("eve")
        ben = self.ben
        self.server = PublicGroup(
            ben.client.suite,
            ben.g.group_info(),
            authentication=ben.client.authentication,
            policy=ben.client.policy,
            now=NOW,
        )

    @property
    def others(self) -> list[Person]:
        return self.people[1:]

    def attack(self, message: bytes) -> Attack:
        """Ben is given the message."""
        return on_member(self.ben, message, self.others, self.server)

    def attack_server(self, message: bytes) -> Attack:
        """The server is given the message."""
        return on_server(self.server, message, self.people)

    def ask(self, act: Any) -> Attack:
        """Ben is asked by his own application."""
        return on_sender(self.ben, act, self.others)

    def commit(self, person: Person, proposals: Sequence[Proposal] = (), **options: Any) -> None:
        """An honest commit that everybody follows."""
        pending = person.commit(proposals, **options)
        deliver(pending.message, self.people)
        staged = self.server.process(pending.message, now=NOW)
        assert isinstance(staged, StagedPublicCommit)
        self.server.merge(staged)

    def spread(self, message: bytes, *, server: bool = True) -> bytes:
        """A proposal that everybody else takes; its reference."""
        reference = b""
        for person in self.people:
            result = person.g.process(message, now=NOW)
            if isinstance(result, ProposalReceived):
                reference = result.reference
        if server:
            kept = self.server.process(message, now=NOW)
            assert isinstance(kept, PublicProposal)
        return reference

    def proposed(self, person: Person, proposal: Proposal) -> bytes:
        """A proposal that an honest person makes and everybody takes."""
        return self.spread(person.propose(proposal, public=True))


def at_member(w: World, data: bytes) -> Attack:
    """Ben gets the message."""
    return w.attack(data)


def at_server(w: World, data: bytes) -> Attack:
    """The server gets it."""
    return w.attack_server(data)

"""Clients and groups for the tests of `letterlock.mls`: who is who, and a delivery service that keeps order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.ids import Instant, Rng
from letterlock.mls.client import Client, make_capabilities
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import OwnEcho, PendingCommit, StagedCommit
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.policy import DEFAULT_POLICY, Policy
from letterlock.mls.registries import BASIC, SELF_REMOVE, X509
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.proposals import Add, Proposal

from .any_credential import AnyCredential

CRYPTO = Pyca()
NOW: Instant = 1_790_000_000_000
LAB = replace(DEFAULT_POLICY, max_lifetime_seconds=2**64, check_received_lifetimes=False)
"""A policy that takes what peers and vectors bring: endless or expired lifetimes."""


def suite(number: int = 1) -> CipherSuite:
    return cipher_suite(number, CRYPTO)


def make_client(
    name: str,
    *,
    number: int = 1,
    algorithms: CipherSuite | None = None,
    policy: Policy = LAB,
    rng: Rng | None = None,
    extensions: Sequence[int] = (),
    proposals: Sequence[int] = (SELF_REMOVE,),
    credentials: Sequence[int] = (BASIC, X509),
) -> Client:
    """A client with a software key and a basic credential."""
    algorithms = algorithms or suite(number)
    private, public = algorithms.generate_signature_key(rng or seeded_rng(name))
    return Client(
        suite=algorithms,
        credential=Credential.basic(name.encode()),
        signature_key=public,
        sign=algorithms.signer(private),
        capabilities=make_capabilities(
            sorted({1, 2, 3, 5, 7, algorithms.number}), credentials, extensions=extensions, proposals=proposals
        ),
        authentication=AnyCredential(),
        policy=policy,
    )


class Person:
    """A client, its key packages and its group."""

    def __init__(self, name: str, **options: object) -> None:
        self.name = name
        self.rng = seeded_rng(f"person {name}")
        self.client = make_client(name, **options)  # type: ignore[arg-type]
        self.group: Group | None = None

    def package(self, **options: object) -> KeyPackageBundle:
        self.bundle = make_key_package(self.client, NOW, self.rng, lifetime_seconds=84 * 86_400, **options)  # type: ignore[arg-type]
        return self.bundle

    def create(self, group_id: bytes = b"group", **options: object) -> Group:
        self.group = Group.create(self.client, group_id, rng=self.rng, now=NOW, **options)  # type: ignore[arg-type]
        return self.group

    def join(self, welcome: bytes, **options: object) -> Group:
        self.group = Group.join(self.client, self.bundle, welcome, now=NOW, **options)  # type: ignore[arg-type]
        return self.group

    @property
    def g(self) -> Group:
        assert self.group is not None
        return self.group

    def commit(self, proposals: Sequence[Proposal] = (), **options: object) -> PendingCommit:
        return self.g.commit(proposals, options=CommitOptions(**options), rng=self.rng, now=NOW)  # type: ignore[arg-type]

    def propose(self, proposal: Proposal, **options: object) -> bytes:
        return self.g.propose(proposal, rng=self.rng, now=NOW, **options)  # type: ignore[arg-type]

    def say(self, text: bytes) -> bytes:
        return self.g.encrypt(text, rng=self.rng)


def deliver(message: bytes, people: Iterable[Person]) -> list[object]:
    """Everybody processes a message and merges what is to be merged; the results."""
    results = []
    for person in people:
        result = person.g.process(message, now=NOW)
        if isinstance(result, StagedCommit):
            person.g.merge(result, now=NOW)
        elif isinstance(result, OwnEcho) and result.pending is not None:
            person.g.merge(result.pending, now=NOW)
        results.append(result)
    return results


def group_of(names: Sequence[str], *, make: Callable[[str], Person] = Person, **options: object) -> list[Person]:
    """The first creates the group and adds all others in one commit."""
    people = [make(name) for name in names]
    first, others = people[0], people[1:]
    first.create(**options)
    if others:
        pending = first.commit([Add(other.package().key_package) for other in others])
        first.g.merge(pending, now=NOW)
        for other in others:
            other.join(pending.welcomes[0].message)
    return people


def assert_agree(people: Sequence[Person]) -> None:
    """Same epoch, same secrets, same tree."""
    first = people[0].g
    for person in people[1:]:
        assert person.g.epoch == first.epoch
        assert person.g.epoch_authenticator == first.epoch_authenticator
        assert person.g.state.context == first.state.context

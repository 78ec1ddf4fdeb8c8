"""Negative cases of the numbered rules: that it is refused, that nothing changed by it, and that it was this rule.

A case is a function that makes a world with something in it that breaks one rule. `@refuses("MLS-7.3-03")` makes a
test of it, which runs it twice: the attack must be refused by exactly that rule, leave no trace and let everybody go
on; and in a new world, with the rule switched off, it must not be refused by it. A case with `places` runs for each
place where the rule applies.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

import letterlock.mls
import switching
from letterlock.errors import InvalidGroupMessage, LetterlockError
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application
from letterlock.mls.public_group import PublicGroup, StagedPublicCommit
from letterlock.mls.rules import RULES, Rule
from letterlock.mls.wire.proposals import Add

from .lab import NOW, Person, assert_agree, deliver
from .snapshot import snapshot

__all__ = [
    "Attack",
    "every_rule",
    "on_joiner",
    "on_member",
    "on_outsider",
    "on_sender",
    "on_server",
    "refuses",
    "switched_off",
]


def every_rule() -> dict[str, Rule]:
    """The registry, with every module imported that declares a rule."""
    for module in pkgutil.walk_packages(letterlock.mls.__path__, "letterlock.mls."):
        importlib.import_module(module.name)
    return RULES


def switched_off(*ids: str) -> AbstractContextManager[None]:
    """These rules do nothing; without ids none does anything."""
    return switching.switched_off(Rule, *ids)


@dataclass(frozen=True)
class Attack:
    """`feed` is the receiving side taking it, `memory` all that it remembers, `go_on` what must work afterwards."""

    feed: Callable[[], object]
    memory: Callable[[], object]
    go_on: Callable[[], None]


Case = Callable[..., Attack]


def refuses(rule: str, *places: Any) -> Callable[[Case], Case]:
    """Make a test of a case; see the module."""
    assert rule in every_rule(), f"{rule} is no rule"

    def mark(case: Case) -> Case:
        def check(**place: Any) -> None:
            _check(rule, lambda: case(**place))

        def run() -> None:
            check()

        def run_at(place: Any) -> None:
            check(place=place)

        test: Any = pytest.mark.parametrize("place", places, ids=lambda p: p.__name__)(run_at) if places else run
        test.__name__ = test.__qualname__ = case.__name__
        test.__module__, test.__doc__ = case.__module__, case.__doc__
        return test

    return mark


def _check(rule: str, case: Callable[[], Attack]) -> None:
    attack = case()
    before = attack.memory()
    with pytest.raises(InvalidGroupMessage) as refused:
        attack.feed()
    assert refused.value.rule == rule
    assert attack.memory() == before
    attack.go_on()

    attack = case()
    with switched_off(rule):
        try:
            attack.feed()
        except InvalidGroupMessage as other:
            assert other.rule != rule, "the rule refuses without `Rule.fail`"
        except (LetterlockError, AssertionError, ArithmeticError, LookupError):
            pass  # something behind it could not make sense of it


# --- the receiving sides -----------------------------------------------------------------------------------
def on_member(victim: Person, message: bytes, others: Sequence[Person], server: PublicGroup | None = None) -> Attack:
    """A member is given a message."""
    victim.g.take_changes()

    def go_on() -> None:
        assert victim.g.take_changes() == {}
        _go_on([victim, *others], server)

    return Attack(lambda: victim.g.process(message, now=NOW), lambda: snapshot(victim.g), go_on)


def on_sender(victim: Person, act: Callable[[], object], others: Sequence[Person]) -> Attack:
    """A member is asked by its own application for something that the others would refuse."""
    victim.g.take_changes()
    return Attack(act, lambda: _without_ratchets(victim.g), lambda: _go_on([victim, *others], None))


def on_server(server: PublicGroup, message: bytes, people: Sequence[Person]) -> Attack:
    """A server that orders commits is given a message."""

    def memory() -> object:
        return server.state, list(server.proposals()), server._index.version, server._index.member_count

    return Attack(lambda: server.process(message, now=NOW), memory, lambda: _go_on(people, server))


def on_joiner(victim: Person, welcome: bytes, host: Person, **options: Any) -> Attack:
    """A client with one published key package is given a Welcome; a genuine one must still work."""

    def join() -> Group:
        return Group.join(victim.client, victim.bundle, welcome, now=NOW, **options)

    def go_on() -> None:
        host.create(b"a genuine group")
        pending = host.commit([Add(victim.bundle.key_package)])
        host.g.merge(pending, now=NOW)
        victim.join(pending.welcomes[0].message)
        assert_agree([host, victim])

    return Attack(join, lambda: (victim.group, victim.bundle.to_row()), go_on)


def on_outsider(act: Callable[[], object], go_on: Callable[[], None] = lambda: None) -> Attack:
    """Somebody without a group is asked to do something; there is nothing that could change."""
    return Attack(act, lambda: None, go_on)


def _go_on(people: Sequence[Person], server: PublicGroup | None) -> None:
    """A commit of the victim, followed by everybody, and a message of each."""
    victim = people[0]
    for person in people:
        person.g.drop_proposals()
        person.g.discard()
    pending = victim.commit(public=True)
    deliver(pending.message, people)
    assert_agree(people)
    if server is not None:
        staged = server.process(pending.message, now=NOW)
        assert isinstance(staged, StagedPublicCommit)
        server.merge(staged)
        assert server.state.context == victim.g.state.context
    for person in people:
        for other in people:
            if other is not person:
                heard = other.g.process(person.say(b"still here"), now=NOW)
                assert isinstance(heard, Application) and heard.data == b"still here"


def _without_ratchets(group: Group) -> object:
    member = group._member
    return member.state, dict(member.proposals), dict(member.updates), member.pending, set(member.dirty)

"""What the focus has to know of the leaves of a tree: whose each is by its certificate, and how long that lasts.

Credentials are judged by `following` and `founding` when they enter, in the place where the order of rcc16.md 5.8 has
it; so the MLS code is given an Authentication that judges nothing, and a stored tree can be loaded after one of its
certificates has expired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ....ids import Instant, Number
from ....mls.authentication import Authentication
from ....mls.policy import Policy
from ....mls.suites import CipherSuite
from ....mls.wire.credential import Credential
from ....mls.wire.leaf_node import LeafNode
from ....rcc16.credentials.leaf import certified_number, expires_at
from ....rcc16.rules import Rule
from ....rcc16.wire.reasons import ServerReason
from .limits import OrderingLimits
from .refusing import ordering_rule
from .state import Facts, LeafFacts

__all__ = ["JudgedElsewhere", "Terms", "check_few_leaves", "check_floor", "check_new_leaves", "facts_of", "numbers_of"]

_FLOOR = ordering_rule(
    "20",
    "1.6, 5.8",
    "every credential of the group lasts thirty days more",
    ServerReason.EXPIRED_CREDENTIAL,
    module=__name__,
)
_CHAIN = ordering_rule(
    "21",
    "1.5, 5.8",
    "every new leaf has a credential that leads to a trust anchor",
    ServerReason.EXPIRED_CREDENTIAL,
    module=__name__,
)
_FEW = ordering_rule(
    "19",
    "5.8",
    "a number has no more leaves than the focus allows, and none of them is too large (our choice)",
    ServerReason.INVALID_INPUT,
    module=__name__,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what groups are judged: `authentication` knows the trust anchors (rcc16.credentials.authentication)."""

    suite: CipherSuite
    policy: Policy
    authentication: Authentication
    limits: OrderingLimits


class JudgedElsewhere:
    """See the module."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return None

    def identity(self, credential: Credential) -> bytes:
        return self._authentication.identity(credential)


def facts_of(leaf: LeafNode) -> LeafFacts:
    """Raises InvalidRcc16 for a credential that is no certificate of RCC.16."""
    return LeafFacts(certified_number(leaf.credential), expires_at(leaf.credential))


def numbers_of(facts: Facts) -> dict[Number, Instant]:
    """The members, and until when the longest credential of each lasts."""
    members: dict[Number, Instant] = {}
    for each in facts.values():
        members[each.number] = max(each.expires, members.get(each.number, 0))
    return members


def check_new_leaves(leaves: Iterable[LeafNode], terms: Terms, now: Instant) -> None:
    """Credentials that enter the group."""
    for leaf in leaves:
        if len(leaf.encode()) > terms.limits.max_leaf:
            _FEW.fail("a leaf is too large")
        why = terms.authentication.validate(leaf.credential, leaf.signature_key, now)
        if why is not None:
            _CHAIN.fail(f"a credential does not hold: {why}")


def check_few_leaves(facts: Facts, terms: Terms) -> None:
    """One member with a thousand devices would make the tree too large for everybody."""
    most = max(Counter(each.number for each in facts.values()).values(), default=0)
    if most > terms.limits.max_leaves_of_one:
        _FEW.fail(f"a number with {most} leaves")


def check_floor(facts: Facts, terms: Terms, now: Instant, rule: Rule = _FLOOR) -> None:
    """Everybody's, on every commit: one member under the floor blocks all others' commits that leave it in (1.6)."""
    floor = now + terms.limits.min_credential_ms
    short = next((each for each in facts.values() if each.expires < floor), None)
    if short is not None:
        rule.fail(f"a credential does not last until {floor // 1000}")

"""The key distribution server: certificates from the lab's authority, key packages handed out once.

It can lie too: another key package than the one that was published, or the same one twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from letterlock.conversation_seam import (
    Claimed,
    ClaimKeyPackages,
    ClaimOutcome,
    PublishKeyPackages,
    RenewCertificate,
    Request,
)
from letterlock.ids import Number

if TYPE_CHECKING:
    from .lies import Lie
    from .phone import Phone
    from .world import World

__all__ = ["Kds"]


class Kds:
    """One pool for each number; the last package of a pool is of last resort and stays."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pools: dict[Number, list[bytes]] = {}
        self.handed_out: Counter[bytes] = Counter()
        self.lies: list[Lie] = []
        self.honest = False
        self.down = False

    def ask(self, phone: Phone, request: Request) -> None:
        """Answers after a while, or says that it cannot be asked."""
        delay = 50 + self.world.random.randrange(400)
        match request:
            case ClaimKeyPackages():
                self.world.agenda.after(delay, lambda: phone.claimed(request, self._claims(phone.number, request)))
            case PublishKeyPackages():
                self.pools[phone.number] = list(request.packages)
                self.world.agenda.after(delay, lambda: phone.uploaded(request))
            case RenewCertificate():
                chain, anchors = self.world.certify(phone)
                self.world.agenda.after(delay, lambda: phone.enrolled(request, chain, anchors))

    def _claims(self, claimer: Number, request: ClaimKeyPackages) -> dict[Number, Claimed]:
        # A server that cannot be asked cannot be asked about anybody: with a chance for each of nineteen numbers there
        # would hardly ever be a group.
        if not self.honest and self.world.random.random() < self.world.plan.kds_failures:
            return {number: Claimed(ClaimOutcome.FAILED) for number in request.numbers}
        return {number: self._claim(claimer, number) for number in request.numbers}

    def _claim(self, claimer: Number, number: Number) -> Claimed:
        pool = self.pools.get(number)
        if not pool:
            return Claimed(ClaimOutcome.NONE)
        package = pool.pop(0) if len(pool) > 1 else pool[0]
        self.handed_out[package] += 1
        if not self.honest:
            for lie in self.lies:
                package = lie.claim(self.world, claimer, number, package)
        return Claimed(ClaimOutcome.SERVED, (package,))

"""Requests other than INVITE on their way to one or more targets: forked, answered once (RFC 3261 sections 16.6 and 16.7).

The sender hears of the first that takes it, else of the best refusal. A MESSAGE that may be kept is kept for each
device that is away or fails in a way that may pass; when none took it and one is kept for, the answer is 202.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..codec.sip import Request, Response
from ..ids import Instant
from .answers import Answers, Refusal, Upstream
from .branches import Branch, Branches, Target
from .effects import Effect
from .location import Device
from .pager import MAY_PASS, Pager
from .settings import Settings

__all__ = ["Forks"]


@dataclass(slots=True, eq=False)
class _Fork:
    """One request on its way. `upstream` is None when nobody waits for an answer (any more)."""

    upstream: Upstream | None
    size: int
    keeps: bool
    charged: int | None
    """The connection that its copies count for."""

    open: int = 0
    taken: bool = False
    kept: bool = False
    refusals: list[Refusal] = field(default_factory=list)


class Forks:
    """The forks that are open."""

    def __init__(self, settings: Settings, branches: Branches, pager: Pager, answers: Answers) -> None:
        self._settings = settings
        self._branches = branches
        self._pager = pager
        self._answers = answers
        self._bytes = 0
        self._open_of: Counter[int] = Counter()

    def forward(
        self,
        upstream: Upstream | None,
        copies: Sequence[tuple[Target, Request]],
        now: Instant,
        *,
        away: Sequence[Device] = (),
        keep: Request | None = None,
        bounded: bool = True,
    ) -> list[Effect]:
        """Send each copy to its target; answer `upstream` when that is decided.

        `keep` is the message for those that are `away` or cannot take it now, None for a request that is not kept.
        A peer whose requests are `bounded` has so many on their way and no more (SR-08, SR-17).
        """
        fork = _Fork(
            None if upstream is None else (upstream[0], _without_body(upstream[1])),
            len(copies[0][1].body) if copies else 0,
            keep is not None,
            upstream[0] if bounded and upstream is not None else None,
        )
        effects: list[Effect] = []
        for target, request in copies:
            effects += self._try(fork, target, request, now)
        if keep is not None:
            for device in away:
                self._keep(fork, device.key, keep, now)
        return effects + self._decide(fork, now)

    def _try(self, fork: _Fork, target: Target, request: Request, now: Instant) -> list[Effect]:
        if fork.keeps and target.device is not None and self._pager.waiting(target.device):
            # A message queues behind those that are kept, so that order is kept; a question does not.
            self._keep(fork, target.device, request, now)
            return []
        if not self._has_room(fork):
            self._failed(fork, target, request, Refusal(503, None, target.number), now)
            return []
        if fork.open == 0:
            self._bytes += fork.size
        fork.open += 1
        if fork.charged is not None:
            self._open_of[fork.charged] += 1
        branch = _Copy(self, fork, target, request)
        return [self._branches.send(branch, target, request, now + self._settings.branch_timeout_ms)]

    def _has_room(self, fork: _Fork) -> bool:
        settings = self._settings
        return (
            len(self._branches) < settings.max_open_branches
            and self._bytes + fork.size <= settings.max_open_bytes
            and (fork.charged is None or self._open_of[fork.charged] < settings.max_open_per_connection)
        )

    def settled(self, branch: _Copy, response: Response | None, status: int, now: Instant) -> list[Effect]:
        """One branch is over: with a final response, or with none and what that counts as."""
        self._branches.close(branch)
        fork, target = branch.fork, branch.target
        fork.open -= 1
        if fork.open == 0:
            self._bytes -= fork.size
        if fork.charged is not None:
            self._open_of[fork.charged] -= 1
            if not self._open_of[fork.charged]:
                del self._open_of[fork.charged]
        effects: list[Effect] = []
        if response is not None and status < 300:
            if not fork.taken:
                fork.taken = True
                if fork.upstream is not None:
                    effects += self._answers.passed(fork.upstream[0], response, target.number, now)
        else:
            self._failed(fork, target, branch.request, Refusal(status, response, target.number), now)
        return effects + self._decide(fork, now)

    def _failed(self, fork: _Fork, target: Target, request: Request, refusal: Refusal, now: Instant) -> None:
        fork.refusals.append(refusal)
        if fork.keeps and target.device is not None and refusal.status in MAY_PASS:
            self._keep(fork, target.device, request, now)
            self._pager.retry_later(target.device, now)

    def _keep(self, fork: _Fork, key: tuple[str, str], request: Request, now: Instant) -> None:
        kept = self._pager.keep(key, request, now)  # type: ignore[arg-type]
        if kept:
            fork.kept = True
        elif kept is False:
            fork.refusals.append(Refusal(503, None, None))

    def _decide(self, fork: _Fork, now: Instant) -> list[Effect]:
        """What the sender hears once no branch is open and none was taken."""
        if fork.open or fork.taken or fork.upstream is None:
            return []
        upstream, fork.upstream = fork.upstream, None
        if fork.kept:
            return [self._answers.own(upstream, 202)]
        return self._answers.best(upstream, fork.refusals, now)


class _Copy(Branch):
    """One copy."""

    __slots__ = ("_forks", "fork", "request", "target")

    def __init__(self, forks: Forks, fork: _Fork, target: Target, request: Request) -> None:
        super().__init__()
        self._forks = forks
        self.fork = fork
        self.target = target
        self.request = request

    def answered(self, response: Response, now: Instant) -> list[Effect]:
        # A provisional answer to a request that is no INVITE tells the sender nothing (RFC 4320).
        return [] if response.status < 200 else self._forks.settled(self, response, response.status, now)

    def expired(self, now: Instant) -> list[Effect]:
        return self._forks.settled(self, None, 408, now)

    def cut(self, now: Instant) -> list[Effect]:
        return self._forks.settled(self, None, 503 if self.target.device is None else 480, now)


def _without_body(request: Request) -> Request:
    return Request(request.method, request.uri, request.headers)

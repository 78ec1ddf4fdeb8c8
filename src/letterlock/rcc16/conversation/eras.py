"""Making a conversation encrypted, and a new era of it: claim everybody's packages, found a group (rcc16.md 2.2, 5.7).

A first group is era 1, of a conversation that we knew before one more than we know. A new era takes over every
extension of the GroupContext but the era itself, and end_mls where it revives.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...conversation_seam import Claimed
from ...errors import LetterlockError
from ...ids import Number
from ...mls.wire.extensions import Extension
from ..health.ladder import look_after
from ..wire.control import EndReason
from ..wire.control import Operation as Request
from ..wire.extensions import Advance, end_mls_extension, next_era
from . import committing
from .chat import Kind
from .claiming import ask, usable
from .continuity import mint
from .groups import found
from .members import others_of
from .metadata import inside_welcome
from .operations import begin, release
from .step import Work
from .wishes import drop_adds

__all__ = ["advance", "answered", "ask_again", "claim_to_add", "create"]

_MOST_DOUBLINGS = 7
_ADVANCES = {
    Kind.CREATE: Advance.NORMAL,
    Kind.ERA_ADVANCE: Advance.NORMAL,
    Kind.REVIVE_IN_NEW_ERA: Advance.REVIVAL,
    Kind.PHOENIX: Advance.PHOENIX,
}


def create(work: Work) -> None:
    """What is wanted is a group, and there is none."""
    begin(work, Kind.CREATE, work.chat.roster)
    ask_again(work)


def advance(work: Work, kind: Kind) -> None:
    """A new era: fresh packages of everybody else who is in the conversation."""
    peer = work.conversation.peer
    members = {peer} if peer is not None else set(work.chat.roster) or set(others_of(work))
    begin(work, kind, tuple(sorted(members)))
    if kind is Kind.PHOENIX:
        _found(work, [])
    else:
        ask_again(work)


def claim_to_add(work: Work, numbers: tuple[Number, ...]) -> None:
    """New members, or new devices of members."""
    begin(work, Kind.ADD, numbers)
    ask_again(work)


def ask_again(work: Work) -> None:
    """Claim for the pending operation; when the budget is spent, later."""
    operation = work.chat.operation
    assert operation is not None
    if not ask(work, operation.numbers):
        work.operation(next_at=work.now + look_after(operation.attempts + 1, work.core.settings.budgets))


def answered(work: Work, answers: Mapping[Number, Claimed]) -> None:
    """The key distribution server has spoken."""
    operation = work.chat.operation
    assert operation is not None
    packages = usable(work, answers, operation.numbers)
    if isinstance(packages, str):
        _without(work, packages)
        return
    if operation.kind is Kind.ADD and not packages:
        release(work)  # all their devices are there
        work.update(adds=tuple(number for number in work.chat.adds if number not in operation.numbers))
        return
    try:
        if operation.kind is Kind.ADD:
            committing.add(work, packages, operation.numbers, inside_welcome(work))
        else:
            _found(work, packages)
    except LetterlockError as error:
        work.forget_changes()
        _without(work, f"refused: {error.code}")


def _found(work: Work, packages: list) -> None:  # type: ignore[type-arg]
    operation = work.chat.operation
    assert operation is not None
    mint(work)
    chat = work.chat
    known = chat.group.era if chat.group is not None else chat.era_seen
    era = max(known, chat.era_seen) + 1
    group = work.group()
    before: tuple[Extension, ...] = chat.context if group is None else group.state.extensions
    kind = _ADVANCES[operation.kind]
    end = end_mls_extension(EndReason.UNSET, work.core.settings.choices.revision) if kind is Advance.PHOENIX else None
    extensions = next_era(before, era, kind, end_mls=end)
    lost = chat.heal is not None and chat.heal.not_found
    request = Request.NEW_GROUP if lost or (chat.era_seen == 0 and chat.group is None) else Request.NEW_ERA
    found(work, era, extensions, packages, inside_welcome(work), request=request)


def _without(work: Work, why: str) -> None:
    """There is no complete set of packages."""
    operation = work.chat.operation
    assert operation is not None
    if why == "retry":
        # Less and less often: each try costs a package of everybody whom the server does reach (SR-13).
        wait = work.core.settings.claim_retry_ms << min(operation.attempts, _MOST_DOUBLINGS)
        work.operation(request="", attempts=operation.attempts + 1, next_at=work.now + wait)
        return
    release(work)
    failed(work, operation.kind, operation.numbers, why)


def failed(work: Work, kind: Kind, numbers: tuple[Number, ...], why: str) -> None:
    """An operation ended without a commit."""
    if kind is Kind.ADD:
        drop_adds(work, numbers, why)  # those who are there can go on
    else:
        work.update(blocked=why)

"""The order of repair as one decision: given what is known now, which step is next (rcc16.md 5.5).

Pure and without memory: the conversation machine gathers `Facts`, does the step that comes back, and asks again.
Cheap and harmless steps come first, what others have to pay for comes last; nothing is ever healed into plaintext.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ...ids import Instant
from .budgets import Budgets
from .states import State
from .verdict import Verdict

__all__ = ["Facts", "HealStep", "Step", "look_after", "next_step"]


class Step(enum.Enum):
    """What to do next. In the order of the ladder."""

    STOP = "stop"
    """We left, or encryption is ended: there is nothing to repair."""
    WAIT = "wait"
    """Look again after `HealStep.after` ms."""
    PARK = "park"
    """Keep the message: it belongs to a later moment than ours, or to the outcome of the repair."""
    CHARGE = "charge"
    """Begin: state 1, one self-heal charge."""
    PULL = "pull"
    """Ask for the GroupInfo, with our EpochIdentifier: missed commits come with it."""
    ADOPT_END = "adopt-end"
    """The server's group has end_mls: so have we (state 10, else 15)."""
    HEALED = "healed"
    REPLAY = "replay"
    """Apply the missed commits strictly in order (state 2)."""
    ASK_WELCOME = "ask-welcome"
    """We are no member: ask for our Welcome again (client reason 13)."""
    EXTERNAL_COMMIT = "external-commit"
    ADVANCE_ERA = "advance-era"
    """We are elected: a new group of the next era, a Welcome to everybody (state 4)."""
    REBUILD = "rebuild"
    """The same, outside the election: repairs in a row did not converge, or the server has lost the group."""
    REPORT = "report"
    """Given up here (state 6): tell the sender what we could not read."""
    ASK_USER = "ask-user"
    """Nothing is left to try: state 7, and the user chooses between "try again" and "turn off encryption"."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known now. `*_left`: whether the ledger gives one more."""

    state: State
    left: bool
    """We left the group."""
    verdict: Verdict
    pulled: bool
    """The server's answer is here: `verdict` is of this repair."""
    waited_ms: int
    """Since the message that cannot be read came; or since the last look."""
    from_future: bool = False
    """A message waits that is of a later (era, epoch) than ours."""
    charged: bool = False
    server_has_end_mls: bool = False
    replayable: bool = False
    """Missed commits are in hand that begin at our epoch."""
    replay_failed: bool = False
    external_pub: bool = False
    """The fetched GroupInfo can be joined."""
    external_failed: bool = False
    election_waits: int = 0
    """Looks that our rank still has to wait before it advances the era."""
    looks: int = 0
    """Looks of this repair so far."""
    runs: int = 0
    """Repairs in a row that did not converge."""
    self_heal_left: bool = True
    fetch_left: bool = True
    external_left: bool = True
    advance_left: bool = True
    rebuild_left: bool = True
    reestablish_left: bool = True
    advance_failed: bool = False
    """The server refused the advance (quota, group gone)."""


@dataclass(frozen=True, slots=True)
class HealStep:
    """The step, and for WAIT after how long to ask again."""

    step: Step
    after: Instant = 0


def next_step(facts: Facts, budgets: Budgets) -> HealStep:
    """The next step of the ladder."""
    if facts.left or (facts.state.is_downgraded and facts.state is not State.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE):
        return HealStep(Step.STOP)
    if not facts.charged:
        return _before(facts, budgets)
    if not facts.pulled:
        return _pull(facts, budgets)
    if facts.server_has_end_mls:
        return HealStep(Step.ADOPT_END)
    if facts.verdict is Verdict.IN_SYNC:
        return HealStep(Step.HEALED)
    if facts.verdict is Verdict.BEHIND and facts.replayable and not facts.replay_failed:
        return HealStep(Step.REPLAY)
    if facts.verdict is Verdict.UNKNOWN:
        return _look(facts, budgets)
    if facts.verdict is Verdict.GROUP_NOT_FOUND:
        return _rebuild(facts) if facts.reestablish_left else _look(facts, budgets)
    # Also where we diverged or are ahead, for which rcc16.md 5.5 has a rebuild: it costs the others less (our choice).
    if facts.external_pub and facts.external_left and not facts.external_failed:
        return HealStep(Step.EXTERNAL_COMMIT)
    if facts.verdict is Verdict.NOT_IN_GROUP and facts.looks < budgets.looks_short:
        return HealStep(Step.ASK_WELCOME)
    return _advance(facts, budgets)


def look_after(looks: int, budgets: Budgets) -> Instant:
    """How long after the nth look (from 1) the next one is due: a few short ones, then longer and longer."""
    if looks <= budgets.looks_short:
        return budgets.look_short_ms
    return budgets.look_step_ms * (looks - budgets.looks_short)


def _before(facts: Facts, budgets: Budgets) -> HealStep:
    """A message could not be read, and nothing was begun: often the cure is already on its way."""
    if facts.waited_ms < budgets.welcome_race_ms:
        return HealStep(Step.PARK if facts.from_future else Step.WAIT, budgets.welcome_race_ms - facts.waited_ms)
    if not facts.self_heal_left:
        return HealStep(Step.ASK_USER)
    return HealStep(Step.CHARGE)


def _pull(facts: Facts, budgets: Budgets) -> HealStep:
    return HealStep(Step.PULL) if facts.fetch_left else _look(facts, budgets)


def _look(facts: Facts, budgets: Budgets) -> HealStep:
    if facts.looks >= budgets.looks_most:
        return HealStep(Step.ASK_USER)
    return HealStep(Step.WAIT, look_after(facts.looks + 1, budgets))


def _advance(facts: Facts, budgets: Budgets) -> HealStep:
    """Only one member may make the new era: each waits for those of lower numbers first (election.py)."""
    if facts.advance_failed:
        return HealStep(Step.REPORT if facts.state is not State.SELF_HEAL_FAILED else Step.ASK_USER)
    if facts.runs >= budgets.runs_before_rebuild:
        return _rebuild(facts)
    if facts.election_waits > 0:
        return HealStep(Step.WAIT, look_after(facts.looks + 1, budgets))
    return HealStep(Step.ADVANCE_ERA) if facts.advance_left else HealStep(Step.ASK_USER)


def _rebuild(facts: Facts) -> HealStep:
    return HealStep(Step.REBUILD) if facts.rebuild_left and not facts.advance_failed else HealStep(Step.ASK_USER)

"""All legal transitions of the health machine as one table, and what arriving in a state does (rcc16.md 5.2, 5.3).

Rules: an edge is looked up by the pair (from, to), never chosen; a pair that is not listed is refused; a state that
stays is no transition. Whatever moves a conversation goes through `move` or `arrive`. Only `FORCED` stands outside:
two writes that let a wedged conversation go, each of which the caller has to ask for by name (`force`).
The diagram of docs/rcc16-health.md is drawn from `TRANSITIONS`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from ...errors import ProtocolError
from ...ids import Instant
from .states import State

__all__ = ["FORCED", "SEEDS", "TRANSITIONS", "Edge", "Health", "Moment", "arrive", "force", "move", "seed"]


class Edge(enum.Enum):
    """Why a transition happens, by the name deployed clients give it; with its ordinal and its telemetry code."""

    REQUESTED_SELF_HEAL = ("RequestedSelfHeal", 0, 1)
    STARTED_EPOCH_ADVANCEMENT = ("StartedEpochAdvancement", 1, 2)
    EPOCH_ADVANCEMENT_SUCCESSFUL = ("EpochAdvancementSuccessful", 2, 3)
    EPOCH_ADVANCEMENT_FAILED = ("EpochAdvancementFailed", 3, 4)
    STARTED_ERA_ADVANCEMENT = ("StartedEraAdvancement", 4, 5)
    ERA_ADVANCEMENT_SUCCESSFUL = ("EraAdvancementSuccessful", 5, 6)
    SELF_HEAL_RESTARTED_TO_EPOCH_ADVANCEMENT = ("SelfHealRestartedToEpochAdvancement", 6, 7)
    SELF_HEAL_KILLED = ("SelfHealKilled", 7, 8)
    HEALED_AFTER_REMOTE_COMMIT = ("HealedAfterRemoteCommit", 8, 9)
    REQUESTED_DOWNGRADE_TO_END_MLS = ("RequestedDowngradeToEndMls", 9, 10)
    STARTED_DOWNGRADE_TO_END_MLS = ("StartedDowngradeToEndMls", 10, 11)
    END_MLS_SUCCEEDED = ("EndMlsSucceeded", 11, 12)
    END_MLS_APPLIED_BY_REMOTE_CLIENT = ("EndMlsAppliedByRemoteClient", 12, 13)
    END_MLS_CANCELLED_BY_ANOTHER_COMMIT = ("EndMlsCancelledByAnotherCommit", 13, 14)
    REVIVING_FROM_END_MLS_WITH_EPOCH_ADVANCEMENT = ("RevivingFromEndMlsWithEpochAdvancement", 14, 15)
    REQUESTED_PHOENIX_MODE = ("RequestedPhoenixMode", 15, 26)
    STARTED_PHOENIX_MODE = ("StartedPhoenixMode", 16, 27)
    PHOENIX_MODE_SUCCEEDED = ("PhoenixModeSucceeded", 17, 28)
    PHOENIX_MODE_FAILED_SO_DOWNGRADING_LOCALLY = ("PhoenixModeFailedSoDowngradingLocally", 18, 29)
    REVIVED_FROM_END_MLS = ("RevivedFromEndMls", 19, 16)
    STARTED_ERA_ADVANCEMENT_FOR_REVIVAL = ("StartedEraAdvancementForRevival", 20, 17)
    REQUESTED_ERA_ADVANCEMENT_FOR_REVIVAL = ("RequestedEraAdvancementForRevival", 21, 31)
    REVIVED_IN_NEW_ERA = ("RevivedInNewEra", 22, 18)
    REVIVAL_FAILED = ("RevivalFailed", 23, 19)
    GROUP_CREATED = ("GroupCreated", 24, 20)
    GROUP_INITIALIZING = ("GroupInitializing", 25, 21)
    REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER = ("RevivingThroughSelfHealToRevivedServer", 26, 22)
    REVIVE_REJECTED_AND_SERVER_ALREADY_REVIVED = ("ReviveRejectedAndServerAlreadyRevived", 27, 23)
    END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY = ("EndMlsOnServerUnstableEndMlsLocally", 28, 24)
    END_MLS_FAILED_TO_SEND_OUT_RETRY_EXCEEDED = ("EndMlsFailedToSendOutRetryExceeded", 29, 25)
    RESTARTING_PHOENIX_MODE = ("RestartingPhoenixMode", 30, 30)

    def __init__(self, label: str, ordinal: int, telemetry: int) -> None:
        self.label = label
        self.ordinal = ordinal
        self.telemetry = telemetry


S, E = State, Edge  # the table would be unreadable with the long names
_TABLE: Final[dict[State, dict[State, Edge]]] = {
    S.UNKNOWN: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.STARTED_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.GROUP_CREATED,
        S.INITIALIZING: E.GROUP_INITIALIZING,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.EPOCH_ADVANCEMENT_REQUESTED: {
        S.ONGOING_EPOCH_ADVANCEMENT: E.STARTED_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.SELF_HEAL_FAILED: E.SELF_HEAL_KILLED,
        S.ERA_ADVANCEMENT_REQUESTED: E.EPOCH_ADVANCEMENT_FAILED,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.ONGOING_EPOCH_ADVANCEMENT: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.SELF_HEAL_RESTARTED_TO_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.SELF_HEAL_FAILED: E.SELF_HEAL_KILLED,
        S.ERA_ADVANCEMENT_REQUESTED: E.EPOCH_ADVANCEMENT_FAILED,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.EPOCH_ADVANCEMENT_SUCCESSFUL,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.ONGOING_ERA_ADVANCEMENT: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.SELF_HEAL_RESTARTED_TO_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.SELF_HEAL_FAILED: E.SELF_HEAL_KILLED,
        S.ERA_ADVANCEMENT_REQUESTED: E.STARTED_ERA_ADVANCEMENT,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.ERA_ADVANCEMENT_SUCCESSFUL,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.SELF_HEAL_FAILED: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.ERA_ADVANCEMENT_REQUESTED: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.SELF_HEAL_RESTARTED_TO_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.SELF_HEAL_FAILED: E.SELF_HEAL_KILLED,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.END_MLS_REQUESTED: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.HEALTHY: E.END_MLS_CANCELLED_BY_ANOTHER_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_FAILED_TO_SEND_OUT_RETRY_EXCEEDED,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.ONGOING_END_MLS: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.DONE_END_MLS: E.END_MLS_SUCCEEDED,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.END_MLS_CANCELLED_BY_ANOTHER_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_FAILED_TO_SEND_OUT_RETRY_EXCEEDED,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.DONE_END_MLS: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER,
        S.ONGOING_REVIVE_MLS: E.REVIVING_FROM_END_MLS_WITH_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
    },
    S.ONGOING_REVIVE_MLS: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.REVIVE_REJECTED_AND_SERVER_ALREADY_REVIVED,
        S.ERA_ADVANCEMENT_REQUESTED: E.REQUESTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.REVIVED_FROM_END_MLS,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
    },
    S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER,
        S.ERA_ADVANCEMENT_REQUESTED: E.STARTED_ERA_ADVANCEMENT,
        S.DONE_END_MLS: E.REVIVAL_FAILED,
        S.HEALTHY: E.REVIVED_IN_NEW_ERA,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
    },
    S.HEALTHY: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.STARTED_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.ERA_ADVANCEMENT_REQUESTED: E.STARTED_ERA_ADVANCEMENT,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.INITIALIZING: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.STARTED_EPOCH_ADVANCEMENT,
        S.ONGOING_ERA_ADVANCEMENT: E.STARTED_ERA_ADVANCEMENT,
        S.ERA_ADVANCEMENT_REQUESTED: E.STARTED_ERA_ADVANCEMENT,
        S.END_MLS_REQUESTED: E.REQUESTED_DOWNGRADE_TO_END_MLS,
        S.ONGOING_END_MLS: E.STARTED_DOWNGRADE_TO_END_MLS,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.GROUP_CREATED,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.REQUESTED_PHOENIX_MODE,
    },
    S.CANNOT_HEAL_DURING_END_MLS: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER,
        S.SELF_HEAL_FAILED: E.SELF_HEAL_KILLED,
        S.ERA_ADVANCEMENT_REQUESTED: E.STARTED_ERA_ADVANCEMENT,
        S.DONE_END_MLS: E.END_MLS_SUCCEEDED,
        S.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE: E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
    },
    S.ONGOING_PHOENIX_MODE: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.ONGOING_EPOCH_ADVANCEMENT: E.REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER,
        S.DONE_END_MLS: E.PHOENIX_MODE_SUCCEEDED,
        S.HEALTHY: E.REVIVED_IN_NEW_ERA,
        S.CANNOT_HEAL_DURING_END_MLS: E.PHOENIX_MODE_FAILED_SO_DOWNGRADING_LOCALLY,
        S.PHOENIX_MODE_REQUESTED: E.RESTARTING_PHOENIX_MODE,
    },
    S.PHOENIX_MODE_REQUESTED: {
        S.EPOCH_ADVANCEMENT_REQUESTED: E.REQUESTED_SELF_HEAL,
        S.DONE_END_MLS: E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
        S.HEALTHY: E.HEALED_AFTER_REMOTE_COMMIT,
        S.CANNOT_HEAL_DURING_END_MLS: E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
        S.ONGOING_PHOENIX_MODE: E.STARTED_PHOENIX_MODE,
    },
}

TRANSITIONS: Final = MappingProxyType(
    {(start, end): edge for start, row in _TABLE.items() for end, edge in row.items()}
)
"""Every legal (from, to), with its edge. (4, 4) is listed at the source and never reached: a state that stays is none."""

FORCED: Final = frozenset(
    {
        (State.ONGOING_ERA_ADVANCEMENT, State.CANNOT_HEAL_DURING_END_MLS),
        (State.ERA_ADVANCEMENT_REQUESTED, State.CANNOT_HEAL_DURING_END_MLS),
    }
)
"""Outside the table, as deployed: the server ended encryption while an era advance was wedged. They have no edge."""

SEEDS: Final = frozenset({State.UNKNOWN, State.INITIALIZING, State.HEALTHY})
"""Where a conversation may begin without an edge."""


class Moment(NamedTuple):
    """A place in the life of a conversation: ordered by era, then epoch, both unsigned (rcc16.md 2.1)."""

    era: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one conversation, as it is kept."""

    state: State
    recovered_at: Moment | None = None
    """Where the last repair ended: what failed before it is not worth another repair."""
    last_healthy: Instant | None = None
    request: str = ""
    """Why a repair was asked for; empty when none is open."""


def seed(state: State, now: Instant | None = None) -> Health:
    """A conversation begins, or begins anew with a group that its health knows nothing of (rcc16.md 5.3). Raises
    ProtocolError for a state that only an edge leads to."""
    if state not in SEEDS:
        raise ProtocolError(f"no health begins as {state.label}", code="protocol.health")
    return Health(state, last_healthy=now)


def move(state: State, to: State) -> Edge | None:
    """The edge from `state` to `to`; None when it is the same state. Raises ProtocolError for a pair not listed."""
    if state is to:
        return None
    edge = TRANSITIONS.get((state, to))
    if edge is None:
        raise ProtocolError(f"health cannot go from {state.label} to {to.label}", code="protocol.health")
    return edge


def arrive(health: Health, to: State, at: Moment, now: Instant, request: str = "") -> tuple[Health, Edge | None]:
    """Takes the edge to `to` and does what arriving there asks. `at`: the era and epoch we have now.

    `request` is stored when a repair is asked for. Raises ProtocolError for a pair not listed.
    """
    edge = move(health.state, to)
    return (_arrived(health, to, at, now, request), edge) if edge is not None else (health, None)


def force(health: Health, to: State, at: Moment, now: Instant) -> Health:
    """One of the two writes outside the table. Raises ProtocolError for any other pair."""
    if (health.state, to) not in FORCED:
        raise ProtocolError(f"health is not forced from {health.state.label} to {to.label}", code="protocol.health")
    return _arrived(health, to, at, now, "")


def _arrived(health: Health, to: State, at: Moment, now: Instant, request: str) -> Health:
    kept = request or health.request
    if to is State.HEALTHY:
        if not health.state.is_healing:
            return replace(health, state=to, last_healthy=now, request=kept)
        return Health(to, recovered_at=at, last_healthy=now)
    return replace(health, state=to, request="" if to in _CLEARS_REQUEST else kept)


_CLEARS_REQUEST: Final = frozenset(map(State, (2, 4, 12, 16)))

"""docs/rcc16-health.md and its diagram, from the table of transitions in letterlock.rcc16.health.

Four panels with the same states in the same places: one with all 127 edges would be a ball of wool. Which panel an
edge is drawn in is the one thing decided here; a state's place, its edges and their names come from the table.
"""

from __future__ import annotations

import math
from pathlib import Path

from letterlock.rcc16.health.states import State
from letterlock.rcc16.health.transitions import FORCED, TRANSITIONS, Edge

HERE = Path(__file__).parent
BELOW = "<!-- transitions: written by docs/generate.py from the table; do not edit below -->\n"

E = Edge
FAMILIES: dict[str, tuple[str, frozenset[Edge]]] = {
    "Repair by commits": (
        "#1f6feb",
        frozenset(
            {
                E.REQUESTED_SELF_HEAL,
                E.STARTED_EPOCH_ADVANCEMENT,
                E.EPOCH_ADVANCEMENT_SUCCESSFUL,
                E.EPOCH_ADVANCEMENT_FAILED,
                E.SELF_HEAL_RESTARTED_TO_EPOCH_ADVANCEMENT,
                E.SELF_HEAL_KILLED,
                E.HEALED_AFTER_REMOTE_COMMIT,
            }
        ),
    ),
    "Beginning, and a new era": (
        "#1a7f37",
        frozenset({E.GROUP_CREATED, E.GROUP_INITIALIZING, E.STARTED_ERA_ADVANCEMENT, E.ERA_ADVANCEMENT_SUCCESSFUL}),
    ),
    "Ending encryption": (
        "#cf222e",
        frozenset(
            {
                E.REQUESTED_DOWNGRADE_TO_END_MLS,
                E.STARTED_DOWNGRADE_TO_END_MLS,
                E.END_MLS_SUCCEEDED,
                E.END_MLS_APPLIED_BY_REMOTE_CLIENT,
                E.END_MLS_CANCELLED_BY_ANOTHER_COMMIT,
                E.END_MLS_ON_SERVER_UNSTABLE_END_MLS_LOCALLY,
                E.END_MLS_FAILED_TO_SEND_OUT_RETRY_EXCEEDED,
            }
        ),
    ),
    "Reviving, and phoenix": (
        "#8250df",
        frozenset(
            {
                E.REVIVING_FROM_END_MLS_WITH_EPOCH_ADVANCEMENT,
                E.REVIVED_FROM_END_MLS,
                E.STARTED_ERA_ADVANCEMENT_FOR_REVIVAL,
                E.REQUESTED_ERA_ADVANCEMENT_FOR_REVIVAL,
                E.REVIVED_IN_NEW_ERA,
                E.REVIVAL_FAILED,
                E.REVIVING_THROUGH_SELF_HEAL_TO_REVIVED_SERVER,
                E.REVIVE_REJECTED_AND_SERVER_ALREADY_REVIVED,
                E.REQUESTED_PHOENIX_MODE,
                E.STARTED_PHOENIX_MODE,
                E.PHOENIX_MODE_SUCCEEDED,
                E.PHOENIX_MODE_FAILED_SO_DOWNGRADING_LOCALLY,
                E.RESTARTING_PHOENIX_MODE,
            }
        ),
    ),
}

_WIDTH, _HEIGHT, _RADIUS_X, _RADIUS_Y, _NODE = 760, 500, 180, 185, 17
_RING = [13, 1, 2, 7, 4, 6, 8, 9, 10, 15, 11, 12, 17, 16, 0, 14]
"""The states in their order on the ring: those that follow on one another next to each other."""


def diagram() -> str:
    """The SVG: two rows of two panels."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {2 * _HEIGHT}" '
        'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
    ]
    for index, (title, (colour, edges)) in enumerate(FAMILIES.items()):
        left, top = index % 2 * _WIDTH, index // 2 * _HEIGHT
        parts.append(f'<g transform="translate({left} {top})">\n')
        parts.append(f'<text x="14" y="22" font-size="15" font-weight="bold" fill="{colour}">{title}</text>\n')
        marker = f"arrow{index}"
        parts.append(
            f'<marker id="{marker}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>\n'
        )
        drawn = [(start, end) for (start, end), edge in TRANSITIONS.items() if edge in edges and start is not end]
        parts += [_arrow(start, end, colour, marker) for start, end in drawn]
        touched = {state for pair in drawn for state in pair}
        parts += [_node(state, state in touched) for state in State]
        parts.append("</g>\n")
    return "".join([*parts, "</svg>\n"])


def _place(state: State) -> tuple[float, float]:
    angle = 2 * math.pi * _RING.index(state) / len(_RING) - math.pi / 2
    return _WIDTH / 2 + _RADIUS_X * math.cos(angle), _HEIGHT / 2 + 8 + _RADIUS_Y * math.sin(angle)


def _arrow(start: State, end: State, colour: str, marker: str) -> str:
    """A bow to the right of the straight line, so that there and back are two lines."""
    (x1, y1), (x2, y2) = _place(start), _place(end)
    length = math.hypot(x2 - x1, y2 - y1)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    bend = 0.12 * length
    cx, cy = (x1 + x2) / 2 - uy * bend, (y1 + y2) / 2 + ux * bend
    gap = _NODE + 2
    x1, y1, x2, y2 = x1 + ux * gap, y1 + uy * gap, x2 - ux * gap, y2 - uy * gap
    return (
        f'<path d="M{x1:.0f} {y1:.0f}Q{cx:.0f} {cy:.0f} {x2:.0f} {y2:.0f}" fill="none" stroke="{colour}" '
        f'stroke-width="1.2" marker-end="url(#{marker})"><title>{start.label} to {end.label}: '
        f"{TRANSITIONS[start, end].label}</title></path>\n"
    )


def _node(state: State, touched: bool) -> str:
    x, y = _place(state)
    fill = (
        "#f6f8fa" if not touched else "#ffebe9" if state.is_downgraded else "#ddf4ff" if state.is_healing else "#dafbe1"
    )
    ink = "#1f2328" if touched else "#8c959f"
    words = state.label.replace("-", " ")
    beside = _NODE + 5
    if abs(x - _WIDTH / 2) < 1:  # the topmost and the lowest
        label_x, label_y, anchor = x, y + (beside + 8 if y > _HEIGHT / 2 else -beside), "middle"
    else:
        left = x < _WIDTH / 2
        label_x, label_y, anchor = x + (-beside if left else beside), y + 4, "end" if left else "start"
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{_NODE}" fill="{fill}" stroke="{ink}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-weight="bold" fill="{ink}">{state.value}</text>'
        f'<text x="{label_x:.0f}" y="{label_y:.0f}" text-anchor="{anchor}" font-size="10" fill="{ink}">{words}</text>\n'
    )


def page() -> str:
    """docs/rcc16-health.md: what is written by hand, then every state and every transition."""
    head = (HERE / "rcc16-health.md").read_text(encoding="utf-8").partition(BELOW)[0]
    parts = [
        head,
        BELOW,
        "\n## States\n\n| | state | ended | downgraded | repairing | parks what comes |\n|---|---|---|---|---|---|\n",
    ]
    for state in State:
        marks = (state.has_end_mls, state.is_downgraded, state.is_healing, state.buffers_inbound)
        parts.append(f"| {state.value} | {state.label} | {' | '.join('x' if mark else '' for mark in marks)} |\n")
    parts.append("\n## Transitions\n\n| from | to |\n|---|---|\n")
    for start in State:
        row = [f"{end.value} {edge.label}" for (at, end), edge in TRANSITIONS.items() if at is start]
        parts.append(f"| {start.value} {start.label} | {', '.join(row)} |\n")
    forced = ", ".join(f"{start.value} to {end.value}" for start, end in sorted(FORCED))
    parts.append(f"\nOutside the table, and asked for by name: {forced}.\n")
    parts.append("\n## Edges\n\n| edge | ordinal | telemetry code | drawn under |\n|---|---|---|---|\n")
    for edge in Edge:
        family = next(title for title, (_, edges) in FAMILIES.items() if edge in edges)
        parts.append(f"| {edge.label} | {edge.ordinal} | {edge.telemetry} | {family} |\n")
    return "".join(parts)

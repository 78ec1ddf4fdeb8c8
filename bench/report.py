"""What every benchmark prints: rows of one form, as one JSON object or as a table for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["Row", "row", "show"]

Row = dict[str, Any]


def row(
    op: str,
    n: int,
    ours: float,
    unit: str,
    *,
    peer: float | None = None,
    peer_name: str | None = None,
    more_is_better: bool = False,
) -> Row:
    """One operation, measured `n` times. A ratio above 1 means that ours is better than its peer: less of a time, or
    with `more_is_better` more of a rate."""
    ratio = None
    if peer is not None:
        ratio = ours / peer if more_is_better else peer / ours
    return {
        "op": op,
        "n": n,
        "ours": round(ours, 1),
        "peer": None if peer is None else round(peer, 1),
        "peer_name": None if peer is None else peer_name,
        "unit": unit,
        "ratio": None if ratio is None else round(ratio, 2),
    }


def show(bench: str, rows: list[Row], *, as_json: bool, failed: Mapping[str, str] | None = None) -> None:
    """Print them. `failed`: what could not be measured, and why."""
    if as_json:
        print(json.dumps({"bench": bench, "rows": rows, **({"failed": dict(failed)} if failed else {})}))
        return
    print(f"{'op':<22}{'n':>7}{'ours':>10}{'peer':>10}  unit{'ratio':>8}")
    for line in rows:
        peer = "-" if line["peer"] is None else f"{line['peer']:.1f}"
        ratio = "-" if line["ratio"] is None else f"{line['ratio']:.2f}"
        print(f"{line['op']:<22}{line['n']:>7}{line['ours']:>10.1f}{peer:>10}  {line['unit']:<4}{ratio:>8}")
    for op, reason in (failed or {}).items():
        print(f"{op:<22} failed: {reason}")

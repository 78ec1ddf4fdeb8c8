"""Makes tests/vectors/group-log.json: `python tests/trust/make_group_vectors.py` with src and tests on the path.

The vectors of docs/spec/group-log.md: every operation, a graph in which much is void, and what it says. The test
makes them again and compares, and reads them with code that shares nothing with letterlock.trust.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from letterlock.trust.group_log_entry import Add, Icon, Leave, Remove, Revoke, Subject
from trust.groups import Group, member, owner

__all__ = ["PATH", "text"]

PATH = Path(__file__).parents[1] / "vectors" / "group-log.json"


def vectors() -> dict[str, Any]:
    group = Group()
    root = group.root
    by_device = group.write("b", Add((member("e"), member("f"))), device=2)
    group.write("a", Remove(owner("d").account), after=[root])
    ghost = group.write("d", Add((member("g"),)), after=[root])
    group.write("g", Subject("Not yours"), after=[ghost])
    group.write("c", Remove(owner("b").account), after=[root])
    revoked = group.write("b", Revoke(owner("b").device(2).identity_key), after=[by_device])
    group.write("b", Add((member("h"),)), after=[by_device], device=2)
    group.write("e", Icon(bytes(range(32)), "https://content.example/icon"))
    again = group.write("c", Add((member("d"),)))
    group.write("f", Leave(), after=[again, revoked])
    group.write("b", Subject("Climbers"), after=[again])
    group.write("c", Subject("Walkers"), after=[again])
    state = group.log.state
    return {
        "group": group.log.group.hex(),
        "lists": [owner(name).list.encoded.hex() for name in "abcdefgh"],
        "entries": [
            {
                "encoded": node.entry.encoded.hex(),
                "id": node.entry.id.hex(),
                "depth": node.depth,
                "counts": node.entry.id in state.counting,
            }
            for node in group.log.nodes
        ],
        "heads": [head.hex() for head in group.log.heads],
        "members": [
            {"number": standing.member.number, "account": standing.member.account.hex(), "entry": standing.entry.hex()}
            for standing in state.members
        ],
        "subject": state.subject,
        "icon": state.icon.pointer if state.icon else "",
    }


def text() -> str:
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())

"""MLS groups: ours beside mls-rs (Rust, through its Python binding), interleaved, in groups whose every node is filled.

`./run bench mls [--json] [--sizes 10,100,1000,10000] [--rounds N] [--no-growth]`. Medians; `n` is the number of members; a
ratio above 1 means that ours is faster. Times are wall clock inside each process, from bytes or to bytes.

The tree is made by the tests' own builder, since thousands of commits would take minutes. In it mls-rs is member n-2, which
joined by Welcome with every private key of its path; ours are members 0 and n-1, with all of theirs.

`create` is an empty commit (a new path), without applying it. `process` is another member's empty commit, applied: between
members 0 and n-2, whose lowest common node is the root, as for half of all pairs; `process_near` is between the neighbours
n-1 and n-2, where every path secret has to be derived. `join` is a Welcome with the tree in it, cold: each join parses and
verifies everything anew. `encrypt` and `decrypt` are application messages of 256 bytes.
Rows NAME_suite2 are ours with P-256, which the binding does not have. `growth_create` and `growth_process` show what the size
costs; `memory` is what a joined group adds to a process.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from crypto.deterministic import seeded_rng
from interop.mls_peers import MlsPeer, PeerMember, mls_rs, mls_rs_missing
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.policy import DEFAULT_POLICY, no_padding
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import Lifetime
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS
from mls.lab import make_client, suite
from mls.populated import Populated, populated
from mls.populated_group import PopulatedGroup
from report import Row, row, show

SIZE = 256
NOW = int(time.time() * 1000)
# mls-rs sends commits as PublicMessage and gives its key packages a year.
POLICY = replace(DEFAULT_POLICY, public_handshakes=True, padding=no_padding, max_lifetime_seconds=2 * 366 * 86_400)
Samples = dict[str, list[float]]
_Value = TypeVar("_Value")


def timed(samples: list[float], what: Callable[[], _Value]) -> _Value:
    start = time.perf_counter()
    value = what()
    samples.append((time.perf_counter() - start) * 1e3)
    return value


def make(members: int, number: int, package: KeyPackage) -> PopulatedGroup:
    """A filled group of which `package` is member n-2; the keys of 0, n-2 and n-1 are kept."""
    now = NOW // 1000
    tree: Populated = populated(
        suite(number),
        members,
        lifetime=Lifetime(now - 3600, now + 80 * 86_400),
        given={members - 2: package.leaf_node},
        keep=[0],
    )
    return PopulatedGroup(tree, POLICY)


def follow(group: Group, message: bytes) -> None:
    """As mls-rs does in one call: check a commit and move on."""
    group.merge(group.process(message, now=NOW), now=NOW)  # type: ignore[arg-type]


class Ours:
    """One of our own clients, that joins again and again."""

    def __init__(self, members: int, number: int) -> None:
        self.client = make_client("joiner", number=number, policy=POLICY)
        self.bundle = make_key_package(self.client, NOW, seeded_rng("joiner"), lifetime_seconds=80 * 86_400)
        self.world = make(members, number, self.bundle.key_package)
        self.welcome = self.world.welcome(self.bundle.key_package)

    def join(self) -> Group:
        return Group.join(self.client, self.bundle, self.welcome, now=NOW)


def beside_mls_rs(peer: MlsPeer, members: int, rounds: int) -> list[Row]:
    theirs = PeerMember(peer)
    package = decode_message(theirs.key_package(), RFC_PROPOSALS, 1 << 20)
    assert isinstance(package, KeyPackage)
    world = make(members, 1, package)
    welcome = world.welcome(package)
    far, near = world.group(0), world.group(members - 1)
    rng = seeded_rng("bench")
    ours: Samples = defaultdict(list)
    peers: Samples = defaultdict(list)
    joiner = Ours(members, 1)

    joins = max(3, min(rounds, 20_000 // members))
    for _ in range(joins):
        gc.collect()
        timed(ours["join"], joiner.join)
        peers["join"] += peer.call("bench_join", client=theirs.name, group=theirs.group, welcome=welcome, n=1)["ms"]

    commits = 4
    for _ in range(rounds):
        made = peer.call("bench_commit", group=theirs.group, n=commits)
        peers["create"] += made["ms"]
        for commit in made["commits"]:
            timed(ours["process"], lambda commit=commit: follow(far, commit))
            timed(ours["process_near"], lambda commit=commit: follow(near, commit))
        for op, creator, other in (("process", far, near), ("process_near", near, far)):
            messages = []
            for _ in range(commits):
                pending = timed(ours["create"], lambda creator=creator: creator.commit(rng=rng, now=NOW))
                creator.merge(pending, now=NOW)
                follow(other, pending.message)
                messages.append(pending.message)
            peers[op] += peer.call("bench_process", group=theirs.group, messages=messages)["ms"]
        for group in (far, near):
            group.take_changes()
    assert far.export("probe", b"", 32) == theirs.export("probe", b"", 32)

    for _ in range(rounds):
        sealed = peer.call("bench_encrypt", group=theirs.group, n=50, size=SIZE)
        peers["encrypt"] += sealed["ms"]
        for message in sealed["messages"]:
            timed(ours["decrypt"], lambda message=message: far.process(message, now=NOW))
        messages = [timed(ours["encrypt"], lambda: far.encrypt(b"\7" * SIZE, rng=rng)) for _ in range(50)]
        peers["decrypt"] += peer.call("bench_decrypt", group=theirs.group, messages=messages)["ms"]
    peer.call("forget", groups=[theirs.group], clients=[theirs.name])
    return [
        row(op, members, micro(ours[op]), "us", peer=micro(peers[op]), peer_name=peer.name)
        for op in ("create", "process", "process_near", "join", "encrypt", "decrypt")
    ]


def alone(members: int, number: int, rounds: int) -> list[Row]:
    """Ours with another cipher suite: the members 0 and n-1 commit in turn and follow each other."""
    joiner = Ours(members, number)
    samples: Samples = defaultdict(list)
    for _ in range(max(3, min(rounds, 20_000 // members))):
        gc.collect()
        timed(samples["join"], joiner.join)
    exchange([joiner.world.group(0), joiner.world.group(members - 1)], rounds * 4, samples)
    return [
        row(f"{op}_suite{number}", members, micro(samples[op]), "us")
        for op in ("create", "process", "join", "encrypt", "decrypt")
    ]


def exchange(groups: list[Group], times: int, samples: Samples) -> None:
    rng = seeded_rng("bench")
    for _ in range(times):
        for creator, other in (groups, groups[::-1]):
            pending = timed(samples["create"], lambda creator=creator: creator.commit(rng=rng, now=NOW))
            creator.merge(pending, now=NOW)
            timed(samples["process"], lambda other=other, pending=pending: follow(other, pending.message))
            for _ in range(10):
                message = timed(samples["encrypt"], lambda creator=creator: creator.encrypt(b"\7" * SIZE, rng=rng))
                timed(samples["decrypt"], lambda other=other, message=message: other.process(message, now=NOW))
            for group in groups:
                group.take_changes()


def growth(sizes: tuple[int, ...], times: int) -> list[Row]:
    """What a commit costs as the group grows: it must follow log n."""
    rows: list[Row] = []
    for members in sizes:
        world = Ours(members, 1).world
        groups = [world.group(0), world.group(members - 1)]
        samples: Samples = defaultdict(list)
        exchange(groups, times, samples)
        rows += [row(f"growth_{op}", members, micro(samples[op]), "us") for op in ("create", "process")]
        del world, groups
        gc.collect()
    return rows


def memory(members: int) -> Row:
    """Resident memory that a joined group adds to a process that has just this group."""
    joiner = Ours(members, 1)
    given = {"now": NOW, "bundle": joiner.bundle.to_row().hex(), "welcome": joiner.welcome.hex()}
    done = subprocess.run(
        [sys.executable, __file__, "--joined"], input=json.dumps(given), check=True, capture_output=True, text=True
    )
    return row("memory", members, float(done.stdout), "MB")


def joined() -> None:
    """The child of `memory`: join what stdin says, print by how many megabytes we grew."""
    given = json.load(sys.stdin)
    client = make_client("joiner", policy=POLICY)
    bundle = KeyPackageBundle.from_row(bytes.fromhex(given.pop("bundle")), client.suite)
    welcome = bytes.fromhex(given.pop("welcome"))
    gc.collect()
    before = resident()
    group = Group.join(client, bundle, welcome, now=given["now"])
    group.take_changes()  # as a client does: the rows go to the store
    gc.collect()
    print(round(resident() - before, 1))


def resident() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def micro(samples: list[float]) -> float:
    return statistics.median(samples) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description="MLS groups, ours beside mls-rs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--joined", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-growth", action="store_true", help="leave out growth and memory")
    options = parser.parse_args()
    if options.joined:
        joined()
        return
    sizes = [int(size) for size in options.sizes.split(",")]
    rows: list[Any] = []
    if missing := mls_rs_missing():
        print(f"mls-rs is not here: {missing}", file=sys.stderr)
    else:
        with mls_rs() as peer:
            for members in sizes:
                rows += beside_mls_rs(peer, members, options.rounds)
    for members in sizes:
        rows += alone(members, 2, options.rounds)
    if not options.no_growth:
        rows += growth((1_000, 10_000, 100_000), 10)
        rows.append(memory(10_000))
    show("mls", rows, as_json=options.json)


if __name__ == "__main__":
    main()

"""The vectors of docs/spec/group-log.md: what this code makes, and what a reader of the specification alone makes of them.

The reader below takes nothing from letterlock.trust but the test that the file is current.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

from letterlock.crypto.pyca import Pyca
from trust.make_group_vectors import PATH, text

VECTORS = json.loads(PATH.read_text())
CRYPTO = Pyca()


def test_the_file_is_what_the_code_makes() -> None:
    assert PATH.read_text() == text()


def label(purpose: str) -> bytes:
    return b"\xff\x80letterlock/" + purpose.encode() + b"/v1\x00"


def length(data: bytes, at: int) -> tuple[int, int]:
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def opaque(data: bytes, at: int) -> tuple[bytes, int]:
    n, at = length(data, at)
    return data[at : at + n], at + n


def members(data: bytes) -> list[tuple[str, bytes]]:
    found, at = [], 0
    while at < len(data):
        number, at = opaque(data, at)
        found.append((number.decode(), data[at : at + 16]))
        at += 16
    return found


def parse(data: bytes) -> dict[str, Any]:
    assert data[0] == 1
    group = data[1:17]
    parents, at = opaque(data, 17)
    number, at = opaque(data, at)
    account, device, key = data[at : at + 16], data[at + 16], data[at + 17 : at + 50]
    at += 50 + 8
    code = data[at]
    body, at = opaque(data, at + 1)
    signed, signature = data[:at], data[at:]
    assert len(signature) == 64
    return {
        "id": hashlib.sha256(label("group-entry-id") + signed).digest(),
        "group": group,
        "parents": [parents[i : i + 32] for i in range(0, len(parents), 32)],
        "number": number.decode(),
        "account": account,
        "device": device,
        "key": key,
        "code": code,
        "body": body,
        "signed": signed,
        "signature": signature,
    }


ENTRIES = [parse(bytes.fromhex(entry["encoded"])) for entry in VECTORS["entries"]]
BY_ID = {entry["id"]: entry for entry in ENTRIES}


def named(entry: dict[str, Any]) -> list[tuple[str, bytes]]:
    if entry["code"] == 1:
        return [(entry["number"], entry["account"]), *members(opaque(entry["body"], 0)[0])]
    return members(entry["body"]) if entry["code"] == 2 else []


def ancestors(entry: dict[str, Any]) -> set[bytes]:
    found: set[bytes] = set()
    ahead = list(entry["parents"])
    while ahead:
        parent = ahead.pop()
        if parent not in found:
            found.add(parent)
            ahead += BY_ID[parent]["parents"]
    return found


def depth(entry: dict[str, Any]) -> int:
    return 1 + max(depth(BY_ID[parent]) for parent in entry["parents"]) if entry["parents"] else 0


def test_names_and_signatures() -> None:
    root = ENTRIES[0]
    assert hashlib.sha256(label("group-id") + root["signed"]).hexdigest()[:32] == VECTORS["group"]
    assert root["group"] == bytes(16) and root["code"] == 1 and not root["parents"]
    lists = [bytes.fromhex(each) for each in VECTORS["lists"]]
    for entry, expected in zip(ENTRIES, VECTORS["entries"], strict=True):
        assert entry["id"].hex() == expected["id"] and depth(entry) == expected["depth"]
        assert entry is root or entry["group"].hex() == VECTORS["group"]
        CRYPTO.xeddsa_verify(entry["key"][1:], label("group-entry") + entry["signed"], entry["signature"])
        assert any(entry["key"] in each and entry["number"].encode() in each for each in lists)
    heads = set(BY_ID) - {parent for entry in ENTRIES for parent in entry["parents"]}
    assert sorted(head.hex() for head in heads) == VECTORS["heads"]


def test_what_they_say() -> None:
    """The rules as the specification numbers them, in any order of the entries."""
    entries = list(ENTRIES)
    for seed in range(3):
        random.Random(seed).shuffle(entries)
        made = sorted(
            ((depth(entry), entry["id"], place), account, number, entry)
            for entry in entries
            for place, (number, account) in enumerate(named(entry))
        )
        before = {entry["id"]: ancestors(entry) for entry in entries}
        counts, ends = _rules(entries, made, before)
        standing = []
        for rank, account, number, entry in made:
            if account not in [each[1] for each in standing] and not ends(rank, account, entry, None):
                standing.append((number, account, entry["id"]))
        found = [{"number": n, "account": a.hex(), "entry": i.hex()} for n, a, i in standing]
        assert found == VECTORS["members"]
        assert [counts(entry) for entry in ENTRIES] == [entry["counts"] for entry in VECTORS["entries"]]
        subjects = [
            (depth(entry), entry["id"], entry) for entry in entries if entry["code"] in (1, 5) and counts(entry)
        ]
        assert max(subjects, key=lambda each: each[:2])[2]["body"].decode() == VECTORS["subject"]


def _rules(
    entries: list[dict[str, Any]], made: list[Any], before: dict[bytes, set[bytes]]
) -> tuple[Callable[[dict[str, Any]], bool], Callable[..., bool]]:
    def revoked(entry: dict[str, Any]) -> bool:
        return any(
            other["code"] == 7
            and (other["account"], other["body"]) == (entry["account"], entry["key"])
            and entry["id"] not in before[other["id"]]
            for other in entries
        )

    def ends(rank: Any, account: bytes, origin: dict[str, Any], at: dict[str, Any] | None) -> bool:
        if origin["parents"] and not counts(origin):
            return True
        for other in entries:
            beyond = at is not None and (other is at or at["id"] in before[other["id"]])
            if beyond or other["id"] in before[origin["id"]] or revoked(other):
                continue
            if other["code"] == 4 and other["account"] == account:
                return True
            if other["code"] == 3 and other["body"] == account and acts(other, rank):
                return True
        return False

    def acts(entry: dict[str, Any], below: Any) -> bool:
        return any(
            account == entry["account"]
            and (below is None or rank < below)
            and origin["id"] in before[entry["id"]]
            and not ends(rank, account, origin, entry)
            for rank, account, _, origin in made
        )

    def counts(entry: dict[str, Any]) -> bool:
        return not revoked(entry) and (not entry["parents"] or acts(entry, None))

    return counts, ends

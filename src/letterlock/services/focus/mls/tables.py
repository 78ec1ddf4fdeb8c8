"""The tables of the ordering: one row for a group, one for each request that was accepted. Portable SQL (services/database).

`put` is the compare-and-swap: it writes only where the group still stands where the request found it, so that of two
processes, or of a dead one and its successor, one commit for an epoch wins (SR-06).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ....errors import StoreError
from ....ids import Number
from ....rcc16.wire.control import EpochIdentifier, Operation
from ...database import Connection
from .outcome import Accepted
from .quota import Quotas, Use
from .state import ControlRecord, GroupState, RecordKind, Snapshot

__all__ = ["SCHEMA", "MlsGroup", "MlsTables", "Overtaken"]

SCHEMA = """
CREATE TABLE mls_groups (
    conference TEXT PRIMARY KEY REFERENCES conferences ON DELETE CASCADE, group_id BLOB NOT NULL,
    era INTEGER NOT NULL, epoch INTEGER NOT NULL, authenticator BLOB NOT NULL, ended INTEGER NOT NULL,
    members TEXT NOT NULL, quotas TEXT NOT NULL, group_info BLOB NOT NULL, tree BLOB NOT NULL
);
CREATE TABLE mls_records (
    conference TEXT NOT NULL REFERENCES mls_groups ON DELETE CASCADE, serial INTEGER NOT NULL, kind TEXT NOT NULL,
    operation INTEGER NOT NULL, era INTEGER NOT NULL, epoch INTEGER NOT NULL, authenticator BLOB NOT NULL,
    message_id TEXT NOT NULL, sender TEXT NOT NULL, digest BLOB NOT NULL, at INTEGER NOT NULL, added TEXT NOT NULL,
    removed TEXT NOT NULL, ended INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL, proposal BLOB NOT NULL,
    PRIMARY KEY (conference, serial)
);
"""
"""Behind the tables of the focus."""

_SLICE = 500


@dataclass(frozen=True, slots=True)
class MlsGroup:
    """`ended`: it has end_mls. `group_info` None: it is too long for a roster."""

    ended: bool
    group_info: bytes | None


class Overtaken(StoreError):
    """The group is not where the request found it: another was faster. Nothing was written."""

    code = "focus.mls.overtaken"


class MlsTables:
    """Rows in, rows out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, conference: str, accepted: Accepted) -> None:
        """What was accepted, if the group still stands where it was judged. Raises Overtaken."""
        run, state, before, snapshot = self._connection.execute, accepted.state, accepted.before, accepted.snapshot
        row = (
            *(state.at.era, state.at.epoch, state.at.authenticator, int(state.ended)),
            *(_members(state), _quotas(state.quotas)),
        )
        if before is None:
            assert snapshot is not None
            changed = run(
                "INSERT INTO mls_groups (conference, group_id, era, epoch, authenticator, ended, members, quotas, "
                "group_info, tree) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conference) DO NOTHING",
                (conference, state.group_id, *row, snapshot.group_info, snapshot.tree),
            ).rowcount
        else:
            # The newest serial is compared, too: a proposal changes no epoch, and a commit must not skip it.
            place = f"conference = ? AND era = ? AND epoch = ? AND authenticator = ? AND {_NEWEST}"
            where = (conference, before.era, before.epoch, before.authenticator, accepted.record.serial - 1)
            if snapshot is None:
                changed = run(f"UPDATE mls_groups SET ended = ended WHERE {place}", where).rowcount  # noqa: S608
            else:
                changed = run(
                    "UPDATE mls_groups SET era = ?, epoch = ?, authenticator = ?, ended = ?, members = ?, quotas = ?, "  # noqa: S608
                    f"group_info = ?, tree = ? WHERE {place}",
                    (*row, snapshot.group_info, snapshot.tree, *where),
                ).rowcount
        if changed != 1:
            raise Overtaken("another request was accepted meanwhile")
        self._add(conference, accepted.record)
        self._connection.executemany(
            "DELETE FROM mls_records WHERE conference = ? AND serial = ?",
            [(conference, serial) for serial in accepted.forgotten],
        )

    def state(self, conference: str) -> GroupState | None:
        """A group without its tree."""
        run = self._connection.execute
        row = run(
            "SELECT group_id, era, epoch, authenticator, ended, members, quotas FROM mls_groups WHERE conference = ?",
            (conference,),
        ).fetchone()
        if row is None:
            return None
        records = run(
            "SELECT serial, kind, operation, era, epoch, authenticator, message_id, sender, digest, at, added, removed, "
            "ended, size, proposal FROM mls_records WHERE conference = ? ORDER BY serial",
            (conference,),
        )
        members = {Number(number): expires for number, expires in json.loads(row[5]).items()}
        quotas = json.loads(row[6])
        return GroupState(
            bytes(row[0]),
            EpochIdentifier(row[1], row[2], bytes(row[3])),
            bool(row[4]),
            members,
            Quotas(_uses(quotas["external"]), _uses(quotas["eras"]), quotas["hour"], quotas["epochs"]),
            tuple(_record(each) for each in records),
        )

    def group(self, conference: str, max_bytes: int) -> MlsGroup | None:
        """What is known of a group at any time, without its state."""
        row = self._connection.execute(
            "SELECT ended, group_info, LENGTH(group_info) FROM mls_groups WHERE conference = ?", (conference,)
        ).fetchone()
        return None if row is None else MlsGroup(bool(row[0]), bytes(row[1]) if row[2] <= max_bytes else None)

    def snapshot(self, conference: str) -> Snapshot | None:
        """The GroupInfo and the tree."""
        row = self._connection.execute(
            "SELECT group_info, tree FROM mls_groups WHERE conference = ?", (conference,)
        ).fetchone()
        return None if row is None else Snapshot(bytes(row[0]), bytes(row[1]))

    def data(self, conference: str, serials: Iterable[int]) -> dict[int, bytes]:
        """What members got of these records."""
        found: dict[int, bytes] = {}
        wanted = list(serials)
        for start in range(0, len(wanted), _SLICE):
            part = wanted[start : start + _SLICE]
            marks = ",".join("?" * len(part))
            rows = self._connection.execute(
                f"SELECT serial, data FROM mls_records WHERE conference = ? AND serial IN ({marks})",  # noqa: S608
                (conference, *part),
            )
            found.update((serial, bytes(data)) for serial, data in rows)
        return found

    def _add(self, conference: str, record: ControlRecord) -> None:
        assert record.data is not None
        at = record.epoch
        self._connection.execute(
            "INSERT INTO mls_records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(conference, record.serial, record.kind.value, int(record.operation)),
                *(at.era, at.epoch, at.authenticator, record.message_id, record.sender, record.digest, record.at),
                *(" ".join(record.added), " ".join(record.removed), int(record.ended)),
                *(record.size, record.data, record.proposal),
            ),
        )


_NEWEST = "(SELECT MAX(serial) FROM mls_records WHERE mls_records.conference = mls_groups.conference) = ?"


def _members(state: GroupState) -> str:
    return json.dumps(dict(state.members), separators=(",", ":"))


def _quotas(quotas: Quotas) -> str:
    return json.dumps(
        {"external": quotas.external, "eras": quotas.eras, "hour": quotas.hour, "epochs": dict(quotas.epochs)},
        separators=(",", ":"),
    )


def _uses(found: list[tuple[str, int]]) -> tuple[Use, ...]:
    return tuple((Number(who), at) for who, at in found)


def _record(row: Any) -> ControlRecord:
    serial, kind, operation, era, epoch, authenticator, message_id, sender, digest, at, *rest = row
    added, removed, ended, size, proposal = rest
    return ControlRecord(
        serial=serial,
        kind=RecordKind(kind),
        operation=Operation(operation),
        epoch=EpochIdentifier(era, epoch, bytes(authenticator)),
        message_id=message_id,
        sender=Number(sender),
        digest=bytes(digest),
        at=at,
        added=tuple(Number(each) for each in added.split()),
        removed=tuple(Number(each) for each in removed.split()),
        ended=bool(ended),
        size=size,
        data=None,
        proposal=bytes(proposal),
    )

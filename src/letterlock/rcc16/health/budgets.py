"""How often, and how long: every counter and timer of repair as one value, and the ledger that counts (rcc16.md 5.5 to 5.7).

A charge is counted in rolling windows. The ledger is a frozen value, one record per conversation; its stamps are times
of the device's clock. A stamp from the future is one of a clock that was set back: it counts while it is nearer than
the window, so that a small correction gives nothing away, and is forgotten beyond, so that a wrong year blocks nobody
for ever: it is refused for three windows in a row at most.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...codec.tls import Reader, opaque, u8, u64
from ...errors import DecodeError
from ...ids import Instant

__all__ = ["DEFAULTS", "Allowance", "Budgets", "Charge", "Ledger", "decode_ledger", "encode_ledger"]

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


class Charge(enum.IntEnum):
    """What is counted. The numbers are those of the record."""

    SELF_HEAL = 1
    ERA_ADVANCE = 2
    REBUILD = 3
    REESTABLISH = 4
    EXTERNAL_COMMIT = 5
    RESEND = 6
    """Per peer; its short allowance is the gate of rcc16.md 4.6."""
    REPEAT = 7
    """Second and later resends of one letter to a peer: beyond the allowance the conversation is repaired instead."""
    PEER_FAILURE = 8
    """Per peer; cleared by its success. Spent: nothing that changes state is done for that peer."""
    CLAIM = 9
    """Per peer: its key packages are not ours to drain (SR-13)."""
    FETCH = 10
    """GroupInfo reads: the server throttles after about ten."""
    REPORT = 11
    """Negative receipts, per message (section 10.3)."""
    PARK = 12
    """Repairs at an unmoved (era, epoch) that an unreadable letter set off, and that found nothing wrong."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `count` within any `per` milliseconds."""

    count: int
    per: int


@dataclass(frozen=True, slots=True)
class Budgets:
    """Every number of repair. Times in milliseconds."""

    self_heal: tuple[Allowance, ...]
    """Given back only by forward progress, or by age."""
    era_advance: tuple[Allowance, ...]
    rebuild: tuple[Allowance, ...]
    reestablish: tuple[Allowance, ...]
    external_commit: tuple[Allowance, ...]
    resend: tuple[Allowance, ...]
    repeat: tuple[Allowance, ...]
    peer_failure: tuple[Allowance, ...]
    claim: tuple[Allowance, ...]
    fetch: tuple[Allowance, ...]
    report: tuple[Allowance, ...]
    park: tuple[Allowance, ...]
    """Spent: what cannot be read there begins no other repair. Given back by forward progress, and by age: whoever
    orders may have lied when we looked (our choice; rcc16.md 5.5 has no end of it)."""
    runs_before_rebuild: int
    """Repairs in a row that did not converge."""
    look_short_ms: int
    """Between the first `looks_short` looks of a drive ..."""
    looks_short: int
    look_step_ms: int
    """... and this much longer with each one after."""
    looks_most: int
    welcome_race_ms: int
    """A message that came before its Welcome waits this long before anything is done about it."""
    answer_ms: int
    """A commit, or a pull, that nobody answered in this time was lost."""
    slot_attempts: int
    """Refusals in a row after which a wish is given up."""
    resend_queue: int
    """Letters of one conversation that wait to be sent again."""
    receipt_repeat_ms: int
    """Identical reports in this time are one."""
    reports_kept: int
    """Messages whose count of reports is remembered."""
    ciphertext_kept_ms: int
    rotate_after_sends: int
    rotate_after_ms: int
    upgrade_wait_ms: int
    """After a downgrade, before encryption is tried again; doubled with each, at most `upgrade_doublings` times ..."""
    upgrade_doublings: int
    upgrade_stable_ms: int
    """... and forgotten after this long without one."""

    def allowances(self, charge: Charge) -> tuple[Allowance, ...]:
        """All of which have to hold for one charge."""
        found: tuple[Allowance, ...] = getattr(self, charge.name.lower())
        return found


DEFAULTS: Final = Budgets(
    self_heal=(Allowance(5, _DAY),),
    era_advance=(Allowance(2, _HOUR), Allowance(5, _DAY)),
    rebuild=(Allowance(3, 6 * _HOUR),),
    reestablish=(Allowance(1, 10 * _MINUTE),),
    external_commit=(Allowance(50, _DAY),),
    resend=(Allowance(1, 90 * _SECOND), Allowance(2, _HOUR)),
    repeat=(Allowance(2, _HOUR),),
    peer_failure=(Allowance(3, _DAY),),
    claim=(Allowance(4, 10 * _MINUTE),),
    fetch=(Allowance(10, 200 * _SECOND),),
    report=(Allowance(5, _DAY),),
    park=(Allowance(3, _HOUR),),
    runs_before_rebuild=3,
    look_short_ms=30 * _SECOND,
    looks_short=3,
    look_step_ms=5 * _MINUTE,
    looks_most=1_000,
    welcome_race_ms=3 * _SECOND,
    answer_ms=30 * _SECOND,
    slot_attempts=5,
    resend_queue=16,
    receipt_repeat_ms=30 * _SECOND,
    reports_kept=32,
    ciphertext_kept_ms=_DAY,
    rotate_after_sends=256,
    rotate_after_ms=30 * _DAY,
    upgrade_wait_ms=_MINUTE,
    upgrade_doublings=8,
    upgrade_stable_ms=_DAY,
)
"""What the client uses: deployed numbers where one is known, `answer_ms` and the windows of `fetch` and `report` ours.

Of the numbers in rcc16.md 5.4 to 5.6 these have no place here. The ten minutes of a pending operation: a commit that was
sent is kept until its fate is known (2.3), because the order may have taken it, and there would be two histories. The
episode of a rebuild, sixty seconds: its retries are the same bytes of one operation, charged once. The look at one's own
identity every seven days, again after thirty seconds: enrolment knows the day on which a certificate has to be renewed.
The age of past epochs is the revision's, in `rcc16.policy`."""

_RETRIED = frozenset(
    {
        Charge.SELF_HEAL,
        Charge.ERA_ADVANCE,
        Charge.REBUILD,
        Charge.REESTABLISH,
        Charge.EXTERNAL_COMMIT,
        Charge.PEER_FAILURE,
        Charge.PARK,
    }
)
"""What the user's "try again" gives back: not the fetches and claims, which others pay for (rcc16.md 9)."""

_Entry = tuple[Charge, str, tuple[Instant, ...]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was spent: per charge and subject (a number, a message id, or empty) the times, oldest first."""

    entries: tuple[_Entry, ...] = field(default=())

    def spend(self, charge: Charge, budgets: Budgets, now: Instant, subject: str = "") -> Ledger | None:
        """The ledger after one more; None when an allowance is used up."""
        allowances = budgets.allowances(charge)
        longest = max(allowance.per for allowance in allowances)
        stamps = tuple(t for t in self._stamps(charge, subject) if abs(now - t) < longest)
        if not all(_fits(stamps, allowance, now) for allowance in allowances):
            return None
        return self._with(charge, subject, tuple(sorted((*stamps, now))))

    def left(self, charge: Charge, budgets: Budgets, now: Instant, subject: str = "") -> bool:
        """Whether one more would be given."""
        stamps = self._stamps(charge, subject)
        return all(_fits(stamps, allowance, now) for allowance in budgets.allowances(charge))

    def free_at(self, charge: Charge, budgets: Budgets, now: Instant, subject: str = "") -> Instant:
        """When one more would be given: `now`, or later."""
        at, stamps = now, self._stamps(charge, subject)
        for allowance in budgets.allowances(charge):
            counted = [t for t in stamps if abs(now - t) < allowance.per]
            if len(counted) >= allowance.count:
                at = max(at, counted[-allowance.count] + allowance.per)
        return at

    def cleared(self, charge: Charge, subject: str = "") -> Ledger:
        """Given back: a peer's success, or forward progress."""
        return self._with(charge, subject, ())

    def retried(self) -> Ledger:
        """After the user's "try again"."""
        return Ledger(tuple(entry for entry in self.entries if entry[0] not in _RETRIED))

    def pruned(self, budgets: Budgets, now: Instant) -> Ledger:
        """Without what no longer counts: the record stays small (SR-08). Of reports, whose subjects are messages that
        others name as they like, the last `reports_kept`."""
        kept = tuple(_pruned(self.entries, budgets, now))
        reports = [entry for entry in kept if entry[0] is Charge.REPORT]
        dropped = {subject for _, subject, _ in reports[: max(0, len(reports) - budgets.reports_kept)]}
        return Ledger(tuple(entry for entry in kept if entry[0] is not Charge.REPORT or entry[1] not in dropped))

    def _stamps(self, charge: Charge, subject: str) -> tuple[Instant, ...]:
        return next((stamps for c, s, stamps in self.entries if c is charge and s == subject), ())

    def _with(self, charge: Charge, subject: str, stamps: tuple[Instant, ...]) -> Ledger:
        others = tuple(entry for entry in self.entries if entry[:2] != (charge, subject))
        return Ledger((*others, (charge, subject, stamps)) if stamps else others)


def _fits(stamps: Iterable[Instant], allowance: Allowance, now: Instant) -> bool:
    return sum(abs(now - t) < allowance.per for t in stamps) < allowance.count


def _pruned(entries: Iterable[_Entry], budgets: Budgets, now: Instant) -> Iterable[_Entry]:
    for charge, subject, stamps in entries:
        longest = max(allowance.per for allowance in budgets.allowances(charge))
        if kept := tuple(t for t in stamps if abs(now - t) < longest):
            yield charge, subject, kept


def encode_ledger(ledger: Ledger) -> bytes:
    """Charge, subject, stamps; one after the other."""
    return b"".join(
        u8(charge) + opaque(subject.encode()) + opaque(b"".join(map(u64, stamps)))
        for charge, subject, stamps in ledger.entries
    )


def decode_ledger(data: bytes) -> Ledger:
    """Raises DecodeError."""
    reader, entries = Reader(data), []
    while reader.more():
        try:
            charge = Charge(reader.u8())
            subject = reader.vector().decode()
        except ValueError:
            raise DecodeError("not a ledger of charges", code="ledger") from None
        stamps = Reader(reader.vector())
        times = []
        while stamps.more():
            times.append(stamps.u64())
        entries.append((charge, subject, tuple(times)))
    return Ledger(tuple(entries))

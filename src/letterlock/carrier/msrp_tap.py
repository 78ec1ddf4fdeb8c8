"""What a hostile carrier may do to MSRP on its way out of the relay: keep it, change it, repeat it, lie about it, cut.

Off by default; the tests of SR-01 to SR-23 use it. Each request to a client passes here whole, which bounds it by the
relay's chunk size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..codec.msrp import (
    Body,
    ByteRange,
    End,
    Flag,
    Limits,
    Lost,
    MsrpParser,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
)
from ..ids import Rng

__all__ = ["MsrpInterference", "MsrpSeen", "MsrpTap", "Outward", "TappedHop"]


@dataclass(frozen=True, slots=True)
class MsrpSeen:
    """A SEND or REPORT on its way to a client: one chunk, as the relay would send it."""

    request: Request
    body: bytes
    flag: Flag

    def with_body(self, body: bytes) -> MsrpSeen:
        """The same chunk with other bytes, its range made to fit."""
        given = self.request.byte_range or ByteRange(1, None, None)
        changed = ByteRange(given.start, given.start + len(body) - 1, None)
        return MsrpSeen(replace(self.request, byte_range=changed), body, self.flag)


@dataclass(frozen=True, slots=True)
class MsrpInterference:
    """`deliver` goes on in place of the chunk. What is not delivered is either a silence, which the relay reports to
    the sender after a while, or with `acknowledge` a lie: the relay is told that it arrived. `report` forges the
    receiver's success report to the sender. `cut` closes the connection to the receiver, after what is delivered.
    With `late_ms` it is delivered so much later; what comes behind it overtakes it, other chunks of its message, too.
    """

    deliver: tuple[MsrpSeen, ...] = ()
    acknowledge: bool = False
    report: bool = False
    cut: bool = False
    late_ms: int = 0


MsrpTap: TypeAlias = Callable[[MsrpSeen], MsrpInterference | None]
"""Looks at every request that leaves the relay; None lets it pass untouched."""


@dataclass(slots=True)
class Outward:
    """What is made of bytes for a client: what goes out now, what later and by how many milliseconds, what the relay is
    told that the client said, and whether to cut the connection. All of it are whole requests and answers."""

    now: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, bytes]] = field(default_factory=list)
    told: bytearray = field(default_factory=bytearray)
    cut: bool = False


class TappedHop:
    """One connection behind a tap. Both directions go through it whole, so that a forged answer has a place to stand."""

    def __init__(self, tap: MsrpTap, limits: Limits, rng: Rng) -> None:
        self._tap = tap
        self._rng = rng
        self._outward, self._inward = _Whole(limits), _Whole(limits)

    def outward(self, data: bytes) -> Outward:
        done = Outward()
        for item in self._outward.feed(data):
            if isinstance(item, Response):
                done.now += encode_response(item)
                continue
            verdict = self._tap(item)
            if verdict is None:
                done.now += _encoded(item)
                continue
            delivered = b"".join(_encoded(chunk) for chunk in verdict.deliver)
            if verdict.late_ms:
                done.later.append((verdict.late_ms, delivered))
            else:
                done.now += delivered
            request = item.request
            if verdict.acknowledge and request.method == "SEND":
                answer = Response(request.transaction, 200, request.from_path[:1], request.to_path[:1], "OK")
                done.told += encode_response(answer)
            if verdict.report and request.method == "SEND":
                done.told += _encoded(self._forged_report(item))
            done.cut = done.cut or verdict.cut
        return done

    def inward(self, data: bytes) -> bytes:
        """What a client said, whole requests only: a forged one between them is not mistaken for a piece."""
        return b"".join(
            encode_response(item) if isinstance(item, Response) else _encoded(item) for item in self._inward.feed(data)
        )

    def _forged_report(self, seen: MsrpSeen) -> MsrpSeen:
        request = seen.request
        given = request.byte_range or ByteRange(1, None, None)
        end = given.start + len(seen.body) - 1
        report = Request(
            transaction=self._rng(8).hex(),
            method="REPORT",
            to_path=request.from_path,
            from_path=request.to_path,
            message_id=request.message_id,
            byte_range=ByteRange(1, end, given.total or end),
            status=Status(200, "OK"),
        )
        return MsrpSeen(report, b"", Flag.COMPLETE)


class _Whole:
    """Bytes to whole requests and responses."""

    def __init__(self, limits: Limits) -> None:
        self._parser = MsrpParser(limits)
        self._head: Request | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> list[MsrpSeen | Response]:
        items: list[MsrpSeen | Response] = []
        for item in self._parser.feed(data):
            if isinstance(item, Request):
                self._head = item
                self._body.clear()
            elif isinstance(item, Body):
                self._body += item.data
            elif isinstance(item, End) and self._head is not None:
                items.append(MsrpSeen(self._head, bytes(self._body), item.flag))
                self._head = None
            elif isinstance(item, Response):
                items.append(item)
            elif isinstance(item, Lost):
                raise item.error
        return items


def _encoded(seen: MsrpSeen) -> bytes:
    after_body = seen.request.content_type is not None
    return (
        encode_head(seen.request) + seen.body + encode_end(seen.request.transaction, seen.flag, after_body=after_body)
    )

"""What a hostile carrier knows of sessions: whose they are, and which of their messages it has begun to do something to.

Who talks to whom stands in the calls that set sessions up, and every chunk names its two ends; in a conference the sheet
around the content names both people. Nothing of it needs a key. Everything is bounded; the oldest goes first.
"""

from __future__ import annotations

from ..codec.msrp import Flag, MsrpUri
from ..errors import DecodeError
from ..ids import Number
from .hostile_bodies import number_in
from .msrp_tap import MsrpSeen
from .tap import Seen

__all__ = ["Talks", "begins", "ends_with"]

_MOST = 1_024


class Talks:
    """Feed it the calls that pass."""

    def __init__(self) -> None:
        self._whose: dict[str, Number] = {}

    def note(self, seen: Seen) -> None:
        """A call or an answer to one: the last address of its path is the sender's own."""
        body = seen.message.body
        if seen.sender is None or not body.startswith(b"v=0"):
            return
        for line in body.split(b"\r\n"):
            if line.startswith(b"a=path:"):
                own = line.rpartition(b" ")[2].removeprefix(b"a=path:").decode("ascii", "replace")
                self._whose.pop(_name(own), None)
                self._whose[_name(own)] = seen.sender
        while len(self._whose) > _MOST:
            del self._whose[next(iter(self._whose))]

    def ends(self, seen: MsrpSeen) -> tuple[Number | None, Number | None]:
        """Sender and recipient of a message by its first chunk; None where neither call nor content says so."""
        request = seen.request
        sender = self._whose.get(request.from_path[-1].encode()) if request.from_path else None
        recipient = self._whose.get(request.to_path[-1].encode()) if request.to_path else None
        return sender or number_in(seen.body, b"from"), recipient or number_in(seen.body, b"to")


def begins(seen: MsrpSeen) -> bool:
    """Whether this is the first chunk of a message."""
    return seen.request.byte_range is None or seen.request.byte_range.start == 1


def ends_with(seen: MsrpSeen) -> bool:
    """Whether this is the last one."""
    return seen.flag is not Flag.CONTINUED


def _name(address: str) -> str:
    try:
        return MsrpUri.parse(address).encode()
    except DecodeError:
        return address

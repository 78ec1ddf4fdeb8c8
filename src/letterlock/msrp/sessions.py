"""Sessions and the one connection that each is bound to (RFC 4975 section 5.4).

A request is matched by the session id of its To-Path alone, as deployed networks need it (RFC 6714: what
stands between two endpoints may rewrite the addresses around it). That id is the secret that the session
description carried, with 80 bits of randomness or more (section 14.1), so nothing is lost by it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ..codec.msrp import MsrpUri, Path
from ..errors import InputError
from ..ids import Rng

__all__ = ["Session", "SessionTable", "accepts", "new_session_id"]


@dataclass(frozen=True, slots=True)
class Session:
    """One end of a session, as the session descriptions have made it.

    `to_path` is the way to the peer: the Use-Path of our relay, if we have one, then the peer's `path`.
    """

    local: MsrpUri
    to_path: Path
    accept_types: tuple[str, ...]  # ours; `*` and `text/*` are patterns
    max_size: int  # the largest message that we take
    chunk: int  # the largest body of one chunk that we send; above 2048 it can be interrupted

    def __post_init__(self) -> None:
        if not self.local.session or not self.to_path or self.chunk < 1:
            raise InputError("a session needs an id, a path and chunks", code="msrp.session")

    @property
    def id(self) -> str:
        assert self.local.session is not None
        return self.local.session


class SessionTable:
    """The sessions of one endpoint, shared by all its connections."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._bound: dict[str, object] = {}

    def add(self, session: Session) -> None:
        """Expect requests for it, or use it. Raises InputError when the id is in use."""
        if session.id in self._sessions:
            raise InputError("a session with this id exists", code="msrp.session")
        self._sessions[session.id] = session

    def replace(self, session: Session) -> None:
        """A new session description changed it (section 8.4); it stays on its connection."""
        if session.id not in self._sessions:
            raise InputError("no such session", code="msrp.session")
        self._sessions[session.id] = session

    def remove(self, session_id: str) -> None:
        """Forget it. Nothing happens when it is not there."""
        self._sessions.pop(session_id, None)
        self._bound.pop(session_id, None)

    def session(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def bind(self, session_id: str, connection: object) -> int:
        """Tie it to a connection: 200; 481 when there is no such session, 506 when it is tied to another one."""
        if session_id not in self._sessions:
            return 481
        return 200 if self._bound.setdefault(session_id, connection) is connection else 506

    def unbind(self, session_id: str, connection: object) -> None:
        """It is no longer on that connection; another one may bind it."""
        if self._bound.get(session_id) is connection:
            del self._bound[session_id]


def accepts(patterns: tuple[str, ...], content_type: str) -> bool:
    """Whether a list of accepted types (section 8.6) has this one; parameters do not count."""
    kind = content_type.partition(";")[0].strip().lower()
    family = kind.partition("/")[0] + "/*"
    return any(pattern.partition(";")[0].strip().lower() in ("*", kind, family) for pattern in patterns)


def new_session_id(rng: Rng) -> str:
    """20 characters with 100 bits in them (section 14.1 asks for 80)."""
    return base64.b32encode(rng(15)).decode().lower()[:20]

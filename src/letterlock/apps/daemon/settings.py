"""The bounds of the daemon's edge, in one value: what one caller may take of memory, places and time (SR-08)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DaemonSettings"]


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """Times in seconds. `frames`: the origins of loopback that may show the page in a frame; the demo's."""

    frames: tuple[str, ...] = ()
    login_s: float = 120.0
    """How long a login address holds."""
    session_s: float = 12 * 3600.0
    """How long a browser that says nothing stays logged in."""
    sessions: int = 32
    logins: int = 16
    rpc_bytes: int = 1 << 20
    body_s: float = 10.0
    """For the whole body of a call."""
    upload_quiet_s: float = 20.0
    """Between two pieces of a file that is uploaded."""
    upload_rate: float = 16_384.0
    """Bytes a second that a file which is uploaded has to come with altogether."""
    upload_bytes: int = 2 << 30
    """What content servers take; a smaller bound of the chat is said when it is known."""
    uploads: int = 8
    """Bodies of files that come at the same time."""
    in_memory_bytes: int = 16 << 20
    """Up to here an uploaded file waits for its seal in memory alone."""
    connections: int = 128
    """Of who has shown a session; for each place where the daemon listens."""
    guests: int = 32
    """Connections of who has shown a cookie alone, beside those."""
    strangers: int = 128
    """Connections of who has shown nothing, beside those."""
    stranger_s: float = 10.0
    """How long a connection may be a stranger's."""
    in_flight: int = 128
    """Requests at the same time, streams of events and files included."""
    streams: int = 32
    stream_stalled_s: float = 20.0
    """How long a consumer of events may take none of them, before it is hung up on and has to resume."""
    heartbeat_s: float = 15.0
    media_stalled_s: float = 120.0
    """How long a player may take nothing of an answer; it asks again from where it was."""
    opened: int = 256
    """Files that one session has open; the one opened first goes."""

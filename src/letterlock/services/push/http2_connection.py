"""One connection of HTTP/2 as a client: many requests at once within what the server allows, and a clear word for each.

A request ends as an `Answer`, as `NotSent` (not written whole, refused, above the last stream of a GOAWAY) or as `Lost`.
After a GOAWAY it takes no more, and ends when what is under way has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from ...errors import DecodeError
from .exchange import Answer, Lost, NotSent
from .http2_frames import Goaway, split

__all__ = ["Http2Connection", "Http2Settings"]

_PING = b"letrlock"


@dataclass(frozen=True, slots=True)
class Http2Settings:
    """Every time and size of such a client. `moves`: how often one request may go to another stream or connection."""

    connect_s: float = 10.0
    settings_s: float = 5.0
    """For the server's first word, which says how many streams it takes."""
    request_s: float = 20.0
    ping_s: float = 60.0
    """After so long a silence we ask whether anybody is there."""
    pong_s: float = 10.0
    max_streams: int = 256
    max_answer: int = 65_536
    max_unsent: int = 1 << 20
    moves: int = 6
    pause_s: float = 0.05
    """Before the first move; twice as long each time."""
    longest_pause_s: float = 5.0


@dataclass(slots=True, eq=False)
class _Stream:
    answer: asyncio.Future[Answer]
    begun: float
    unsent: bytes
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Http2Connection(asyncio.Protocol):
    """`on_end` is called once, when the connection is gone."""

    def __init__(self, settings: Http2Settings, on_end: Callable[[Http2Connection], None]) -> None:
        self._settings, self._on_end = settings, on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, _Stream] = {}
        self._slots: deque[asyncio.Future[None]] = deque()
        self._rest = b""
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.MAX_CONCURRENT_STREAMS: 0,
                SettingCodes.MAX_HEADER_LIST_SIZE: settings.max_answer,
            },
        )
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the server has said its settings; NotSent when it never does."""
        self.accepting = True
        self.answered = 0
        """How many answers came. A connection without any was good for nothing."""

    async def request(self, headers: Sequence[tuple[str, str]], body: bytes, until: float) -> Answer:
        """`until` is a time of the loop. Raises NotSent, Lost."""
        await self._slot(until)
        try:
            number = self._h2.get_next_available_stream_id()
            self._h2.send_headers(number, headers, end_stream=not body)
        except H2Error as error:  # no stream ids are left, or the connection has ended
            self._stop_accepting()
            raise NotSent("the connection takes no more") from error
        stream = _Stream(self._loop.create_future(), self._loop.time(), body)
        self._streams[number] = stream
        self._pump(number, stream)
        self._flush()
        try:
            async with asyncio.timeout_at(until):
                return await stream.answer
        except TimeoutError:
            if self._heard <= stream.begun:
                self._abort()  # not a word since: nobody is there, and the next request need not wait to learn it
            raise (NotSent if stream.unsent else Lost)("no answer in time") from None
        finally:
            self._drop(number)

    def close(self) -> None:
        """End it; what is under way is lost."""
        self._stop_accepting()
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol ------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._h2.initiate_connection()
        self._flush()
        self._timer = self._loop.call_later(self._settings.settings_s, self._on_settings_timer)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            items, self._rest = split(self._rest + data)
            for item in items:
                if isinstance(item, Goaway):
                    self._on_goaway(item)
                else:
                    for event in self._h2.receive_data(item):
                        self._on_event(event)
        except (DecodeError, H2Error):
            self._abort()  # framing or compression is lost: nothing after it can be believed
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_accepting()
        if self._timer is not None:
            self._timer.cancel()
        if not self.ready.done():
            self.ready.set_exception(NotSent("the connection ended at once"))
            self.ready.exception()  # nobody may be waiting any more
        for number in list(self._streams):
            self._fail(number, lost=True)
        self._on_end(self)

    # --- what the server says --------------------------------------------------------------------------
    def _on_event(self, event: events.Event) -> None:
        if isinstance(event, events.RemoteSettingsChanged):
            if not self.ready.done():
                self.ready.set_result(None)
                self._arm()
            self._pump_all()
            self._offer_slots()
        elif isinstance(event, events.WindowUpdated):
            self._pump_all()
        elif isinstance(event, events.ResponseReceived):
            self._on_head(event)
        elif isinstance(event, events.DataReceived):
            self._on_data(event)
        elif isinstance(event, events.StreamEnded):
            self._finish(event.stream_id)
        elif isinstance(event, events.StreamReset):
            stream = self._streams.get(event.stream_id)
            if stream is not None and stream.status:
                self._finish(event.stream_id)  # it answered before it had read all
            else:
                self._fail(event.stream_id, lost=event.error_code != ErrorCodes.REFUSED_STREAM)

    def _on_head(self, event: events.ResponseReceived) -> None:
        stream = self._streams.get(event.stream_id or 0)
        if stream is None:
            return
        for name, value in event.headers or ():
            stream.headers[_text(name)] = _text(value)
        status = stream.headers.pop(":status", "")
        stream.status = int(status) if status.isascii() and status.isdecimal() and len(status) == 3 else 599

    def _on_data(self, event: events.DataReceived) -> None:
        number = event.stream_id or 0
        if event.flow_controlled_length:
            self._h2.acknowledge_received_data(event.flow_controlled_length, number)
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.body += (event.data or b"")[: self._settings.max_answer - len(stream.body)]
        if len(stream.body) >= self._settings.max_answer:
            self._finish(number)  # SR-08: no answer of theirs is as long

    def _on_goaway(self, goaway: Goaway) -> None:
        """What the server will not do goes elsewhere; what it may have done is awaited (RFC 9113 section 6.8)."""
        self._stop_accepting()
        for number in [number for number in self._streams if number > goaway.last_stream]:
            self._fail(number, lost=False)
        self._end_when_done()

    # --- streams ---------------------------------------------------------------------------------------
    async def _slot(self, until: float) -> None:
        """Wait until another stream may be opened. Raises NotSent."""
        try:
            async with asyncio.timeout_at(until):
                await asyncio.shield(self.ready)
                while self.accepting and not self._room():
                    slot = self._loop.create_future()
                    self._slots.append(slot)
                    try:
                        await slot
                    except asyncio.CancelledError:
                        self._slots = deque(each for each in self._slots if each is not slot)
                        self._offer_slots()  # it may have been given to us
                        raise
        except TimeoutError:
            raise NotSent("the server takes no more streams") from None
        if not self.accepting:
            raise NotSent("the server takes no more streams")

    def _room(self) -> bool:
        allowed = min(self._h2.remote_settings.max_concurrent_streams, self._settings.max_streams)
        return self._h2.open_outbound_streams < allowed

    def _offer_slots(self) -> None:
        """Wake as many as there is room for. Each looks again by itself, and lines up behind when it was too late."""
        allowed = min(self._h2.remote_settings.max_concurrent_streams, self._settings.max_streams)
        count = allowed - self._h2.open_outbound_streams if self.accepting else len(self._slots)
        while self._slots and count > 0:
            slot = self._slots.popleft()
            if not slot.done():
                slot.set_result(None)
                count -= 1

    def _pump_all(self) -> None:
        for number, stream in list(self._streams.items()):
            if stream.unsent and not stream.answer.done():  # h2 refuses to write to what has ended
                self._pump(number, stream)

    def _pump(self, number: int, stream: _Stream) -> None:
        """Write as much of the body as the server's windows take."""
        while stream.unsent:
            size = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if size <= 0:
                return
            piece, stream.unsent = stream.unsent[:size], stream.unsent[size:]
            self._h2.send_data(number, piece, end_stream=not stream.unsent)

    def _finish(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and not stream.answer.done():
            self.answered += 1
            stream.answer.set_result(Answer(stream.status, stream.headers, bytes(stream.body)))

    def _fail(self, number: int, *, lost: bool) -> None:
        """Without its end a request is none: the server cannot have acted on it."""
        stream = self._streams.get(number)
        if stream is not None and not stream.answer.done():
            stream.answer.set_exception((Lost if lost and not stream.unsent else NotSent)("the stream was ended"))

    def _drop(self, number: int) -> None:
        """Nobody waits for this stream any more."""
        self._streams.pop(number, None)
        with contextlib.suppress(H2Error):  # it has ended, as most have
            self._h2.reset_stream(number, ErrorCodes.CANCEL)
        self._flush()
        self._offer_slots()
        self._end_when_done()

    # --- the connection --------------------------------------------------------------------------------
    def _stop_accepting(self) -> None:
        self.accepting = False
        self._offer_slots()

    def _end_when_done(self) -> None:
        if not self.accepting and not self._streams and self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        data = self._h2.data_to_send()
        if data:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > self._settings.max_unsent:
                self._abort()  # a server that does not read

    def _abort(self) -> None:
        self._stop_accepting()
        if self._transport is not None:
            self._transport.abort()

    def _on_settings_timer(self) -> None:
        if not self.ready.done():
            self._abort()

    # --- is anybody there -------------------------------------------------------------------------------
    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heard + self._settings.ping_s, self._on_silence)

    def _on_silence(self) -> None:
        if self._loop.time() < self._heard + self._settings.ping_s:
            self._arm()
            return
        try:
            self._h2.ping(_PING)
        except H2Error:
            self._abort()
            return
        self._flush()
        self._timer = self._loop.call_later(self._settings.pong_s, self._on_pong_timer, self._heard)

    def _on_pong_timer(self, heard: float) -> None:
        if self._heard == heard:
            self._abort()
        else:
            self._arm()


def _text(octets: bytes | str) -> str:
    """h2 would fail on what is not UTF-8, and with it the connection."""
    return octets if isinstance(octets, str) else octets.decode("latin-1")

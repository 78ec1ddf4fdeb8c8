"""What the focus of a conference claims of its members: a subscription that is kept up (RFC 4575, RFC 6665).

It is reported when it has not changed for a moment: a change of the signed log and the carrier's word of it travel on
different ways, and a difference that is gone in a second is none. Nothing here is proof (SR-04).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ...codec.conference_info import MEDIA_TYPE, ConferenceInfo, State, decode_conference_info
from ...codec.sip import NameAddr, Uri
from ...codec.transfer import inflate
from ...codec.xml import XmlLimits
from ...errors import DecodeError, ProtocolError, TransportError
from ...ids import Number, Rng
from ...sip.conference_state import is_participant, updated
from ...sip.effects import Body
from ...sip.subscribing import Notified, Subscriber, Subscription, SubscriptionEnded
from .config import USER_AGENT, RcsConfig
from .dialogs import DialogEvent, Dialogs, FlowLost
from .flow import Flow

__all__ = ["Roster", "participants"]

_log = logging.getLogger(__name__)

_LIMITS = XmlLimits(max_size=1 << 20, max_depth=12, max_elements=40_000)
_EXPIRES_S = 3600


class Roster:
    """`begin` it for each connection; `stop` it. `contact` makes our Contact of our address. `on_view` gets every settled view, `on_gone` why there will be none."""

    def __init__(
        self,
        focus: str,
        contact: Callable[[Uri], str],
        config: RcsConfig,
        dialogs: Dialogs,
        flow: Callable[[], Awaitable[Flow]],
        on_view: Callable[[ConferenceInfo], None],
        on_gone: Callable[[str], None],
        rng: Rng,
    ) -> None:
        self._focus = focus
        self._contact = contact
        self._config = config
        self._limits = config.conferences
        self._dialogs = dialogs
        self._flow = flow
        self._on_view = on_view
        self._on_gone = on_gone
        self._rng = rng
        self._view: ConferenceInfo | None = None
        self._subscriber: Subscriber | None = None
        self._changed = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._failures = 0
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Subscribe, unless that is so already."""
        if self._stopped or self._subscriber is not None or (self._task is not None and not self._task.done()):
            return
        self._task = asyncio.get_running_loop().create_task(self._subscribe())

    def stop(self) -> None:
        """Be told no more."""
        self._stopped = True
        for timer in (self._settling, self._again):
            if timer is not None:
                timer.cancel()
        if self._task is not None:
            self._task.cancel()
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            self._dialogs.do(subscriber, subscriber.stop)

    async def whole(self, seconds: float) -> ConferenceInfo:
        """What the focus says now. Raises TransportError when it does not say anything in time."""
        self.begin()
        try:
            async with asyncio.timeout(seconds):
                while self._view is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TransportError("the focus tells no roster", code="transport.timeout") from None
        return self._view

    # --- inside ----------------------------------------------------------------------------------------------
    async def _subscribe(self) -> None:
        with contextlib.suppress(TransportError):  # without a connection: `begin` comes with the next
            flow = await self._flow()
            identity = NameAddr(self._config.identity)
            subscriber = Subscriber(
                Subscription(
                    self._focus,
                    NameAddr(Uri.parse(self._focus)),
                    identity,
                    self._contact(flow.contact),
                    flow.service_route,
                    "conference",
                    MEDIA_TYPE,
                    (
                        ("P-Preferred-Identity", identity.encode()),
                        ("Accept-Encoding", "deflate, gzip"),
                        ("User-Agent", USER_AGENT),
                    ),
                    _EXPIRES_S,
                    int(self._config.answer_timeout_s * 1000),
                ),
                self._rng,
            )
            self._view = None
            self._dialogs.subscribe(subscriber, lambda event: self._told(subscriber, event))
            self._subscriber = subscriber

    def _told(self, subscriber: Subscriber, event: DialogEvent) -> None:
        if self._stopped:
            return
        if isinstance(event, Notified):
            if event.body is not None:
                self._on_document(subscriber, event.body)
        elif isinstance(event, FlowLost):
            self._subscriber = None
        elif isinstance(event, SubscriptionEnded):
            self._subscriber = None
            if event.again and event.status not in (403, 404):
                self._later(event.retry_after_ms)
            else:
                self._on_gone(event.reason)

    def _on_document(self, subscriber: Subscriber, body: Body) -> None:
        try:
            data = inflate(body.data, body.encoding or "identity", _LIMITS.max_size)
            info = decode_conference_info(data, _LIMITS, max_users=self._limits.max_members)
            view = updated(self._view, info, max_users=self._limits.max_members)
        except ProtocolError as error:
            if error.code == "conference.gap":
                self._dialogs.do(subscriber, subscriber.refresh)  # section 4.6: the whole state, please
            return
        except DecodeError as error:
            _log.info("a roster that cannot be read: %s", error.code)
            return
        self._failures = 0
        if view is self._view or view.state is State.DELETED:
            return  # old news; or its end, which the subscription's follows
        self._view = view
        self._changed.set()
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(self._limits.settle_s, self._on_view, view)

    def _later(self, wait_ms: int | None) -> None:
        low, high = self._limits.retry_s
        wait = min(high, low * 2.0 ** min(self._failures, 16)) if wait_ms is None else wait_ms / 1000
        self._failures += 1
        self._again = asyncio.get_running_loop().call_later(wait, self.begin)


def participants(view: ConferenceInfo) -> tuple[Number, ...]:
    """The numbers that the focus counts in, in its order."""
    found: dict[Number, None] = {}
    for user in view.users or ():
        if is_participant(user):
            with contextlib.suppress(DecodeError):
                number = Uri.parse(user.entity).number
                if number is not None:
                    found[number] = None
    return tuple(found)

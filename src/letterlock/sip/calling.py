"""One INVITE of ours, from the first to the last answer to it (RFC 3261 section 13.2, RFC 4028 section 7).

It may ring, be challenged, ask for longer intervals (422), fork to several devices and be taken back. The first 2xx
makes the dialog; a second one, of another device, is acknowledged and ended, for nobody wants two (section 13.2.2.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codec.sip import CSeq, Headers, NameAddr, Request, Response
from ..errors import DecodeError, ProtocolError
from ..ids import Instant, Rng
from .dialog import Dialog
from .effects import Acknowledge, Body, Cancel, Effect, Send, body_headers, body_of
from .message import call_id, new_tag
from .session_timer import SessionTimer, TimerPolicy, ask, minimum_of

__all__ = ["INVITE_REF", "Answer", "Calling", "Connected", "Failed", "Invitation", "Rang"]

INVITE_REF = 0
_MAX_FORKS = 16
_MAX_INTERVAL_TRIES = 3


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom to call, as whom, and with which offer. `contact` is a whole Contact header, feature tags and all; `headers`
    are those of the service; `routes` the way out (Service-Route).
    """

    uri: str
    to: NameAddr
    identity: NameAddr
    contact: str
    routes: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    body: Body = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rang:
    """A device has it and has not decided."""

    status: int


@dataclass(frozen=True, slots=True)
class Connected:
    """Somebody took it. `answer` is what the 2xx held, `allow` the methods that the peer understands."""

    dialog: Dialog
    invite: Request
    response: Response
    answer: Body | None
    timer: SessionTimer | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody took it: `status` is the answer, 408 when there was none, 487 when we took it back."""

    status: int
    reason: str
    response: Response | None = None


Answer = Rang | Connected | Failed


class Calling:
    """See the module. Effects with the ref INVITE_REF are this INVITE's; extra dialogs are ended with refs from `next_ref`."""

    def __init__(self, invitation: Invitation, timer: TimerPolicy, allow: str, rng: Rng) -> None:
        self._invitation = invitation
        self._timer = timer
        self._allow = allow
        self._least_s = 0
        self._tries = 0
        self._sequence = 1
        self._call_id = call_id(rng)
        self._from = invitation.identity.with_param("tag", new_tag(rng))
        self._dialog: Dialog | None = None
        self._extra: dict[str, Request] = {}  # tags of those we do not want, and their ACK
        self._ack: Request | None = None
        self._over = False
        self.cancelled = False

    @property
    def key(self) -> tuple[str, str]:
        """The dialog key of whatever comes of it."""
        return self._call_id, self._from.tag or ""

    def start(self) -> list[Effect]:
        """The INVITE."""
        invitation = self._invitation
        items = [
            *(("Route", route) for route in invitation.routes),
            ("From", self._from.encode()),
            ("To", invitation.to.encode()),
            ("Call-ID", self._call_id),
            ("CSeq", CSeq(self._sequence, "INVITE").encode()),
            ("Contact", invitation.contact),
            ("Allow", self._allow),
            *ask(self._timer, self._least_s),
            *invitation.headers,
            *body_headers(invitation.body),
        ]
        return [Send(INVITE_REF, Request("INVITE", invitation.uri, Headers(items), invitation.body.data))]

    def cancel(self) -> list[Effect]:
        """Take it back. It ends with Failed; or, when somebody took it first, with Connected all the same."""
        if self._over or self.cancelled:
            return []
        self.cancelled = True
        return [Cancel(INVITE_REF)]

    def on_provisional(self, response: Response) -> list[Answer]:
        return [Rang(response.status)] if response.status > 100 and not self._over else []

    def on_final(
        self, response: Response, invite: Request, now: Instant, next_ref: int
    ) -> tuple[list[Effect], list[Answer]]:
        """Any final response to it, also those that come after the first."""
        if 200 <= response.status < 300:
            return self._on_accepted(response, invite, next_ref)
        if self._over:
            return [], []
        if response.status == 422 and not self.cancelled and (again := self._with_longer_interval(response, invite)):
            return again, []
        self._over = True
        return [], [Failed(response.status, response.reason, response)]

    def on_timeout(self) -> list[Answer]:
        """No final response came."""
        if self._over:
            return []
        self._over = True
        return [Failed(487, "taken back") if self.cancelled else Failed(408, "no answer")]

    def _on_accepted(self, response: Response, invite: Request, next_ref: int) -> tuple[list[Effect], list[Answer]]:
        try:
            dialog = Dialog.of_response(invite, response)
        except (DecodeError, ProtocolError) as error:
            # Without tag or Contact it cannot be acknowledged; its sender gives up by itself.
            if self._over:
                return [], []
            self._over = True
            return [], [Failed(500, f"an answer that makes no dialog ({error.code})")]
        tag = dialog.remote.tag or ""
        if self._dialog is not None and tag == self._dialog.remote.tag and self._ack is not None:
            return [Acknowledge(self._ack)], []  # the same once more: its ACK was lost (section 13.2.2.4)
        if self._over:
            return self._end_extra(tag, dialog, invite, next_ref), []
        self._over = True
        self._dialog = dialog
        self._ack = dialog.acknowledge(invite)
        timer = SessionTimer.of_response(response, self._least_s)
        return [Acknowledge(self._ack)], [Connected(dialog, invite, response, body_of(response), timer)]

    def _end_extra(self, tag: str, dialog: Dialog, invite: Request, next_ref: int) -> list[Effect]:
        """A dialog that nobody wants: acknowledged, then ended at once (section 13.2.2.4)."""
        if tag in self._extra:
            return [Acknowledge(self._extra[tag])]
        if len(self._extra) >= _MAX_FORKS:
            return []
        self._extra[tag] = dialog.acknowledge(invite)
        return [Acknowledge(self._extra[tag]), Send(next_ref, dialog.request("BYE")[1])]

    def _with_longer_interval(self, response: Response, invite: Request) -> list[Effect]:
        """RFC 4028 section 7.3: the same call again, "one that is one higher" its CSeq, with the Min-SE that was named."""
        least = minimum_of(response)
        if least is None or least <= self._least_s or self._tries >= _MAX_INTERVAL_TRIES:
            return []
        self._tries += 1
        self._least_s = least
        self._sequence = CSeq.parse(invite.headers.get("CSeq") or "").number + 1
        return self.start()

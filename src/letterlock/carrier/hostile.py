"""A hostile carrier's hand: what it does to the messages that pass, as orders that can be given and taken back at any time.

It sits in the carrier's two taps and works on real messages: it has no keys, and does what somebody without keys can
do. Orders compose: a message that is to be changed, repeated and held back is all three. A carrier cannot aim: what
people write, receipts and typing look alike, so an order takes whatever passes next.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..codec import imdn
from ..codec.cpim import Cpim, CpimLimits, decode_cpim, encode_cpim
from ..codec.frame import MEDIA_TYPE, decode_frame, encode_frame
from ..codec.sip import Request, Response, Uri
from ..errors import DecodeError
from ..ids import Instant, MessageId, Number, Rng, conversation_of, new_message_id
from ..imdn import chat_message
from ..sip.pager import OutgoingMessage, PagerProfile, build_message
from .msrp_tap import MsrpInterference, MsrpSeen
from .tap import Interference, Message, Seen

__all__ = ["Attack", "HostileHand", "Order", "Struck"]

_CPIM = CpimLimits(max_size=2_000_000, max_headers=128, max_header_bytes=65_536)
_FRAME = {"max_frame": 1 << 20, "max_list": 1 << 16, "max_copies": 256}
_DELAY_MS = 6_000
_COPIES = 3
_IMDN_ID = re.compile(rb"(?im)^(imdn\.message-id:[ \t]*)([^\r\n]*)")
_INNER_TYPE = re.compile(rb"(?im)^content-type:[^\r\n]*")


class Attack(enum.Enum):
    """What may be ordered; the value names it outside."""

    DROP = "drop"
    """It never arrives, and its sender's phone is told that the network took it."""
    DELAY = "delay"
    """It arrives some seconds late, so that what was written later overtakes it."""
    DUPLICATE = "duplicate"
    """It arrives three times."""
    TAMPER = "tamper"
    """A bit of each ciphertext is turned."""
    RENAME = "rename"
    """A header says another message id than the ciphertext was made for."""
    STRIP = "strip"
    """It says of itself that it is plain text; registrations and answers lose every feature tag."""
    FORGE = "forge"
    """It never arrives, the sender is told that it did, and gets receipts in the other's name: delivered, displayed."""


@dataclass(frozen=True, slots=True)
class Order:
    """Do this to the next `times` messages, or until it is taken back; of `sender` alone, if one is given."""

    attack: Attack
    times: int | None = None
    sender: Number | None = None


@dataclass(frozen=True, slots=True)
class Struck:
    """What was done to a message: its id as its envelope says, and the two numbers; None where nothing says so."""

    attack: Attack
    message_id: str
    sender: Number | None
    recipient: Number | None


class HostileHand:
    """`tap` and `msrp_tap` are for the carrier. `inject` gives a phone a request of our own making, soon and not at once;
    `struck` hears of each message that something was done to. `delay_ms` is how long one is held back."""

    def __init__(
        self,
        *,
        domain: str,
        rng: Rng,
        inject: Callable[[Request, Number], None],
        struck: Callable[[Struck], None] = lambda struck: None,
        delay_ms: Instant = _DELAY_MS,
    ) -> None:
        self._domain = domain
        self._rng = rng
        self._inject = inject
        self._struck = struck
        self.delay_ms = delay_ms
        self._orders: dict[Attack, Order] = {}

    # --- orders ------------------------------------------------------------------------------------------
    @property
    def orders(self) -> tuple[Order, ...]:
        """What is ordered now."""
        return tuple(self._orders.values())

    def order(self, order: Order) -> None:
        """From now on; one order of each kind."""
        self._orders[order.attack] = order

    def withdraw(self, attack: Attack) -> None:
        self._orders.pop(attack, None)

    def be_honest(self) -> None:
        """Nothing any more. What was held back still arrives."""
        self._orders.clear()

    # --- the taps ----------------------------------------------------------------------------------------
    def tap(self, seen: Seen) -> Interference | None:
        """For SIP: messages, and with `STRIP` everything that says what a device can do."""
        message = seen.message
        if not isinstance(message, Request) or message.method != "MESSAGE":
            stripping = Attack.STRIP in self._orders and (changed := _untagged(message)) != message
            return Interference(((changed, 0),)) if stripping else None
        due = self._due(seen.sender)
        if not due:
            return None
        done = Interference(((message, 0),))
        for attack in due:
            done = self._applied(attack, seen, done)
            self._note(attack, _message_id(message.body), seen.sender, seen.recipient)
        return done

    def msrp_tap(self, seen: MsrpSeen) -> MsrpInterference | None:
        """For sessions, which carry groups and what is long. Chunks are what can be dropped, repeated and changed there."""
        if seen.request.method != "SEND" or not seen.body:
            return None
        due = [attack for attack in self._due(None) if attack in _OF_CHUNKS]
        if not due:
            return None
        chunks: tuple[MsrpSeen, ...] = (seen,)
        for attack in due:
            chunks = _OF_CHUNKS[attack](chunks)
            self._note(attack, _message_id(seen.body), None, None)
        return MsrpInterference(chunks, acknowledge=not chunks)

    def _due(self, sender: Number | None) -> list[Attack]:
        """What changes a message comes before what multiplies it, and that before what loses it."""
        return [
            attack
            for attack in _SEQUENCE
            if (order := self._orders.get(attack)) is not None and order.sender in (None, sender)
        ]

    def _note(self, attack: Attack, message_id: str, sender: Number | None, recipient: Number | None) -> None:
        order = self._orders[attack]
        if order.times is not None:
            if order.times <= 1:
                del self._orders[attack]
            else:
                self._orders[attack] = dataclasses.replace(order, times=order.times - 1)
        self._struck(Struck(attack, message_id, sender, recipient))

    # --- what is done --------------------------------------------------------------------------------------
    def _applied(self, attack: Attack, seen: Seen, done: Interference) -> Interference:
        match attack:
            case Attack.DROP:
                return Interference((), answer=200)
            case Attack.DELAY:
                return _each(done, lambda message, after: ((message, after + self.delay_ms),))
            case Attack.DUPLICATE:
                return _each(done, lambda message, after: ((message, after),) * _COPIES)
            case Attack.TAMPER:
                return _each(done, lambda message, after: ((_with_body(message, _tampered), after),))
            case Attack.RENAME:
                return _each(done, lambda message, after: ((_with_body(message, self._renamed), after),))
            case Attack.STRIP:
                return _each(done, lambda message, after: ((_with_body(_untagged(message), _as_text), after),))
            case Attack.FORGE:
                self._forge_receipts(seen)
                return Interference((), answer=200)

    def _renamed(self, body: bytes) -> bytes:
        other = new_message_id(self._rng).encode()
        return _IMDN_ID.sub(lambda found: found[1] + other, body, count=1)

    def _forge_receipts(self, seen: Seen) -> None:
        """As the other's phone would write them without encryption, asserted with the other's number."""
        message_id = _message_id(seen.message.body)
        if seen.sender is None or seen.recipient is None or not message_id:
            return
        written = _date_time(seen.message.body)
        for disposition, status in (
            (imdn.Disposition.DELIVERY, imdn.Status.DELIVERED),
            (imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED),
        ):
            document = imdn.encode_imdn(imdn.Imdn(message_id, written, disposition, status))
            self._inject(self._message(seen.recipient, seen.sender, imdn.MEDIA_TYPE, document), seen.sender)

    def _message(self, sender: Number, recipient: Number, content_type: str, body: bytes) -> Request:
        identifier = MessageId(new_message_id(self._rng))
        identity = Uri.of_number(sender, self._domain)
        cpim = encode_cpim(chat_message(content_type, body, message_id=identifier))
        built = build_message(
            PagerProfile(identity, self._domain, "carrier"),
            OutgoingMessage(recipient, identifier, conversation_of(sender, recipient), cpim, large=True),
            (),
            self._rng,
        )
        headers = built.headers.without("P-Preferred-Identity").appended(
            "P-Asserted-Identity", f"<{identity.encode()}>"
        )
        return Request(built.method, built.uri, headers.appended("Max-Forwards", "69"), built.body)


_SEQUENCE = (
    Attack.STRIP,
    Attack.TAMPER,
    Attack.RENAME,
    Attack.DUPLICATE,
    Attack.DELAY,
    Attack.FORGE,
    Attack.DROP,
)


def _each(done: Interference, what: Callable[[Message, Instant], tuple[tuple[Message, Instant], ...]]) -> Interference:
    return dataclasses.replace(
        done, deliver=tuple(part for message, after in done.deliver for part in what(message, after))
    )


def _with_body(message: Message, change: Callable[[bytes], bytes]) -> Message:
    return dataclasses.replace(message, body=change(message.body))


# --- bodies ------------------------------------------------------------------------------------------------
def _cpim(body: bytes) -> Cpim | None:
    try:
        return decode_cpim(body, _CPIM)
    except DecodeError:
        return None


def _message_id(body: bytes) -> str:
    found = _IMDN_ID.search(body)
    return found[2].decode("ascii", "replace").strip() if found else ""


def _date_time(body: bytes) -> str:
    cpim = _cpim(body)
    return (cpim.date_time or "") if cpim is not None else ""


def _tampered(body: bytes) -> bytes:
    """The last bit of each ciphertext turned, where this is a frame of ours; else the last bit of all."""
    cpim = _cpim(body)
    content = b"" if cpim is None else cpim.content.content()
    if cpim is not None and (cpim.content.header("content-type") or "").startswith(MEDIA_TYPE):
        try:
            frame = decode_frame(content, **_FRAME)
        except DecodeError:
            return _flipped(body)
        copies = tuple(dataclasses.replace(copy, ciphertext=_flipped(copy.ciphertext)) for copy in frame.copies)
        changed = encode_frame(dataclasses.replace(frame, copies=copies))
        at = body.rfind(content)
        return body[:at] + changed + body[at + len(content) :]
    return _flipped(body)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,)) if data else data


def _as_text(body: bytes) -> bytes:
    """The inner content type says plain text; nothing else changes."""
    head, blank, rest = body.partition(b"\r\n\r\n")
    return head + blank + _INNER_TYPE.sub(b"Content-Type: text/plain;charset=UTF-8", rest, count=1)


# --- tags --------------------------------------------------------------------------------------------------
def _untagged(message: Message) -> Message:
    """No feature tag in any Contact, none asked for, no service named."""
    headers = message.headers.without("Accept-Contact").without("P-Preferred-Service").without("P-Asserted-Service")
    contact = headers.get("Contact")
    if contact is not None:
        bare = ";".join(part for part in contact.split(";") if not part.startswith(("+g.", "+3gpp", "+sip.")))
        headers = headers.with_("Contact", bare)
    if isinstance(message, Response):
        return Response(message.status, message.reason, headers, message.body)
    return Request(message.method, message.uri, headers, message.body)


# --- chunks of sessions --------------------------------------------------------------------------------------
_OF_CHUNKS: dict[Attack, Callable[[tuple[MsrpSeen, ...]], tuple[MsrpSeen, ...]]] = {
    Attack.TAMPER: lambda chunks: tuple(chunk.with_body(_flipped(chunk.body)) for chunk in chunks),
    Attack.DUPLICATE: lambda chunks: chunks * 2,
    Attack.DROP: lambda chunks: (),
}

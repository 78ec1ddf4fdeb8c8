"""A hostile carrier's hand: what it does to the messages that pass, as orders that can be given and taken back at any time.

It sits in the carrier's two taps and works on real messages: it has no keys, and does what somebody without keys can
do. Orders compose: a message that is to be changed, repeated and held back is all three. A carrier cannot aim: what
people write, receipts and typing look alike, so an order takes whatever passes next.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass

from ..codec import imdn
from ..codec.cpim import encode_cpim
from ..codec.sip import Request, Uri
from ..ids import Instant, MessageId, Number, Rng, conversation_of, new_message_id
from ..imdn import chat_message
from ..sip.pager import OutgoingMessage, PagerProfile, build_message
from .hostile_bodies import as_text, date_time, message_id, renamed, tampered, untagged
from .hostile_sessions import Talks, begins, ends_with
from .msrp_tap import MsrpInterference, MsrpSeen
from .tap import Interference, Message, Seen

__all__ = ["Attack", "HostileHand", "Order", "Struck"]

_DELAY_MS = 6_000
_COPIES = 3
_MOST_UNDER_WAY = 256


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
        self._talks = Talks()
        self._under_way: dict[object, tuple[Attack, ...]] = {}

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
            self._talks.note(seen)
            stripping = Attack.STRIP in self._orders and (changed := untagged(message)) != message
            return Interference(((changed, 0),)) if stripping else None
        due = self._due(seen.sender)
        if not due:
            return None
        done = Interference(((message, 0),))
        for attack in due:
            done = self._applied(attack, seen, done)
            self._note(attack, message_id(message.body), seen.sender, seen.recipient)
        return done

    def msrp_tap(self, seen: MsrpSeen) -> MsrpInterference | None:
        """For sessions, which carry groups and what is long. What is done to a message is done to all its chunks."""
        if seen.request.method != "SEND" or not seen.body:
            return None
        due = self._due_of_session(seen)
        if not due:
            return None
        chunks: tuple[MsrpSeen, ...] = (seen,)
        late = 0
        for attack in due:
            match attack:
                case Attack.DROP | Attack.FORGE:
                    chunks = ()
                case Attack.DUPLICATE:
                    chunks *= _COPIES
                case Attack.DELAY:
                    late = self.delay_ms
                case _ if begins(seen):
                    chunks = tuple(chunk.with_body(self._changed(attack, chunk.body)) for chunk in chunks)
        # Whoever keeps a message says at its end that it was received whole, as the other end would have.
        return MsrpInterference(chunks, acknowledge=not chunks, report=not chunks and ends_with(seen), late_ms=late)

    def _due_of_session(self, seen: MsrpSeen) -> tuple[Attack, ...]:
        """Decided at a message's first chunk, on each part of its way by itself."""
        way = (seen.request.from_path, seen.request.to_path, seen.request.message_id)
        if begins(seen):
            sender, recipient = self._talks.ends(seen)
            # A receipt is somebody's to somebody: on the way to a conference nobody is named yet.
            named = sender is not None and recipient is not None
            due = tuple(attack for attack in self._due(sender) if named or attack is not Attack.FORGE)
            if Attack.FORGE in due:
                self._forge_receipts(sender, recipient, seen.body)
            for attack in due:
                self._note(attack, message_id(seen.body), sender, recipient)
            if due and not ends_with(seen):
                self._under_way[way] = due
            while len(self._under_way) > _MOST_UNDER_WAY:
                del self._under_way[next(iter(self._under_way))]
            return due
        return self._under_way.pop(way, ()) if ends_with(seen) else self._under_way.get(way, ())

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
            case Attack.TAMPER | Attack.RENAME:
                return _each(done, lambda message, after: ((self._with_body(message, attack), after),))
            case Attack.STRIP:
                return _each(done, lambda message, after: ((self._with_body(untagged(message), attack), after),))
            case Attack.FORGE:
                self._forge_receipts(seen.sender, seen.recipient, seen.message.body)
                return Interference((), answer=200)

    def _with_body(self, message: Message, attack: Attack) -> Message:
        return dataclasses.replace(message, body=self._changed(attack, message.body))

    def _changed(self, attack: Attack, body: bytes) -> bytes:
        match attack:
            case Attack.TAMPER:
                return tampered(body)
            case Attack.RENAME:
                return renamed(body, new_message_id(self._rng).encode())
            case Attack.STRIP:
                return as_text(body)
            case _:
                return body

    def _forge_receipts(self, sender: Number | None, recipient: Number | None, body: bytes) -> None:
        """As the other's phone would write them without encryption, asserted with the other's number."""
        confirmed = message_id(body)
        if sender is None or recipient is None or not confirmed:
            return
        written = date_time(body)
        for disposition, status in (
            (imdn.Disposition.DELIVERY, imdn.Status.DELIVERED),
            (imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED),
        ):
            document = imdn.encode_imdn(imdn.Imdn(confirmed, written, disposition, status))
            self._inject(self._message(recipient, sender, imdn.MEDIA_TYPE, document), sender)

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

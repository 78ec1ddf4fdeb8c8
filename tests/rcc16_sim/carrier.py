"""The network between phones and focus: it loses, repeats, delays and reorders, and says "taken" of what it threw away.

Everything that crosses it is looked at: no plaintext may be in it, and one message id never has two ciphertexts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from letterlock.conversation_seam import Packet
from letterlock.ids import Number
from letterlock.rcc16.wire.content_types import APPLICATION_TYPES

from .agenda import Agenda

if TYPE_CHECKING:
    from .phone import Phone

__all__ = ["CALM", "MARK", "Carrier", "Mail", "Weather", "Wire"]

MARK = b"Geheimnis"
"""In every text and subject that anybody writes in the simulation; nowhere else."""


@dataclass(frozen=True)
class Weather:
    """How bad the network is: shares of packets, and times in milliseconds."""

    loss: float = 0.0
    """Lost, and the sender knows that nobody took it."""
    swallowed: float = 0.0
    """Lost, and the sender was told that it was taken."""
    repeated: float = 0.0
    late: float = 0.0
    """Delayed by up to `late_ms`: long enough to come after what was sent a minute later."""
    late_ms: int = 20_000
    usual_ms: int = 300


CALM = Weather()


@dataclass(frozen=True)
class Mail:
    """A packet on its way to one phone. `forged`: nobody honest made it so, and for this reader."""

    packet: Packet
    sender: Number | None
    forged: str = ""
    """The kind of the lie."""
    harmless: bool = False
    """Altered only outside of what anybody authenticates, or a genuine packet at a wrong time: it may be believed."""


class Wire:
    """What an eavesdropper has seen."""

    def __init__(self) -> None:
        self.plaintext: list[str] = []
        self.two_ciphertexts: list[str] = []
        self.packets: Counter[str] = Counter()
        self._first: dict[tuple[Number, str], bytes] = {}

    def look(self, sender: Number, packet: Packet) -> None:
        """At what a phone sends."""
        self.packets[packet.content_type] += 1
        if MARK in packet.body or any(MARK.decode() in header.value for header in packet.headers):
            self.plaintext.append(f"{sender} {packet.content_type} {packet.message_id}")
        if packet.content_type in APPLICATION_TYPES:
            digest = hashlib.sha256(packet.body).digest()
            if self._first.setdefault((sender, packet.message_id), digest) != digest:
                self.two_ciphertexts.append(f"{sender} {packet.message_id}")


class Carrier:
    """Carries packets by the weather. `arrive` is what becomes of one that got up: the focus, or the peer."""

    def __init__(self, agenda: Agenda, random: Random, weather: Weather) -> None:
        self.agenda = agenda
        self.weather = weather
        self.wire = Wire()
        self.lost = self.repeated = 0
        self._random = random

    def up(self, phone: Phone, packet: Packet, arrive: Callable[[Number, Packet], None]) -> None:
        """From a phone; the phone is told whether it was taken."""
        self.wire.look(phone.number, packet)
        if self._random.random() < self.weather.loss:
            self.lost += 1
            return
        if self._random.random() < self.weather.swallowed:
            self.lost += 1
        else:
            for _ in range(self._copies()):
                self.agenda.after(self._delay(), lambda: arrive(phone.number, packet))
        self.agenda.after(self._delay(), lambda: phone.taken(packet))

    def down(self, phone: Phone, mail: Mail) -> None:
        """To a phone."""
        if self._random.random() < self.weather.loss:
            self.lost += 1
            return
        for _ in range(self._copies()):
            self.agenda.after(self._delay(), lambda: phone.receive(mail))

    def _copies(self) -> int:
        if self._random.random() < self.weather.repeated:
            self.repeated += 1
            return 2
        return 1

    def _delay(self) -> int:
        if self._random.random() < self.weather.late:
            return self._random.randrange(self.weather.late_ms)
        return 1 + self._random.randrange(self.weather.usual_ms)

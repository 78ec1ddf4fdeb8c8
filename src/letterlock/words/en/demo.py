"""The demo page: two phones and the carrier between them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "demo.tour.ana.hello": "Hi Ben, it is Ana. Lunch tomorrow at the harbour?",
    "demo.tour.ben.hello": "Gladly! Half past twelve, by the blue crane.",
    "demo.tour.ana.inside": "Perfect. I booked us a table.",
    "demo.tour.ana.secret": "It is under the name of Lovelace; do not tell Mallory.",
    "demo.tour.ben.secret": "My lips are sealed.",
    "demo.tour.ana.plain": "Dan, will you join us at the crane?",
    "demo.try.drop": "Did the carrier bring you this one?",
    "demo.try.delay": "This one is kept back for a while.",
    "demo.try.after.drop": "And this one I wrote after it.",
    "demo.try.after.delay": "And this one overtakes it.",
    "demo.try.duplicate": "I say this once.",
    "demo.try.tamper": "Somebody turned a bit of this on the way.",
    "demo.try.rename": "Somebody wrote another number on this envelope.",
    "demo.try.strip": "Somebody says that this is plain text.",
    "demo.try.forge": "Did you really get this?",
}

"""Writes `tests/vectors/spqr/own_conversation.json`: run `python -m spqr.make_spqr_vectors` in `tests` when the wire is meant to change.

The conversation is made with seeded randomness, so that any change of format, derivation or order shows as
a difference. `packed` holds one stored state of each kind, and of `KeysSampled` both forms: those must open for ever.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from .pair import Pair

__all__ = ["OWN", "conversation"]

OWN = Path(__file__).parent.parent / "vectors" / "spqr" / "own_conversation.json"


def conversation() -> dict[str, Any]:
    """Two ends, a tenth of the messages one way and half of those the other way lost."""
    pair = Pair("vectors")
    dice = random.Random("vectors")
    steps: list[dict[str, Any]] = []
    packed: dict[str, str] = {}
    for _ in range(230):
        for sender in (0, 1):
            flight = pair.send(sender)
            delivered = dice.random() >= (0.1, 0.55)[sender]
            if delivered:
                pair.receive(1 - sender, flight)
            steps.append(
                {"from": sender, "message": flight.message.hex(), "key": flight.key.hex(), "delivered": delivered}
            )
            for end in pair.ends:
                data = end.pack()
                early = end.state == "KeysSampled" and data.endswith(bytes(64))
                packed.setdefault(end.state + ", no key yet" * early, data.hex())
    return {
        "epochs": [end.epoch for end in pair.ends],
        "steps": steps,
        "final": [end.pack().hex() for end in pair.ends],
        "packed": packed,
    }


if __name__ == "__main__":
    OWN.write_text(json.dumps(conversation(), indent=0) + "\n")

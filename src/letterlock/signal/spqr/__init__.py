"""The sparse post-quantum ratchet (SPQR version 1): ML-KEM Braid and its key chains.

A session runs it beside the Double Ratchet. Every message carries one SPQR message (about 37
bytes) and gets one 32-byte key from it, which goes into that message's key derivation. Here lie:

- `ratchet`: `Spqr`, the value a session holds (with `key_index` the only things to import from outside);
- `braid` and `states`: the state machine that agrees on a new ML-KEM-768 secret per epoch;
- `chain`: the key chains of the epochs, with the keys of messages still under way;
- `erasure` and `gf`: the code that spreads long values over many messages;
- `authenticator`: MACs over what the braid exchanges;
- `wire`: the message format.
"""

from __future__ import annotations

from .braid import TRANSITIONS, Transition
from .chain import ChainLimits
from .ratchet import LIMITS, Spqr, key_index

__all__ = ["LIMITS", "TRANSITIONS", "ChainLimits", "Spqr", "Transition", "key_index"]

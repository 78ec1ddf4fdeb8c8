"""The conversation engine: pure steps from (state, input, now, rng) to (writes, effects, events)."""

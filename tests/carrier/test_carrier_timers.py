"""Deadlines by name: what fires, when, and that nothing of the rest is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from letterlock.carrier.timers import Timers

STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "cancel", "due"]), st.sampled_from("abcd"), st.integers(0, 50)), max_size=300
)


@given(STEPS)
def test_timers_fire_as_a_dictionary_of_deadlines_would(steps: list[tuple[str, str, int]]) -> None:
    timers: Timers[str] = Timers()
    model: dict[str, int] = {}
    for what, key, at in steps:
        if what == "set":
            timers.set(key, at)
            model[key] = at
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            fired = timers.due(at)
            assert sorted(fired) == sorted(name for name, when in model.items() if when <= at)
            assert [model[name] for name in fired] == sorted(model[name] for name in fired)
            for name in fired:
                del model[name]
        assert timers.next() == min(model.values(), default=None)
        assert all((name in timers) == (name in model) for name in "abcd")
        # A key that is set again and again leaves no more than a bounded number of stale entries (SR-08).
        assert len(timers._heap) <= 2 * len(model) + 64

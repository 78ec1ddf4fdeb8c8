"""Random calls between two ends over a way that loses some requests: whatever happens, each call ends once, at both ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.sip import Request, Response
from letterlock.sip.effects import Body, Respond
from letterlock.sip.session import SessionState
from letterlock.sip.session_events import Ended, InDialog, Refused
from sip.pair import ANSWER, Pair, Side

OPERATIONS = st.sampled_from(
    [
        "settle",
        "settle",
        "accept",
        "ring",
        "refuse",
        "hang up",
        "offer",
        "answer",
        "refuse offer",
        "info",
        "wait",
        "wait long",
    ]
)


class Conversation:
    def __init__(self, losses: list[bool], accepted: bool) -> None:
        self.pair = Pair()
        self.pair.b.take = self.pair.b.begin
        self.ours = self.pair.a.call(self.pair.now)
        if accepted:
            self.pair.settle()
            self.act(self.pair.b, "accept", 0)
            self.pair.settle()
        pending = iter(losses)
        # Answers are not lost: TCP does not, and a proxy in between answers for what it cannot bring on.
        self.pair.lost = lambda message: isinstance(message, Request) and next(pending, False)

    def act(self, side: Side, operation: str, number: int) -> None:
        pair, now = self.pair, self.pair.now
        session = self.ours if side is pair.a else getattr(pair.b, "session", None)
        if operation == "settle":
            pair.settle()
        elif operation == "wait":
            pair.pass_time(number)
        elif operation == "wait long":
            pair.pass_time(number * 100)
        elif session is None:
            return
        elif operation == "accept":
            side.do(session, session.accept(ANSWER, now), now)
        elif operation == "ring":
            side.do(session, session.ring(), now)
        elif operation == "refuse":
            side.do(session, session.refuse(486), now)
        elif operation == "hang up":
            side.do(session, session.hang_up(now, "x"), now)
        elif operation == "offer":
            side.do(session, session.offer(Body("application/sdp", b"%d" % number), now), now)
        elif operation == "answer":
            side.do(session, session.answer(ANSWER, now), now)
        elif operation == "refuse offer":
            side.do(session, session.refuse_offer(488, now), now)
        elif operation == "info" and session.state is SessionState.RUNNING:
            _, effects = session.request("INFO")
            side.do(session, effects, now)
        elif operation == "reply":
            for told in [told for told in side.told if isinstance(told.event, InDialog)]:
                side.told.remove(told)
                assert isinstance(told.event, InDialog)
                side.do(told.usage, [Respond(told.event.key, 200)], now)

    def finish(self) -> None:
        """Both hang up, and enough time passes for every wait to end."""
        pair = self.pair
        pair.settle()
        for side in (pair.a, pair.b):
            session = self.ours if side is pair.a else getattr(pair.b, "session", None)
            if session is not None:
                side.do(session, session.hang_up(pair.now, "end"), pair.now)
        pair.settle()
        pair.pass_time(200_000)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), OPERATIONS, st.integers(0, 20_000)), max_size=14),
    st.lists(st.booleans(), max_size=12),
    st.booleans(),
)
def test_every_call_ends_once_at_both_ends(
    steps: list[tuple[bool, str, int]], losses: list[bool], accepted: bool
) -> None:
    conversation = Conversation(losses, accepted)
    pair = conversation.pair
    for at_caller, operation, number in steps:
        conversation.act(pair.a if at_caller else pair.b, operation, number)
    conversation.finish()
    assert conversation.ours.over
    assert len(pair.a.layer) == len(pair.b.layer) == 0
    assert pair.a.layer._times == pair.b.layer._times == {}
    assert pair.a.layer._handles == pair.b.layer._handles == {}
    assert pair.a.layer._origins == pair.b.layer._origins == {}
    assert sum(isinstance(told.event, Ended | Refused) for told in pair.a.told) == 1
    if hasattr(pair.b, "session"):
        assert pair.b.session.over
        assert sum(isinstance(told.event, Ended | Refused) for told in pair.b.told) == 1
    assert pair.a.agent.in_flight == pair.b.agent.in_flight == 0
    assert not pair.a.agent._requests and not pair.b.agent._requests
    for side in (pair.a, pair.b):
        assert all(isinstance(message, Response) for message in side.sent())

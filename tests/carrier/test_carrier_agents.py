"""The project's own SIP user agents through the carrier: what both sides take RFC 3261 to mean fits together."""

from __future__ import annotations

from carrier.harness import ALICE, BOB, DOMAIN, Line, Net
from letterlock.codec.sip import NameAddr, encode
from letterlock.sip.session import Session, SessionState
from letterlock.sip.session_events import Ended, Established, Refused, Renegotiated, Reoffered
from sip.pair import ANSWER, OFFER, Side

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"


class Agents:
    """A caller, and two devices of another number. `carry` moves what they have to say until nobody has."""

    def __init__(self) -> None:
        self.net = Net()
        self.alice, self.first, self.second = Side("a"), Side("b"), Side("c")
        numbers = ((self.alice, ALICE, ONE), (self.first, BOB, ONE), (self.second, BOB, TWO))
        self.lines: list[tuple[Side, Line]] = [
            (side, self.net.phone(who, name, expires=3600)) for side, who, name in numbers
        ]
        for _, line in self.lines:
            line.inbox.clear()

    def call(self) -> Session:
        line = self.lines[0][1]
        return self.alice.call(
            self.net.now,
            uri=f"sip:{BOB}@{DOMAIN}",
            to=NameAddr.parse(f"<sip:{BOB}@{DOMAIN}>"),
            identity=NameAddr.parse(f"<sip:{ALICE}@{DOMAIN}>"),
            contact=f"<sip:{ALICE}@127.0.0.1:{line.port};transport=tcp>",
            routes=("<sip:127.0.0.1:5060;transport=tcp;lr>",),
        )

    def carry(self) -> None:
        for _ in range(60):
            moved = False
            for side, line in self.lines:
                if line.id not in self.net.lines:
                    continue
                for message in side.sent():
                    line.send(message)
                    moved = True
                while line.inbox:
                    side.feed(encode(line.inbox.pop(0)), self.net.now)
                    moved = True
            if not moved:
                return
        raise AssertionError("they do not stop")


def test_a_call_is_set_up_by_the_device_that_answers_and_ended_by_either_side() -> None:
    for ends in ("caller", "callee"):
        net = Agents()
        net.first.take = net.first.begin  # rings
        net.second.take = net.second.accept
        session = net.call()
        net.carry()
        assert session.state is net.second.session.state is SessionState.RUNNING
        assert net.alice.events(Established)[0].body == ANSWER
        assert net.first.session.over  # cancelled
        side, usage = (net.alice, session) if ends == "caller" else (net.second, net.second.session)
        side.do(usage, usage.hang_up(net.net.now, "done"), net.net.now)
        net.carry()
        assert session.over
        assert net.second.session.over
        assert len(net.alice.layer) == len(net.second.layer) == 0
        assert not net.alice.events(Refused)


def test_both_devices_answer_at_once_and_one_dialog_is_left() -> None:
    net = Agents()
    net.first.take, net.second.take = net.first.accept, net.second.accept
    session = net.call()
    net.carry()
    assert session.state is SessionState.RUNNING
    ended = [side for side in (net.first, net.second) if side.events(Ended)]
    assert len(ended) == 1, "the caller ends the dialog that it does not want, along that dialog's route"
    (left,) = {net.first, net.second} - set(ended)
    assert left.session.state is SessionState.RUNNING


def test_the_caller_takes_it_back() -> None:
    net = Agents()
    net.first.take, net.second.take = net.first.begin, net.second.begin
    session = net.call()
    net.carry()
    net.alice.do(session, session.hang_up(net.net.now, "changed my mind"), net.net.now)
    net.carry()
    assert session.over
    assert net.first.session.over
    assert net.second.session.over
    assert len(net.alice.layer) == len(net.first.layer) == len(net.second.layer) == 0


def test_a_session_is_refreshed_and_renegotiated_through_the_carrier() -> None:
    """RFC 4028: whoever refreshes does it before the session runs out, in the dialog."""
    net = Agents()
    net.first.take = net.first.accept
    session = net.call()
    net.carry()
    sides = (net.alice, net.first)
    before = sum(len(side.received) for side in sides)
    while not sum(len(side.received) for side in sides) > before:
        due = min(at for side in sides if (at := side.layer.next_deadline()) is not None)
        net.net.pass_time(due - net.net.now)
        for side in sides:
            side.tick(net.net.now)
        net.carry()
    assert session.state is net.first.session.state is SessionState.RUNNING
    assert not net.alice.events(Ended)
    net.first.do(net.first.session, net.first.session.offer(OFFER, net.net.now), net.net.now)
    net.carry()
    assert net.alice.events(Reoffered)
    net.alice.do(session, session.answer(ANSWER, net.net.now), net.net.now)
    net.carry()
    assert net.first.events(Renegotiated)

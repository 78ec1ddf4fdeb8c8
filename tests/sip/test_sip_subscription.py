"""RFC 6665 between a subscriber and a notifier, and against hostile ones; REFER without a subscription."""

from __future__ import annotations

import itertools

import pytest

from letterlock.codec.sip import CSeq, Headers, NameAddr, Request, Response, encode
from letterlock.errors import DecodeError
from letterlock.sip.effects import Body, Respond
from letterlock.sip.notifying import Notifier, NotifierSettings, StateWanted, SubscriberLost
from letterlock.sip.refer import has_subscription, read_refer, refer_headers
from letterlock.sip.subscribing import Notified, Subscriber, Subscription, SubscriptionEnded
from letterlock.sip.user_agent_events import Received
from sip.pair import Pair, Side, response

SETTINGS = NotifierSettings(events=frozenset({"conference"}), longest_s=3600, shortest_s=60, max_queued=3)
_branches = itertools.count()
ROSTER = "application/conference-info+xml"


def state(text: str) -> Body:
    return Body(ROSTER, text.encode())


class Watched:
    """A subscribes to B's conference."""

    def __init__(self, expires_s: int = 3600, event: str = "conference") -> None:
        self.pair = Pair()
        self.notifier: Notifier | None = None
        self.pair.b.take = self.take
        subscription = Subscription(
            "sip:conf-1@h",
            NameAddr.parse("<sip:conf-1@h>"),
            NameAddr.parse("<sip:a@h>"),
            "<sip:a@127.0.0.1>",
            (),
            event,
            ROSTER,
            (),
            expires_s,
            32_000,
        )
        self.subscriber = Subscriber(subscription, self.pair.a.rng)
        self.pair.a.told += self.pair.a.layer.add(self.subscriber, self.subscriber.start(self.pair.now), self.pair.now)

    def take(self, event: Received, now: int) -> None:
        b = self.pair.b
        made = Notifier.subscribed(SETTINGS, event.key, event.request, "<sip:conf-1@127.0.0.1>", b.rng)
        if isinstance(made, Respond):
            b.agent.respond(made.key, made.status, now, made.reason, made.headers, made.body, made.tag)
            return
        self.notifier = made
        b.told += b.layer.called(b.agent, event.key, made, made.accept(state("whole"), now), now)

    def settle(self) -> Watched:
        self.pair.settle()
        return self

    def tell(self, text: str) -> None:
        assert self.notifier is not None
        self.pair.b.do(self.notifier, self.notifier.notify(state(text), self.pair.now), self.pair.now)

    @property
    def seen(self) -> list[bytes]:
        return [b"" if n.body is None else n.body.data for n in self.pair.a.events(Notified)]


def test_a_subscription_is_told_the_state_at_once_and_each_change_in_order() -> None:
    watched = Watched().settle()
    assert watched.pair.log == ["a: SUBSCRIBE", "b: 200 SUBSCRIBE", "b: NOTIFY", "a: 200 NOTIFY"]
    for text in ("one", "two", "three"):
        watched.tell(text)
    watched.settle()
    assert watched.seen == [b"whole", b"one", b"two", b"three"]
    request = watched.pair.a.received[0]
    assert request.headers.get("Subscription-State") == "active;expires=3600"
    assert request.headers.get("Event") == "conference"
    # One at a time: an answer between any two.
    assert watched.pair.log[2:] == ["b: NOTIFY", "a: 200 NOTIFY"] * 4


def test_a_slow_subscriber_costs_a_bounded_amount_and_gets_the_whole_state() -> None:
    """SR-08."""
    watched = Watched().settle()
    for i in range(100):
        watched.tell(f"part {i}")
    watched.settle()
    assert watched.pair.b.events(StateWanted) == [StateWanted()]
    assert watched.seen == [b"whole", b"part 0"]
    watched.tell("whole again")
    watched.tell("part 100")
    watched.settle()
    assert watched.seen == [b"whole", b"part 0", b"whole again", b"part 100"]


def test_it_is_refreshed_and_answered_with_the_whole_state() -> None:
    watched = Watched().settle()
    watched.pair.pass_time(3_000_000)
    assert watched.pair.log.count("a: SUBSCRIBE") == 2
    assert watched.pair.b.events(StateWanted) == [StateWanted()]
    assert watched.pair.b.events(SubscriberLost) == []
    watched.tell("still")
    watched.settle()
    watched.pair.pass_time(1_000_000)
    assert watched.seen == [b"whole", b"still"]
    assert not watched.subscriber.over


def test_unsubscribing_is_confirmed_by_a_last_notification() -> None:
    watched = Watched().settle()
    watched.pair.a.do(watched.subscriber, watched.subscriber.stop(watched.pair.now), watched.pair.now)
    watched.settle()
    assert watched.pair.log[4:] == ["a: SUBSCRIBE", "b: 200 SUBSCRIBE", "b: NOTIFY", "a: 200 NOTIFY"]
    assert watched.pair.b.events(SubscriberLost) == [SubscriberLost("unsubscribed")]
    (ended,) = watched.pair.a.events(SubscriptionEnded)
    assert not ended.again
    assert len(watched.pair.a.layer) == len(watched.pair.b.layer) == 0


def test_a_poll_gets_the_state_and_nothing_more() -> None:
    """Section 4.4.3."""
    watched = Watched(expires_s=0).settle()
    assert watched.seen == [b"whole"]
    assert len(watched.pair.a.layer) == len(watched.pair.b.layer) == 0
    assert watched.pair.a.received[0].headers.get("Subscription-State") == "terminated;reason=timeout"


@pytest.mark.parametrize(("reason", "again"), [("noresource", False), ("rejected", False), ("deactivated", True)])
def test_the_notifier_ends_it(reason: str, again: bool) -> None:
    """Section 4.1.3."""
    watched = Watched().settle()
    assert watched.notifier is not None
    watched.tell("one")
    watched.pair.b.do(watched.notifier, watched.notifier.end(reason, watched.pair.now), watched.pair.now)
    watched.settle()
    assert watched.pair.a.events(SubscriptionEnded) == [SubscriptionEnded(reason, again)]
    assert watched.seen == [b"whole", b"one"]
    assert len(watched.pair.a.layer) == len(watched.pair.b.layer) == 0


def test_a_subscriber_that_is_gone_is_forgotten() -> None:
    """Section 4.2.2: when timer F fires for a NOTIFY."""
    watched = Watched().settle()
    watched.pair.lost = lambda message: True
    watched.tell("one")
    watched.settle()
    watched.pair.pass_time(32_001)
    assert watched.pair.b.events(SubscriberLost) == [SubscriberLost("does not answer")]
    assert len(watched.pair.b.layer) == 0


def test_a_subscriber_that_does_not_refresh_expires() -> None:
    watched = Watched().settle()
    watched.pair.lost = lambda message: isinstance(message, Request) and message.method == "SUBSCRIBE"
    watched.pair.pass_time(3_600_001)
    assert watched.pair.b.events(SubscriberLost) == [SubscriberLost("expired")]
    assert watched.pair.a.events(SubscriptionEnded)[0].again
    assert len(watched.pair.a.layer) == len(watched.pair.b.layer) == 0


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 485, 489, 501, 604])
def test_answers_that_end_a_subscription_at_the_notifier(status: int) -> None:
    watched = Watched().settle()
    watched.tell("one")
    (notify,) = watched.pair.b.sent()
    watched.pair.b.feed(response(notify, status), watched.pair.now)
    assert watched.pair.b.events(SubscriberLost) == [SubscriberLost(f"answered {status}")]


def test_a_notifier_stays_when_a_notify_fails_for_now() -> None:
    watched = Watched().settle()
    watched.tell("one")
    (notify,) = watched.pair.b.sent()
    watched.pair.b.feed(response(notify, 503), watched.pair.now)
    assert watched.pair.b.events(SubscriberLost) == []
    watched.tell("two")
    watched.settle()
    assert watched.seen == [b"whole", b"two"]


# --- refusals -------------------------------------------------------------------------------------------------
def test_an_unknown_package_is_489() -> None:
    watched = Watched(event="presence").settle()
    (ended,) = watched.pair.a.events(SubscriptionEnded)
    assert (ended.status, ended.again) == (489, False)
    assert len(watched.pair.a.layer) == 0


def test_a_brief_interval_is_asked_for_again_with_the_least() -> None:
    watched = Watched(expires_s=10).settle()
    assert [m.headers.get("Expires") for m in watched.pair.b.received if m.method == "SUBSCRIBE"] == ["10", "60"]
    assert watched.seen == [b"whole"]


@pytest.mark.parametrize("drop", ["Contact", "Event", "tag"])
def test_a_subscribe_that_cannot_be_served(drop: str) -> None:
    watched = Watched()
    (subscribe,) = watched.pair.a.sent()
    headers = subscribe.headers.without(drop)
    if drop == "tag":
        headers = headers.with_("Expires", "soon")
    watched.pair.b.feed(encode(Request("SUBSCRIBE", "sip:conf-1@h", headers)), watched.pair.now)
    assert [m.status for m in watched.pair.b.sent() if isinstance(m, Response)] == [400]
    assert len(watched.pair.b.layer) == 0


def test_no_notification_within_timer_n() -> None:
    """Section 4.1.2.4."""
    watched = Watched()
    watched.pair.lost = lambda message: isinstance(message, Request) and message.method == "NOTIFY"
    watched.settle()
    watched.pair.pass_time(32_001)
    (ended,) = watched.pair.a.events(SubscriptionEnded)
    assert (ended.status, ended.again) == (408, True)


def test_nobody_answers_a_subscribe() -> None:
    watched = Watched()
    watched.pair.lost = lambda message: True
    watched.settle()
    watched.pair.pass_time(32_001)
    assert [ended.status for ended in watched.pair.a.events(SubscriptionEnded)] == [408]


# --- notifications by hand ------------------------------------------------------------------------------------
def notify(subscribe: Request | Response, *changes: tuple[str, str], number: int = 1, body: bytes = b"x") -> bytes:
    items = [
        ("Via", f"SIP/2.0/TCP h;branch=z9hG4bK{next(_branches)}"),
        ("From", "<sip:conf-1@h>;tag=n"),
        ("To", subscribe.headers.get("From") or ""),
        ("Call-ID", subscribe.headers.get("Call-ID") or ""),
        ("CSeq", CSeq(number, "NOTIFY").encode()),
        ("Contact", "<sip:conf-1@127.0.0.1>"),
        ("Event", "conference"),
        ("Subscription-State", "active;expires=3600"),
        ("Content-Type", ROSTER),
    ]
    headers = Headers(items)
    for name, value in changes:
        headers = headers.with_(name, value) if value else headers.without(name)
    return encode(Request("NOTIFY", "sip:a@h", headers, body))


def statuses(side: Side) -> list[int]:
    return [m.status for m in side.sent() if isinstance(m, Response)]


def test_a_notify_may_come_before_the_answer_and_makes_the_dialog() -> None:
    """Sections 4.1.2.4 and 4.4.1: routes and tags are those of the NOTIFY."""
    watched = Watched()
    a = watched.pair.a
    (subscribe,) = a.sent()
    a.feed(notify(subscribe, ("Record-Route", "<sip:p;lr>")), 1)
    assert statuses(a) == [200]
    a.feed(response(subscribe, 200, ("Expires", "1000"), tag="n"), 2)
    a.do(watched.subscriber, watched.subscriber.refresh(3), 3)
    (again,) = a.sent()
    assert isinstance(again, Request)
    assert again.headers.all("Route") == ("<sip:p;lr>",)
    assert again.uri == "sip:conf-1@127.0.0.1"
    assert again.headers.get("CSeq") == "2 SUBSCRIBE"


def test_hostile_notifications() -> None:
    watched = Watched()
    a = watched.pair.a
    (subscribe,) = a.sent()
    a.feed(notify(subscribe, ("Subscription-State", "")), 1)
    assert statuses(a) == [400]
    a.feed(notify(subscribe, ("Event", "presence")), 1)
    assert statuses(a) == [489]
    a.feed(notify(subscribe, ("Call-ID", "other")), 1)
    assert statuses(a) == [481]
    a.feed(notify(subscribe, ("Contact", "")), 1)
    assert statuses(a) == [400]
    assert watched.seen == []
    a.feed(notify(subscribe, number=5), 1)
    assert statuses(a) == [200]
    a.feed(notify(subscribe, ("From", "<sip:conf-1@h>;tag=fork"), number=6), 2)
    assert statuses(a) == [481]  # the other branch of a fork
    a.feed(notify(subscribe, ("X", "late"), number=4, body=b"old"), 3)
    assert statuses(a) == [500]  # out of order: an older state must not come after a newer
    a.feed(notify(subscribe, ("Subscription-State", "terminated;reason=giveup;retry-after=7"), number=9), 4)
    assert statuses(a) == [200]
    assert watched.seen == [b"x", b"x"]
    assert a.events(SubscriptionEnded) == [SubscriptionEnded("giveup", True, 7000)]
    a.feed(notify(subscribe, number=10), 5)
    assert statuses(a) == [481]


def test_a_shortened_interval_is_obeyed_but_not_below_some_seconds() -> None:
    watched = Watched()
    a = watched.pair.a
    (subscribe,) = a.sent()
    a.feed(response(subscribe, 200, ("Expires", "1000"), tag="n"), 1)
    a.feed(notify(subscribe, ("Subscription-State", "active;expires=0")), 1)
    assert watched.subscriber.next_deadline() == 1 + 2500


def test_stopping_before_anything_was_heard() -> None:
    watched = Watched()
    a = watched.pair.a
    (subscribe,) = a.sent()
    a.do(watched.subscriber, watched.subscriber.stop(1), 1)
    assert len(a.layer) == 0
    a.feed(notify(subscribe), 2)
    assert statuses(a) == [481]


# --- REFER --------------------------------------------------------------------------------------------------------
def refer(*headers: tuple[str, str], body: bytes = b"") -> Request:
    return Request("REFER", "sip:conf-1@h", Headers(headers), body)


def test_refer_to_one() -> None:
    """RFC 4579 section 5.5, RFC 4488."""
    read = read_refer(refer(*refer_headers("sip:+1555@h;user=phone")))
    assert read.target is not None and read.target.user == "+1555"
    assert (read.method, read.subscription) == ("INVITE", False)


@pytest.mark.parametrize("target", ["sip:c@h?method=BYE", "sip:c@h;method=BYE", "sip:c@h?Subject=x&method=BYE"])
def test_refer_to_remove(target: str) -> None:
    assert read_refer(refer(*refer_headers(target))).method == "BYE"


def test_refer_to_several() -> None:
    """RFC 5368: the list is in the body, and the server must understand that."""
    headers = refer_headers("cid:cn35t8jf02@example.com", several=True)
    assert dict(headers)["Require"] == "multiple-refer, norefersub"
    read = read_refer(refer(*headers, ("Content-Type", "application/resource-lists+xml"), body=b"<x/>"))
    assert read.target is None
    assert read.body == Body("application/resource-lists+xml", b"<x/>")


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Refer-To", "<sip:a@h>"), ("Refer-To", "<sip:b@h>")),
        (("Refer-To", "junk<"),),
        (("Refer-To", "<http://example.com/>"),),
        (("Refer-To", "<cid:x@y>"),),
        (("Refer-To", f"<sip:{'a' * 2000}@h>"),),
        (("Refer-To", "<sip:a@h?method=B%0D%0AYE>"),),
    ],
)
def test_bad_refers(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(DecodeError):
        read_refer(refer(*headers))


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("false", False), ("False;x=1", False), ("true", True)])
def test_refer_sub(value: str | None, expected: bool) -> None:
    headers = () if value is None else (("Refer-Sub", value),)
    assert read_refer(refer(("Refer-To", "<sip:a@h>"), *headers)).subscription is expected
    assert has_subscription(Response(202, "x", Headers(headers))) is expected

"""A carrier that lies about sessions: forged success, dropped bodies, stripped tags, tampered descriptions. An encrypted
chat stays encrypted, and a message counts as delivered when its receiver says so, encrypted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, Phone
from faults.lab import ROOMY, SOON, Lab, msrp_settings
from faults.middlebox import Middlebox, with_body
from letterlock.carrier import Interference, Seen, replaced
from letterlock.carrier.msrp_tap import MsrpInterference, MsrpSeen
from letterlock.carrier.search import Searcher
from letterlock.codec.sip import Request, Response
from letterlock.engine.events import MessageAccepted, MessageDelivered, MessageFailed
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security

pytestmark = pytest.mark.anyio

SECRET = "the spare key is under the third stone "
_SESSIONS = {"max_pager": 0}


def nothing_readable(lab: Lab, *boxes: Middlebox) -> None:
    """The same search as the demo's, over every byte of SIP and of the relay, and what passed between phones directly."""
    assert Searcher(lab.folder / "wire.log").search(SECRET.strip()) == []
    assert all(SECRET.strip().encode() not in box.bytes_seen for box in boxes)
    assert lab.plain_on_wire() == []


async def still_encrypted(lab: Lab, ana: Phone, ben: Phone) -> None:
    assert (await ana.chat(BEN)).security is (await ben.chat(ANA)).security is Security.ENCRYPTED
    assert await ana.told(MessageFailed) == []


@pytest.mark.parametrize("text", [SECRET, SECRET * 2_000], ids=["small", "large"])
async def test_sr_05_forged_success_and_a_dropped_message(tmp_path: Path, text: str) -> None:
    """SR-05: the relay says that it was delivered and drops it. Accepted is not delivered; it is sent until it is."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=ROOMY, relay=True, rcs=_SESSIONS)
        await lab.arrives(ana, ben, "the session is open")
        lies: list[MsrpSeen] = []

        def lie(seen: MsrpSeen) -> MsrpInterference | None:
            if seen.request.method != "SEND" or not seen.body:
                return None
            lies.append(seen)
            return MsrpInterference(acknowledge=True, report=True)

        lab.msrp_rules.append(lie)
        # The carrier keeps requests from him as well.
        end = lab.rule(lambda passing: Interference(answer=200), sender=ANA)
        sent = await ana.say(BEN, text)
        await ana.seen(MessageAccepted, lambda event: event.message_id == sent)
        assert lies
        assert sent not in [event.message_id for event in await ana.told(MessageDelivered)]
        (message,) = [m for m in await (await ana.chat(BEN)).messages() if m.message_id == sent]
        assert message.status is Status.ACCEPTED
        assert text not in await ben.heard()
        lab.msrp_rules.clear()
        end()
        await lab.delivered(ana, sent)
        await lab.once(ben, text)
        await still_encrypted(lab, ana, ben)
        nothing_readable(lab)


def stripped(seen: Seen) -> Interference | None:
    """No tag in any Contact, no Accept-Contact, no word of CPM."""
    message = seen.message
    headers = message.headers.without("Accept-Contact").without("P-Preferred-Service")
    contact = headers.get("Contact")
    if contact is not None:
        headers = headers.with_(
            "Contact", ";".join(p for p in contact.split(";") if not p.startswith(("+g.", "+3gpp")))
        )
    if isinstance(message, Request):
        return replaced(Request(message.method, message.uri, headers, message.body))
    return replaced(Response(message.status, message.reason, headers, message.body))


@pytest.mark.parametrize("text", [SECRET, SECRET * 2_000], ids=["small", "large"])
async def test_sr_02_stripped_tags_only_delay(tmp_path: Path, text: str) -> None:
    """SR-02: of registrations, calls, answers. Everything arrives, encrypted; over sessions or not is all they decide."""
    async with Lab.open(tmp_path) as lab:
        lab.sip_rules.append(stripped)
        ana, ben = await lab.pair(ANA, BEN, limits=ROOMY, relay=True, rcs=_SESSIONS)
        await lab.transport_of(ana).real.capabilities(BEN)
        await lab.arrives(ana, ben, text)
        await lab.arrives(ben, ana, text)
        await still_encrypted(lab, ana, ben)
        nothing_readable(lab)


def attribute(name: bytes, value: bytes) -> Callable[[Seen], Interference | None]:
    """Another value of an attribute in every description; where it is missing, it is added."""
    line = re.compile(rb"(?m)^a=" + name + rb":[^\r]*")

    def tamper(seen: Seen) -> Interference | None:
        body = seen.message.body
        if not body.startswith(b"v=0"):
            return None
        changed = line.sub(b"a=" + name + b":" + value, body)
        if changed == body:
            changed = body + b"a=" + name + b":" + value + b"\r\n"
        return replaced(with_body(seen.message, changed))

    return tamper


def address(seen: Seen) -> Interference | None:
    """Another machine's."""
    body = seen.message.body.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 192.0.2.1")
    return replaced(with_body(seen.message, body)) if body != seen.message.body else None


def garbage(seen: Seen) -> Interference | None:
    return replaced(with_body(seen.message, b"v=0\r\nnonsense")) if seen.message.body.startswith(b"v=0") else None


_TAMPERED = pytest.mark.parametrize(
    "tamper",
    [
        attribute(b"path", b"msrp://127.0.0.1:9/attacker;tcp"),
        attribute(b"path", b"msrps://127.0.0.1:9/attacker;tcp"),
        attribute(b"path", b"not a path"),
        attribute(b"fingerprint", b"sha-256 " + b":".join([b"AB"] * 32)),
        attribute(b"setup", b"holdconn"),
        attribute(b"accept-types", b"text/plain"),
        attribute(b"max-size", b"0"),
        address,
        garbage,
    ],
    ids=["path", "msrps", "no path", "fingerprint", "setup", "types", "size 0", "address", "garbage"],
)


@_TAMPERED
async def test_sr_01_a_tampered_description_gets_no_plaintext(
    tmp_path: Path, tamper: Callable[[Seen], Interference | None]
) -> None:
    """SR-01: the session fails or not; the message goes another way, encrypted, and nothing is readable anywhere."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(
            ANA,
            BEN,
            limits=SOON,
            rcs=_SESSIONS,
            sessions={"open_s": 0.3, "answer_s": 0.3},
            msrp=msrp_settings(bind_ms=200),
        )
        for phone in (ana, ben):
            for session in list(lab.transport_of(phone).real.sessions._sessions):
                session.close("the next one")
        lab.sip_rules.append(tamper)
        calls = len(lab.asked("INVITE", ANA))
        await lab.arrives(ana, ben, SECRET)
        assert len(lab.asked("INVITE", ANA)) > calls
        await still_encrypted(lab, ana, ben)
        nothing_readable(lab)


async def test_sr_01_a_middlebox_that_both_were_given_reads_nothing(tmp_path: Path) -> None:
    """SR-01: the carrier puts itself between them by the address (RFC 6714); what passes it is sealed."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        lab.sip_rules.append(box.rule)
        ana, ben = await lab.pair(ANA, BEN, limits=ROOMY, rcs=_SESSIONS)
        await lab.arrives(ana, ben, SECRET)
        await lab.arrives(ben, ana, SECRET * 2_000)
        assert len(box.bytes_seen) > len(SECRET) * 2_000, "it did see all of it"
        await still_encrypted(lab, ana, ben)
        nothing_readable(lab, box)


async def test_sr_03_another_body_in_its_place_is_refused_and_the_message_arrives(tmp_path: Path) -> None:
    """SR-03: bytes of the frame are changed on the relay: it is not shown, and the repeat is."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=SOON, relay=True, rcs=_SESSIONS)
        left = [1]

        def alter(seen: MsrpSeen) -> MsrpInterference | None:
            if seen.request.method != "SEND" or len(seen.body) < 100 or not left[0]:
                return None
            left[0] -= 1
            return MsrpInterference((seen.with_body(seen.body[:-9] + bytes(b ^ 1 for b in seen.body[-9:])),))

        lab.msrp_rules.append(alter)
        sent = await ana.say(BEN, SECRET)
        await lab.delivered(ana, sent)
        await lab.once(ben, SECRET)
        await still_encrypted(lab, ana, ben)
        nothing_readable(lab)


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_the_search_finds_what_is_not_encrypted(tmp_path: Path, relay: bool) -> None:
    """The control: in a chat that its users left unencrypted, the same search finds the text."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        lab.sip_rules.append(box.rule)
        ana, ben = await lab.plain_pair(ANA, BEN, limits=SOON, relay=relay, rcs=_SESSIONS)
        await ana.say(BEN, SECRET)
        await ben.hears(SECRET)
        found = (
            bool(Searcher(lab.folder / "wire.log").search(SECRET.strip()))
            if relay
            else SECRET.encode() in box.bytes_seen
        )
        assert found

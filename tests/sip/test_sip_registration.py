"""The registration machine: first REGISTER, challenge, refresh, 423, removal, and no stale contacts."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from letterlock.codec.sip import Credentials, CSeq, Headers, NameAddr, Params, Request, Response, Uri
from letterlock.sip.authenticator import Authenticator
from letterlock.sip.digest_server import DigestServer, Outcome
from letterlock.sip.registration import (
    Registered,
    Registration,
    RegistrationConfig,
    RegistrationFailed,
    RegistrationState,
    SendRegister,
    Unregistered,
)

INSTANCE = "urn:uuid:00000000-0000-4000-8000-000000000001"
FIRST = Uri.parse("sip:+15550100@127.0.0.1:40000;transport=tcp")
SECOND = Uri.parse("sip:+15550100@127.0.0.1:40001;transport=tcp")
DOMAIN = "ims.example.test"


def rng_of(seed: str) -> object:
    counter = itertools.count()
    return lambda n: hashlib.shake_256(f"{seed}{next(counter)}".encode()).digest(n)


class Registrar:
    """A registrar that knows RFC 5626, or with `by_instance=False` one that does not."""

    def __init__(
        self, *, by_instance: bool = True, bare: bool = False, password: str = "pw", granted: int = 3600
    ) -> None:
        self.digest = DigestServer(DOMAIN, b"k" * 32, {"ana@ims": password}.get)
        self.rng = rng_of("registrar")
        self.by_instance = by_instance
        self.bare = bare
        self.granted = granted
        self.contacts: dict[str, NameAddr] = {}
        self.seen: list[Request] = []

    def answer(self, request: Request, now: int) -> Response:
        self.seen.append(request)
        assert request.uri == f"sip:{DOMAIN}"
        verdict = self.digest.verify(request.headers.all("Authorization"), "REGISTER", request.uri, now)
        if verdict.outcome is not Outcome.ACCEPTED:
            stale = verdict.outcome is Outcome.STALE
            values = self.digest.challenge(now, self.rng, stale=stale)  # type: ignore[arg-type]
            return Response(401, "Unauthorized", Headers([("WWW-Authenticate", value) for value in values]))
        for text in request.headers.listed("Contact"):
            contact = NameAddr.parse(text)
            instance = contact.params.get("+sip.instance")
            if contact.params.get("expires") == "0":
                self.contacts.pop(contact.uri.encode(), None)
                continue
            if self.by_instance:
                self.contacts = {k: c for k, c in self.contacts.items() if c.params.get("+sip.instance") != instance}
            self.contacts[contact.uri.encode()] = contact.with_param("expires", str(self.granted))
        items = [
            ("Contact", (NameAddr(contact.uri) if self.bare else contact).encode())
            for contact in self.contacts.values()
        ]
        items.append(("Service-Route", "<sip:a.test;lr>, <sip:b.test;lr>"))
        items.append(("P-Associated-URI", f"<sip:+15550100@{DOMAIN}>, <tel:+15550100>"))
        return Response(200, "OK", Headers(items))


def registration(password: str = "pw") -> Registration:
    config = RegistrationConfig(
        domain=DOMAIN,
        identity=Uri.parse(f"sip:+15550100@{DOMAIN}"),
        private_identity="ana@ims",
        instance=INSTANCE,
        features=Params.parse(';+g.3gpp.icsi-ref="urn%3Ax"'),
        expires_s=3600,
        user_agent="test",
    )
    rng = rng_of("client")
    return Registration(config, Authenticator("ana@ims", password, rng), rng)  # type: ignore[arg-type]


def play(machine: Registration, effects: list[object], registrar: Registrar, now: int) -> list[object]:
    """Deliver requests and answers until nothing is open; returns the other effects."""
    out: list[object] = []
    while effects:
        effect = effects.pop(0)
        if isinstance(effect, SendRegister):
            effects += machine.on_response(registrar.answer(effect.request, now), now)
        else:
            out.append(effect)
    return out


def test_first_register_names_the_private_identity_and_proves_nothing() -> None:
    machine = registration()
    (effect,) = machine.start(FIRST, 0)
    assert isinstance(effect, SendRegister)
    headers = effect.request.headers
    blank = Credentials.parse(headers.get("Authorization") or "")
    assert (blank.username, blank.realm, blank.nonce, blank.response) == ("ana@ims", DOMAIN, "", "")
    contact = NameAddr.parse(headers.get("Contact") or "")
    assert contact.uri == FIRST
    assert contact.params.get("+sip.instance") == f"<{INSTANCE}>"
    assert contact.params.get("reg-id") == "1"
    assert contact.params.get("+g.3gpp.icsi-ref") == "urn%3Ax"
    assert headers.get("Supported") == "path, gruu, outbound"
    assert CSeq.parse(headers.get("CSeq") or "") == CSeq(1, "REGISTER")


def test_challenge_then_registered_with_routes() -> None:
    machine, registrar = registration(), Registrar()
    (done,) = play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    assert isinstance(done, Registered)
    assert done.binding.service_route == ("<sip:a.test;lr>", "<sip:b.test;lr>")
    assert [uri.encode() for uri in done.binding.associated] == [f"sip:+15550100@{DOMAIN}", "tel:+15550100"]
    assert done.binding.expires_at == 3_600_000
    assert machine.state is RegistrationState.REGISTERED
    assert len(registrar.seen) == 2


def test_refresh_before_expiry_with_the_known_nonce() -> None:
    machine, registrar = registration(), Registrar()
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    due = machine.next_deadline()
    assert due == 3_000_000
    assert machine.on_deadline(due - 1) == []
    # The nonce is too old by then, so the registrar challenges with stale=true and is answered.
    (done,) = play(machine, [*machine.on_deadline(due)], registrar, due)
    assert isinstance(done, Registered)
    assert machine.next_deadline() == 6_000_000
    cseqs = [CSeq.parse(r.headers.get("CSeq") or "").number for r in registrar.seen]
    assert cseqs == sorted(set(cseqs))
    assert len({r.headers.get("Call-ID") for r in registrar.seen}) == 1


def test_a_short_grant_is_refreshed_at_half_time() -> None:
    machine = registration()
    play(machine, [*machine.start(FIRST, 0)], Registrar(granted=60), 0)
    assert machine.next_deadline() == 30_000


def test_a_hostile_grant_of_nothing_does_not_make_us_spin() -> None:
    """SR-08."""
    machine = registration()
    play(machine, [*machine.start(FIRST, 0)], Registrar(granted=0), 0)
    due = machine.next_deadline()
    assert due is not None
    assert due >= 2500


def test_other_feature_tags_are_told_at_once_and_once() -> None:
    machine, registrar = registration(), Registrar()
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    more = Params.parse(";+g.3gpp.more")
    machine.advertise(more, 5_000)
    assert machine.next_deadline() == 5_000
    play(machine, [*machine.on_deadline(5_000)], registrar, 5_000)
    (contact,) = registrar.contacts.values()
    assert "+g.3gpp.more" in contact.params and "+g.3gpp.icsi-ref" not in contact.params
    due = machine.next_deadline()
    assert due is not None and due > 1_000_000
    machine.advertise(more, 6_000)
    assert machine.next_deadline() == due


def test_feature_tags_that_change_while_a_register_is_open_are_told_after_it() -> None:
    machine, registrar = registration(), Registrar()
    open_now = machine.start(FIRST, 0)
    machine.advertise(Params.parse(";+g.3gpp.more"), 0)
    assert machine.next_deadline() is None
    play(machine, [*open_now], registrar, 10)
    assert machine.next_deadline() == 10  # the challenge was answered with the request as it was
    play(machine, [*machine.on_deadline(10)], registrar, 10)
    assert "+g.3gpp.more" in next(iter(registrar.contacts.values())).params


def test_no_deadline_while_a_register_is_open() -> None:
    machine, registrar = registration(), Registrar()
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    machine.on_deadline(3_000_000)
    assert machine.state is RegistrationState.REFRESHING
    assert machine.next_deadline() is None
    assert machine.on_deadline(3_100_000) == []


def test_423_asks_for_more() -> None:
    machine = registration()
    machine.start(FIRST, 0)
    (effect,) = machine.on_response(Response(423, "", Headers([("Min-Expires", "7200")])), 0)
    assert isinstance(effect, SendRegister)
    assert effect.request.headers.get("Expires") == "7200"
    for value in ("7200", "100", "junk", "99999999999"):  # not more than asked for, or absurd: no loop
        (failed,) = machine.on_response(Response(423, "", Headers([("Min-Expires", value)])), 0)
        assert isinstance(failed, RegistrationFailed)
        machine.start(FIRST, 0)


@pytest.mark.parametrize("by_instance", [True, False])
def test_no_stale_contact_after_a_reconnect(by_instance: bool) -> None:
    machine, registrar = registration(), Registrar(by_instance=by_instance)
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    machine.connection_lost()
    assert machine.state is RegistrationState.IDLE
    assert machine.next_deadline() is None
    play(machine, [*machine.start(SECOND, 5000)], registrar, 5000)
    assert list(registrar.contacts) == [SECOND.encode()]
    assert machine.state is RegistrationState.REGISTERED
    calls = {r.headers.get("Call-ID") for r in registrar.seen}
    cseqs = [CSeq.parse(r.headers.get("CSeq") or "").number for r in registrar.seen]
    assert len(calls) == 1
    assert cseqs == sorted(set(cseqs))


@pytest.mark.parametrize("by_instance", [True, False])
def test_no_stale_contact_after_a_restart(by_instance: bool) -> None:
    """A new process has a new Call-ID; the instance still tells that the old binding is its own."""
    registrar = Registrar(by_instance=by_instance)
    old = registration()
    play(old, [*old.start(FIRST, 0)], registrar, 0)
    new = registration()
    play(new, [*new.start(SECOND, 5000)], registrar, 5000)
    assert list(registrar.contacts) == [SECOND.encode()]


def test_no_stale_contact_where_the_registrar_keeps_no_parameters() -> None:
    """Some registrars list bare addresses: those that we registered ourselves are known all the same."""
    machine, registrar = registration(), Registrar(by_instance=False, bare=True)
    other = "sip:+15550100@192.0.2.7:1"
    registrar.contacts[other] = NameAddr.parse(f"<{other}>")
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    machine.connection_lost()
    play(machine, [*machine.start(SECOND, 5000)], registrar, 5000)
    assert set(registrar.contacts) == {SECOND.encode(), other}
    machine.connection_lost()
    play(machine, [*machine.start(FIRST, 9000)], registrar, 9000)
    assert set(registrar.contacts) == {FIRST.encode(), other}


def test_a_registrar_that_invents_contacts_does_not_make_us_spin() -> None:
    machine = registration()
    effects: list[object] = [*machine.start(FIRST, 0)]
    for count in range(1000):
        if not any(isinstance(effect, SendRegister) for effect in effects):
            return
        invented = "".join(f', <sip:{count}-{i}@h>;+sip.instance="<{INSTANCE}>"' for i in range(8))
        contacts = f"<{FIRST.encode()}>;expires=60{invented}"
        effects = [*machine.on_response(Response(200, "", Headers([("Contact", contacts)])), 0)]
    raise AssertionError("still asking")


def test_contacts_of_other_devices_are_left_alone() -> None:
    registrar = Registrar(by_instance=False)
    other = NameAddr.parse('<sip:+15550100@192.0.2.7:1>;+sip.instance="<urn:uuid:other>"')
    registrar.contacts[other.uri.encode()] = other
    machine = registration()
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    assert set(registrar.contacts) == {FIRST.encode(), other.uri.encode()}


def test_a_registrar_that_will_not_forget_is_not_asked_for_ever() -> None:
    machine = registration()
    machine.start(FIRST, 0)
    stale = f'<{SECOND.encode()}>;+sip.instance="<{INSTANCE}>"'
    answer = Response(200, "", Headers([("Contact", f"<{FIRST.encode()}>;expires=60"), ("Contact", stale)]))
    effects = machine.on_response(answer, 0)
    assert [type(effect) for effect in effects] == [Registered, SendRegister]
    assert [type(effect) for effect in machine.on_response(answer, 0)] == [Registered]


def test_removal_is_authenticated() -> None:
    machine, registrar = registration(), Registrar()
    play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    effects = machine.stop(1000)
    (effect,) = effects
    assert isinstance(effect, SendRegister)
    assert NameAddr.parse(effect.request.headers.get("Contact") or "").params.get("expires") == "0"
    assert Credentials.parse(effect.request.headers.get("Authorization") or "").response
    (done,) = play(machine, [*effects], registrar, 1000)
    assert isinstance(done, Unregistered)
    assert registrar.contacts == {}
    assert machine.state is RegistrationState.IDLE


def test_stop_waits_for_the_open_register() -> None:
    machine, registrar = registration(), Registrar()
    effects = machine.start(FIRST, 0)
    assert machine.stop(0) == []
    assert [type(effect) for effect in play(machine, [*effects], registrar, 0)] == [Registered, Unregistered]
    assert registrar.contacts == {}


def test_stop_before_start() -> None:
    assert registration().stop(0) == [Unregistered()]


def test_a_wrong_password_is_permanent_and_tried_once() -> None:
    machine, registrar = registration("wrong"), Registrar()
    (failed,) = play(machine, [*machine.start(FIRST, 0)], registrar, 0)
    assert isinstance(failed, RegistrationFailed)
    assert (failed.status, failed.permanent) == (401, True)
    assert len(registrar.seen) == 2
    assert machine.state is RegistrationState.FAILED


@pytest.mark.parametrize(
    ("status", "permanent", "header", "wait"),
    [
        (403, True, "", None),
        (404, True, "", None),
        (500, False, "", None),
        (503, False, "30", 30_000),
        (503, False, "600000", 3_600_000),  # nobody silences a phone for a week
        (503, False, "junk", None),
        (302, False, "", None),
    ],
)
def test_refusals(status: int, permanent: bool, header: str, wait: int | None) -> None:
    machine = registration()
    machine.start(FIRST, 0)
    headers = Headers([("Retry-After", header)]) if header else Headers()
    (failed,) = machine.on_response(Response(status, "no", headers), 0)
    assert failed == RegistrationFailed(status, "no", permanent, wait)
    assert machine.binding is None


def test_silence_is_temporary() -> None:
    machine = registration()
    machine.start(FIRST, 0)
    (failed,) = machine.on_timeout(32_000)
    assert isinstance(failed, RegistrationFailed)
    assert (failed.status, failed.permanent) == (408, False)


def test_provisional_and_unexpected_responses_change_nothing() -> None:
    machine, registrar = registration(), Registrar()
    effects = machine.start(FIRST, 0)
    assert machine.on_response(Response(100, "Trying", Headers()), 0) == []
    play(machine, [*effects], registrar, 0)
    assert machine.on_response(Response(403, "late", Headers()), 0) == []
    assert machine.state is RegistrationState.REGISTERED


def test_unreadable_values_in_a_200_are_passed_over() -> None:
    machine = registration()
    machine.start(FIRST, 0)
    answer = Response(
        200,
        "OK",
        Headers([("Contact", "junk <<"), ("Contact", "*"), ("P-Associated-URI", "??"), ("Expires", "x")]),
    )
    with_unbalanced = machine.on_response(answer, 0)
    assert [type(effect) for effect in with_unbalanced] == [Registered]

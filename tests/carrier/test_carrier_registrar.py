"""The carrier's registrar: Digest, one binding for each device, expiry, removal."""

from __future__ import annotations

import gc
import itertools
import tracemalloc

import pytest

from carrier.harness import ALICE, BOB, DOMAIN, Net
from letterlock.carrier.accounts import Accounts
from letterlock.carrier.settings import Settings
from letterlock.codec.sip import Challenge
from letterlock.errors import InputError

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"


def test_a_phone_registers_and_learns_its_route_and_numbers() -> None:
    answer = Net().line().register(ALICE, ONE)
    assert answer.status == 200
    assert answer.headers.listed("Service-Route") == ("<sip:127.0.0.1:5060;transport=tcp;lr>",)
    assert answer.headers.all("P-Associated-URI") == (f"<sip:{ALICE}@{DOMAIN};user=phone>", f"<tel:{ALICE}>")
    (contact,) = answer.headers.listed("Contact")
    assert "expires=600" in contact
    assert ONE in contact


def test_both_hashes_are_offered_strongest_first_and_both_work() -> None:
    net = Net()
    aor = f"<sip:{ALICE}@{DOMAIN}>"
    first = net.line().request("REGISTER", f"sip:{DOMAIN}", ("From", f"{aor};tag=1"), ("To", aor))
    assert first is not None
    assert [Challenge.parse(text).algorithm for text in first.headers.all("WWW-Authenticate")] == ["SHA-256", "MD5"]
    for algorithm in ("SHA-256", "MD5"):
        assert net.line().register(ALICE, ONE, algorithm=algorithm).status == 200
    plain = Net(Settings(algorithms=("MD5",), qop=()))
    assert plain.line().register(ALICE, ONE, algorithm="MD5").status == 200


def test_the_private_identity_may_carry_a_domain() -> None:
    assert Net().line().register(ALICE, ONE, username=f"{ALICE}@ims.example.test").status == 200


def test_a_wrong_password_an_unknown_number_and_anothers_number_are_refused() -> None:
    net = Net()
    assert net.line().register(ALICE, password="wrong").status == 401
    assert net.line().register("+15559999999", password="x").status == 401
    # Bob's own password does not register Alice's number.
    assert net.line().register(ALICE, username=BOB, password="bob-pw").status == 403
    assert net.core.locations.of(ALICE) == ()
    assert net.line().register("alice").status == 404


def test_guessing_is_cut_off() -> None:
    net = Net(Settings(max_auth_failures=3))
    line = net.line()
    for _ in range(4):
        line.register(ALICE, password="wrong")
    assert line.hung_up


def test_nobody_registers_for_somebody_else() -> None:
    net = Net()
    answer = net.line().request(
        "REGISTER", f"sip:{DOMAIN}", ("From", f"<sip:{BOB}@{DOMAIN}>;tag=1"), ("To", f"<sip:{ALICE}@{DOMAIN}>")
    )
    assert answer is not None
    assert answer.status == 404


def test_lab_accounts_take_any_number_with_the_one_password() -> None:
    net = Net(accounts=Accounts.lab("lab"))
    assert net.line().register("+15550777", password="lab").status == 200
    assert net.line().register("+15550778", password="bal").status == 401
    assert "lab" not in repr(Accounts.lab("lab"))
    with pytest.raises(InputError):
        Accounts.of({"alice": "x"})


def test_a_device_that_reconnects_has_one_binding() -> None:
    """No stale contact: the old one of the same instance is replaced, the new connection gets the messages."""
    net = Net()
    old = net.phone(BOB, ONE)
    new = net.line()
    answer = new.register(BOB, ONE)
    assert len(answer.headers.listed("Contact")) == 1
    alice = net.phone(ALICE)
    alice.message(ALICE, BOB)
    assert old.arrived() == []
    assert len(new.arrived()) == 1
    # The end of the old connection does not touch the new binding.
    old.drop()
    new.answer()
    assert alice.answers()[-1].status == 200


def test_two_devices_have_two_bindings_and_a_broken_connection_leaves_none() -> None:
    net = Net()
    first = net.phone(BOB, ONE)
    second = net.line()
    assert len(second.register(BOB, TWO).headers.listed("Contact")) == 2
    first.drop()
    assert len(second.register(BOB, TWO).headers.listed("Contact")) == 1


def test_expiry_removal_and_removal_of_all() -> None:
    net = Net()
    line = net.phone(BOB, ONE, expires=60)
    net.pass_time(59_000)
    assert [device.connection for device in net.core.locations.of(BOB)] == [line.id]
    net.pass_time(3_000)
    assert [device.connection for device in net.core.locations.of(BOB)] == [None]
    line.register(BOB, ONE)
    assert line.register(BOB, ONE, expires=0).headers.listed("Contact") == ()
    line.register(BOB, ONE)
    # By its address alone, without the instance.
    line.register(BOB, contact=f"<sip:{BOB}@127.0.0.1:{line.port};transport=tcp>;expires=0")
    assert net.core.locations.on(line.id) == ()
    net.phone(BOB, ONE)
    net.phone(BOB, TWO)
    assert line.register(BOB, contact="*", extra=(("Expires", "0"),)).status == 200
    assert [device.connection for device in net.core.locations.of(BOB)] == [None, None]
    assert line.register(BOB, contact="*").status == 400


def test_bounds_of_a_registration() -> None:
    net = Net(Settings(max_contacts=2, max_numbers=2))
    line = net.line()
    answer = line.register(BOB, ONE, expires=1)
    assert answer.status == 423
    assert answer.headers.get("Min-Expires") == "5"
    assert "expires=3600" in line.register(BOB, ONE, expires=999_999).headers.listed("Contact")[0]
    assert net.line().register(BOB, TWO).status == 200
    assert net.line().register(BOB, "00000000-0000-4000-8000-000000000003").status == 403
    assert net.line().register(BOB, TWO).status == 200
    assert line.register(BOB, ONE, extra=(("Require", "x-new"),)).status == 420
    assert net.line().register(ALICE).status == 200
    assert net.line().register("+15550102").status == 503


def test_an_old_cseq_changes_nothing() -> None:
    net = Net()
    line = net.line()
    same = ("Call-ID", "one")
    assert line.register(BOB, ONE, extra=(same, ("CSeq", "5 REGISTER"))).status == 200
    assert line.register(BOB, ONE, expires=0, extra=(same, ("CSeq", "5 REGISTER"))).status == 400
    assert line.register(BOB, ONE, expires=0, extra=(same, ("CSeq", "6 REGISTER"))).status == 200


def test_an_honest_client_is_not_taken_for_one_that_guesses() -> None:
    """Its nonce is stale at each refresh, and it answers each challenge with the right password."""
    net = Net(Settings(max_auth_failures=3))
    line = net.phone(ALICE, ONE)
    for _ in range(8):
        net.pass_time(400_000)
        assert line.register(ALICE, ONE).status == 200
    assert not line.hung_up


def test_a_burst_that_is_challenged_is_no_guessing() -> None:
    net = Net(Settings(max_auth_failures=3, challenge_requests=True))
    line, _ = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    for _ in range(8):
        answer = line.message(ALICE, BOB)
        assert answer is not None
        assert answer.status == 407
    assert not line.hung_up


# --- what is kept of a client ------------------------------------------------------------------------
def test_sr_08_what_is_kept_is_bounded_however_long_a_contact_and_a_call_id_are() -> None:
    net = Net()
    line = net.line()
    long = f"<sip:{BOB}@127.0.0.1;x={'y' * 3_000}>;expires=600"
    assert line.register(BOB, contact=long).status == 413
    assert net.core.locations.of(BOB) == ()
    same = ("Call-ID", "z" * 7_000)
    assert line.register(BOB, ONE, extra=(same, ("CSeq", "5 REGISTER"))).status == 200
    (device,) = net.core.locations.of(BOB)
    assert len(device.order[0]) == 16
    assert line.register(BOB, ONE, extra=(same, ("CSeq", "4 REGISTER"))).status == 400


def test_a_registered_client_takes_less_than_a_kilobyte() -> None:
    """`bench/bench_register.py` measures the process; this is what the core holds."""
    net = Net(accounts=Accounts.lab("lab"))
    line = net.line()

    def register(count: int) -> None:
        for index in itertools.islice(numbers, count):
            line.register(f"+1555{index:07}", f"00000000-0000-4000-8000-{index:012}", password="lab")
        line.inbox.clear()
        gc.collect()

    numbers = itertools.count()
    tracemalloc.start()
    try:
        register(300)  # for caches
        before = tracemalloc.get_traced_memory()[0]
        register(100)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert net.core.locations.numbers() == 400
    assert grown / 100 < 1_024


def test_numbers_that_come_and_go_leave_nothing() -> None:
    net = Net(Settings(grace_ms=1_000))
    for _ in range(3):
        line = net.phone(ALICE, ONE)
        line.register(BOB, TWO)
        line.drop()
        net.pass_time(5_000)
    assert net.core.locations.numbers() == 0
    assert not net.core.locations._on
    assert not net.core._peers

"""Starting and ending the network side, what `doctor` finds, and what is said when something is down."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from cli.terminals import Running, Town, User, clean_environment

pytestmark = pytest.mark.slow

MACHINE = ["python", "versions", "cryptography", "search", "decoders", "browser", "disk"]


@pytest.mark.parametrize("verb", ["carrier", "directory", "focus"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services_end_cleanly(verb: str, number: signal.Signals, tmp_path: Path) -> None:
    with Running((verb, "--port", "0"), clean_environment(tmp_path)) as service:
        service.line(r"127\.0\.0\.1:[1-9]")
        assert service.stop(number) == 0
    assert "Traceback" not in service.text


@pytest.mark.parametrize("verb", ["carrier", "directory", "focus"])
def test_a_port_that_is_taken(verb: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        user = User("nobody", "", clean_environment(tmp_path))
        done = user.run(verb, "--port", str(other.getsockname()[1]))
    assert done.code == 3
    assert "letterlock: error: cannot listen on 127.0.0.1:" in done.err
    assert "address already in use" in done.err
    assert "letterlock: hint: another program has the port" in done.err


def test_one_database_has_one_directory(town: Town) -> None:
    done = User("second", "", clean_environment(town.folder)).run("directory", "--port", "0")
    assert done.code == 3
    assert "another process runs on this directory database" in done.err


def test_tls_with_a_lab_certificate(tmp_path: Path) -> None:
    """SR-19: TLS on the way to the carrier, checked against the authority that was named and no other."""
    lab = Town(tmp_path)
    environment = clean_environment(tmp_path)
    certificates = tmp_path / "tls"
    lab.carrier = Running(("-o", "json", "carrier", "--port", "0", "--tls", str(certificates)), environment)
    lab.directory = Running(("-o", "json", "directory", "--port", "0"), environment)
    try:
        lab.carrier_uri = lab.carrier.record('"carrier"')["carrier"]
        lab.directory_url = lab.directory.record('"directory"')["directory"]
        assert lab.carrier_uri.startswith("sips:")
        user = lab.stranger("tess", "+15550600", LETTERLOCK_PASSPHRASE="tulip")
        arguments = ["setup", user.number, "--carrier-ca", str(certificates / "ca.pem")]
        with user.start(*arguments) as setup:
            setup.type(lab.code(user.number))
            assert setup.wait() == 0, setup.text
        done = user.run("-o", "json", "doctor").ok()
        assert next(r for r in done.records if r["check"] == "carrier")["result"].endswith("takes connections")

        wary = lab.stranger("wary", "+15550601", LETTERLOCK_PASSPHRASE="tulip")
        with wary.start("setup", wary.number) as setup:
            setup.type(lab.code(wary.number))
            assert setup.wait() == 0
        done = wary.run("-o", "json", "doctor")
        assert done.code == 3
        assert not next(r for r in done.records if r["check"] == "carrier")["ok"]
    finally:
        lab.close()


def test_doctor_without_a_profile(town: Town, ben: User) -> None:
    """One that was named and is not there is wrong; that nothing was set up so far is what a newcomer has."""
    nobody = town.stranger("nobody", "+15550700")
    done = nobody.run("-o", "json", "doctor")
    assert done.code == 1
    assert [record["check"] for record in done.records] == [*MACHINE, "profile"]
    last = done.records[-1]
    assert (last["level"], last["result"]) == ("fail", "there is none called 'nobody'")
    assert last["hint"] == "make one: letterlock setup NUMBER --profile NAME"

    new = nobody.run("-o", "json", "doctor", LETTERLOCK_PROFILE="").ok()
    assert (new.records[-1]["level"], new.records[-1]["hint"]) == ("warn", last["hint"])

    slip = ben.run("doctor", "--profile", "bne")
    assert slip.code == 1
    assert "FAIL  profile: there is none called 'bne'\n      hint: there are ben: --profile ben; or make" in slip.out


def test_doctor_with_a_profile_and_with_an_owner_running(ben: User) -> None:
    alone = ben.run("-o", "json", "doctor").ok()
    assert [record["check"] for record in alone.records] == [
        *MACHINE, "profile", "daemon", "store", "directory", "carrier", "push", "content", "clock", "certificates", "sms", "kds",
        "account",
    ]  # fmt: skip
    assert all(record["ok"] for record in alone.records)
    # A lab without a content server: no failure, and what to do about it.
    content = next(record for record in alone.records if record["check"] == "content")
    assert (content["level"], content["ok"]) == ("warn", True)
    assert "--content URL" in content["hint"]
    assert all(bool(record["hint"]) == (record["level"] != "ok") for record in alone.records)
    with ben.listen():
        beside = ben.run("doctor").ok()
    assert "another process has this profile open" in beside.out
    assert f"ok    account: {ben.number} with 1 device" in beside.out


def test_doctor_sees_a_profile_that_others_can_read(town: Town, ben: User) -> None:
    folder = town.folder / "ben" / "data" / "profiles" / "ben"
    folder.chmod(0o755)
    try:
        done = ben.run("doctor")
    finally:
        folder.chmod(0o700)
    assert done.code == 3
    assert f"chmod 700 {folder}" in done.out


def test_everything_is_down(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.open()
    try:
        una, vic = town.user("una", "+15550800"), town.user("vic", "+15550801")
        town.directory.stop()
        waiting = una.run("send", vic.number, "no directory")
        assert waiting.code == 0
        assert waiting.out.endswith("  Checking encryption...\n")
        assert f"letterlock: it waits for the keys of {vic.number}" in waiting.err

        done = una.run("-o", "json", "doctor")
        assert done.code == 3
        bad = next(record for record in done.records if not record["ok"])
        assert (bad["check"], bad["hint"]) == ("directory", "is it running? on this machine: letterlock directory")

        stranger = town.stranger("wim", "+15550802", LETTERLOCK_PASSPHRASE="tulip")
        done = stranger.run("setup", stranger.number)
        assert done.code == 3
        assert "letterlock: error: no answer from the directory at http" in done.err
        assert "connection refused" in done.err

        town.carrier.stop()
        done = una.run("doctor")
        assert "FAIL  carrier: " in done.out
        with una.start("listen") as listening:
            assert "cannot reach the carrier: connection refused" in listening.line("carrier")
            listening.note("listening")
            assert listening.stop(signal.SIGINT) == 0
    finally:
        town.close()


def test_the_wrong_passphrase_and_the_wrong_code(town: Town) -> None:
    xena = town.stranger("xena", "+15550900", LETTERLOCK_PASSPHRASE="tulip")
    with xena.start("-o", "json", "setup", xena.number) as setup:
        code = town.code(xena.number)
        setup.type(f"{(int(code) + 1) % 10**8:08d}")
        assert setup.wait() == 1
        assert '"error":"directory.code"' in setup.text
    half = xena.run("chats")
    assert half.code == 3
    assert "not set up completely" in half.err
    # The code still stands, and the keys that were made stay the profile's.
    xena.run("setup", xena.number, "--code", code).ok()
    again = xena.run("-o", "json", "setup", xena.number, "--code", code)
    assert (again.code, again.error["error"]) == (1, "input.profile_exists")
    done = xena.run("chats", LETTERLOCK_PASSPHRASE="rose")
    assert done.code == 3
    assert done.err.startswith("letterlock: error: the passphrase does not open this profile\nletterlock: hint: ")
    file = town.folder / "passphrase"
    file.write_text("tulip\nmore\n")
    xena.run("chats", "--passphrase-file", str(file), LETTERLOCK_PASSPHRASE="").ok()

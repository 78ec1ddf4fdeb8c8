"""`letterlock network`: a phone is set up by number and code alone, and three of them talk in a group over the focus."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cli.terminals import Running, User, clean_environment
from letterlock.carrier import search

pytestmark = pytest.mark.slow

NUMBERS = {"ana": "+15550100", "ben": "+15550199", "cleo": "+15550142"}


def test_from_nothing_to_a_group(tmp_path: Path) -> None:
    log = tmp_path / "wire.log"
    command = ("-o", "json", "network", "--free-ports", "--folder", str(tmp_path / "network"), "--log", str(log))
    with Running(command, clean_environment(tmp_path)) as network:
        addresses = network.record('"provisioning"')
        users = {}
        for name, number in NUMBERS.items():
            environment = clean_environment(
                tmp_path / name,
                LETTERLOCK_PROFILE=name,
                LETTERLOCK_PASSPHRASE="tulip",
                LETTERLOCK_PROVISIONING=addresses["provisioning"],
            )
            users[name] = User(name, number, environment)
            with users[name].start("setup", number) as setup:
                setup.note("asked the operator")
                setup.type(network.record(f'"number":"\\{number}"')["code"])
                assert setup.wait() == 0, setup.text
        ana, ben, cleo = users.values()
        with ana.start("listen") as at_ana, cleo.start("listen") as at_cleo:
            at_ana.note("listening")
            at_cleo.note("listening")
            created = ben.run("-o", "json", "group", "create", "Picnic", ana.number, cleo.number).ok().records[-1]
            assert sorted(created["members"]) == sorted(NUMBERS.values())
            assert created["security"] == "encrypted"
            ben.run("send", "Picnic", "who brings the cheese?").ok()
            for terminal in (at_ana, at_cleo):
                terminal.line(r"who brings the cheese\?")
        features = ben.run("-o", "json", "capabilities", ana.number).records[-1]["features"]
        assert features is None  # nobody is there any more, so nobody knows
        assert network.stop(signal.SIGTERM) == 0
    assert "Traceback" not in network.text
    # It went over the conference, where the carrier saw that there is one and nothing of what was said.
    assert search(log, "conference-factory")
    assert not search(log, "who brings the cheese?") and not search(log, "Picnic")


def test_what_it_keeps_is_found_again(tmp_path: Path) -> None:
    command = ("-o", "json", "network", "--free-ports", "--folder", str(tmp_path / "network"))
    secrets = []
    for _ in range(2):
        with Running(command, clean_environment(tmp_path)) as network:
            network.record('"provisioning"')
            secrets.append((tmp_path / "network" / "secret").read_bytes())
            assert network.stop(signal.SIGINT) == 0
    assert secrets[0] == secrets[1]


def test_whoever_goes_past_the_provisioning_server_is_told_the_way(tmp_path: Path) -> None:
    """By itself the directory's code is of no use: the carrier's password is the provisioning server's to tell."""
    command = ("-o", "json", "network", "--free-ports", "--folder", str(tmp_path / "network"))
    with Running(command, clean_environment(tmp_path)) as network:
        addresses = network.record('"provisioning":')
        stray = User("ana", NUMBERS["ana"], clean_environment(tmp_path / "ana", LETTERLOCK_PASSPHRASE="tulip"))
        with stray.start("setup", NUMBERS["ana"], "--directory", addresses["directory"]) as setup:
            said = network.note("past the provisioning server")
            assert f"letterlock setup {NUMBERS['ana']} --provisioning {addresses['provisioning']}" in said
            assert not [line for line in network.seen if '"code"' in line]
            assert setup.stop(signal.SIGINT) == 130
        assert network.stop(signal.SIGTERM) == 0

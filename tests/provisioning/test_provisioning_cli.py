"""`letterlock setup +1555... --provisioning URL` with every server started as its operator starts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.terminals import Running, User, clean_environment
from content.lab import content

pytestmark = pytest.mark.slow

ANA = "+15550100"


@dataclass
class Network:
    """Carrier, directory, content and provisioning server, each in a terminal of its own, one secret among them."""

    folder: Path
    provisioning: Running
    url: str

    def code(self, number: str) -> str:
        code: str = self.provisioning.record(f'"number":"\\{number}"')["code"]
        return code

    def user(self, name: str) -> User:
        environment = clean_environment(
            self.folder / name, LETTERLOCK_PROFILE=name, LETTERLOCK_PROVISIONING=self.url, LETTERLOCK_PASSPHRASE="tulip"
        )
        return User(name, ANA, environment)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    environment = clean_environment(folder)
    secret = ("--secret-file", str(folder / "secret"))
    with (
        Running(("-o", "json", "carrier", "--port", "0"), environment) as carrier,
        Running(("-o", "json", "directory", "--port", "0", *secret), environment) as directory,
    ):
        sip = carrier.record('"carrier"')["carrier"]
        keys = directory.record('"directory"')["directory"]
        with Running(("-o", "json", "content", "--port", "0", *secret), environment) as files:
            url = files.record('"content"')["content"]
            offer = ("--carrier", sip, "--directory", keys, "--content", url)
            command = ("-o", "json", "provisioning", "--port", "0", *secret, *offer)
            with Running(command, environment) as provisioning:
                yield Network(folder, provisioning, provisioning.record('"provisioning"')["provisioning"])


def test_a_number_and_an_address_and_everything_works(network: Network, tmp_path: Path) -> None:
    ana = network.user("ana")
    with ana.start("setup", ANA) as setup:
        setup.note("asked the operator")
        setup.type(network.code(ANA))
        assert setup.wait() == 0, setup.text
    checks = {record["check"]: record for record in ana.run("-o", "json", "doctor").records}
    assert checks["carrier"]["ok"] and checks["directory"]["ok"], checks
    assert not [check for check in checks.values() if check["level"] == "ok" and check["hint"]], checks
    # The password of the content server came with it.
    (tmp_path / "a.bin").write_bytes(content(5000))
    sent = ana.run("-o", "json", "upload", str(tmp_path / "a.bin")).ok().records[-1]
    assert sent["size"] == 5000


def test_a_wrong_code_can_be_repeated_in_another_process(network: Network) -> None:
    ben = network.user("ben")
    with ben.start("-o", "json", "setup", "+15550199") as setup:
        setup.note("asked the operator")
        code = network.code("+15550199")
        setup.type(f"{(int(code) + 1) % 10**8:08d}")
        assert setup.wait() == 1
    assert '"provisioning.code"' in setup.text
    ben.run("setup", "+15550199", "--code", code).ok()


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("provisioning",), 1, "input.usage"),
        (("provisioning", "--secret-file", "S", "--state", "+15550100:away"), 1, "input.provisioning"),
        (("provisioning", "--secret-file", "S", "--state", "+15550100:dormant"), 1, "provisioning.unknown"),
        (("provisioning", "--secret-file", "S", "--validity-hours", "0"), 1, "input.provisioning"),
        (("provisioning", "--secret-file", "S", "--carrier", "http://x"), 1, "input.carrier"),
        (("provisioning", "--secret-file", "S", "--host", "192.0.2.1"), 1, "provisioning.tls"),
        (("setup", "+15550102", "--provisioning", "http://example.test/"), 1, "provisioning.tls"),
        (("setup", "+15550103", "--provisioning", "http://127.0.0.1:9/"), 3, "transport.provisioning"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, arguments: tuple[str, ...], code: int, error: str) -> None:
    environment = clean_environment(tmp_path, LETTERLOCK_PASSPHRASE="tulip")
    given = [str(tmp_path / "secret") if item == "S" else item for item in arguments]
    if arguments[0] == "provisioning":
        given += ["--port", "0"]
    done = User("op", "", environment).run("-o", "json", *given, seconds=60)
    assert (done.code, done.error["error"]) == (code, error)
    assert not os.path.exists(tmp_path / "secret") or oct((tmp_path / "secret").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--gateway", "http://127.0.0.1:1"),
        ("--content", "http://127.0.0.1:1"),
        ("--carrier", "sip:127.0.0.1:1"),
        ("--directory", "http://127.0.0.1:1"),
    ],
)
def test_what_the_operator_names_is_not_named_beside_it(tmp_path: Path, option: str, value: str) -> None:
    """It was left out without a word once."""
    environment = clean_environment(
        tmp_path, LETTERLOCK_PROVISIONING="http://127.0.0.1:9", LETTERLOCK_PASSPHRASE="tulip"
    )
    done = User("eve", ANA, environment).run("-o", "json", "setup", ANA, option, value)
    assert done.code == 1
    assert f"{option} cannot go with --provisioning" in done.err
    assert "without LETTERLOCK_PROVISIONING" in done.err
    assert not (tmp_path / "eve").exists()

"""docs/gateway.md and docs/spec/gateway.md: the program runs, shell lines are understood, codes and numbers are the code's.

And what docs/decisions/0011 promises: the gateway loads nothing that could hold a key.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

from letterlock.apps.cli import parser
from letterlock.codec.gateway import coding
from letterlock.services.gateway import GatewayLimits
from letterlock.services.gateway import link as links
from letterlock.transport.gateway.config import GatewaySettings
from pages import run_page

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
SPEC = (ROOT / "docs" / "spec" / "gateway.md").read_text(encoding="utf-8")


def test_the_program_runs() -> None:
    assert run_page("gateway.md") == 1


def test_shell_lines_are_understood() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines()]
    assert len(lines) == 4
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_code_of_the_service_is_described() -> None:
    places = [*(ROOT / "src/letterlock/services/gateway").glob("*.py"), ROOT / "src/letterlock/apps/cli/gateway.py"]
    used = {code for path in places for code in re.findall(r'code="(gateway\.[a-z_.]+)"', path.read_text("utf-8"))}
    # Of the link: they end it with 4002 and stand in the log alone; and of the subprotocol.
    internal = {"gateway.hello", "gateway.frame", "gateway.cursor", "gateway.version", "gateway.nobody"}
    table = PAGE.partition("### Codes")[2].partition("## In Python")[0]
    told = set(re.findall(r"`(gateway\.[a-z_]+)`", table))
    assert told == (used | {"gateway.rate", "gateway.tls"}) - internal


def test_every_frame_of_the_specification_is_one_of_the_code() -> None:
    told = {(int(number), name) for number, name in re.findall(r"^\| (\d+) \| ([A-Za-z]+) \|", SPEC, re.M)}
    assert told == {(number, made.__name__) for made, (number, _) in coding._BY_CLASS.items()}


def test_numbers() -> None:
    limits, settings = GatewayLimits(), GatewaySettings()
    assert limits.frames == settings.frames
    assert (limits.frames.max_frame, limits.frames.max_text) == ((8 << 20) + 65_536, 16 * 1024)
    assert (limits.window, limits.window_bytes, limits.max_results) == (256, 4 << 20, 1_024)
    assert (limits.max_messages, limits.max_bytes, limits.message_ms) == (5_000, 64 << 20, 30 * 86_400_000)
    assert (limits.wake_after_ms, limits.wake_every_ms, limits.registrations_per_s) == (10_000, 5_000, 50)
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", SPEC, re.M)}
    assert told == {links.REPLACED, links.REVOKED, links.SENSELESS, links.CLOSED}


def test_every_limit_is_used() -> None:
    """A bound that nothing reads would be one that is not there (SR-08)."""
    sources = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "src/letterlock/services/gateway").glob("*.py")
        if path.name != "limits.py"
    )
    assert [f.name for f in dataclasses.fields(GatewayLimits) if f"limits.{f.name}" not in sources] == []


def test_the_gateway_loads_nothing_that_could_hold_a_key() -> None:
    """What docs/decisions/0011 rests on: the transport of a client brings nothing of the client."""
    program = (
        "import sys, letterlock.services.gateway\n"
        "print(' '.join(sorted({name.split('.')[1] for name in sys.modules if name.startswith('letterlock.')})))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    loaded = set(found.stdout.split())
    assert not loaded & {"client", "engine", "store", "keystore", "signal", "mls", "trust", "files", "apps"}
    assert loaded & {"transport", "services", "sip", "msrp"} == {"transport", "services", "sip", "msrp"}

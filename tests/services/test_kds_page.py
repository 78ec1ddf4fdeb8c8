"""docs/kds.md and docs/spec/kds-federation.md: their shell lines are understood, their calls, codes and limits are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from letterlock.apps.cli import parser
from letterlock.services.kds import KdsLimits
from services.kds_lab import Town, Turning

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "kds.md").read_text(encoding="utf-8")
SPECIFICATION = (ROOT / "docs" / "spec" / "kds-federation.md").read_text(encoding="utf-8")


def test_shell_lines_are_understood() -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    lines = block.replace("\\\n", " ").splitlines()
    assert len(lines) == 3
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_call_is_described(tmp_path: Path) -> None:
    server = Town(tmp_path, str(tmp_path / "x.db"), "lab", 2, Turning()).make()
    calls = {
        f"{route.method} {route.resource.canonical}".replace("{generation}", "N")
        for route in server.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    told = set(re.findall(r"^\| `([A-Z]+ /mls/v1/[^`]+)`", PAGE, re.M))
    federated = set(re.findall(r"^([A-Z]+ /mls/v1/federation/\S+)$", SPECIFICATION, re.M))
    assert told | federated == calls


def test_every_code_is_described() -> None:
    used = set()
    for folder in ("services/kds", "codec"):
        for path in (ROOT / "src" / "letterlock" / folder).rglob("*.py"):
            if folder == "services/kds" or path.name.startswith("kds") or path.parent.name == "kds":
                used |= set(re.findall(r'code="(kds\.[a-z_]+)"', path.read_text(encoding="utf-8")))
    edge = {f"kds.{word}" for word in ("slow", "busy", "failed", "rate", "body")}
    told = set(re.findall(r"`(kds\.[a-z_]+)`", PAGE)) - {"kds.pass"}
    assert told == (used | edge) - {"kds.tls"}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("600 an hour; 4 in ten minutes", (KdsLimits().claims, KdsLimits().claims_of_one)),
        ("12; 48 a day", (KdsLimits().certificates, KdsLimits().uploads)),
        (
            "60 an hour; 2; 20",
            (KdsLimits().last_resort, KdsLimits().last_resort_by_one, KdsLimits().last_resort_by_peer),
        ),
        ("24 a day; 32 a day", (KdsLimits().claims_of_one_a_day, KdsLimits().withdrawals)),
        ("60,000 a minute; 60 in ten minutes", (KdsLimits().peer, KdsLimits().peer_target)),
        ("1,200; 1,200 a minute", (KdsLimits().address, KdsLimits().calls)),
    ],
)
def test_the_rates_are_those_of_the_page(words: str, value: tuple[object, ...]) -> None:
    assert f"| {words} |" in PAGE
    numbers = [int(text.replace(",", "")) for text in re.findall(r"[\d,]+", words)]
    assert numbers == [rate.burst for rate in value]  # type: ignore[attr-defined]

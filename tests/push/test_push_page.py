"""docs/push.md: its program runs, its shell lines are understood, its codes, words and numbers are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from letterlock.apps.cli import parser
from letterlock.codec.push_subscription import PushKind
from letterlock.services.buckets import Rate
from letterlock.services.push import Fate, PushLimits
from pages import run_page

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "push.md").read_text(encoding="utf-8")


def test_the_program_runs() -> None:
    assert run_page("push.md") == 1


def test_shell_lines_are_understood() -> None:
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    assert len(lines) == 4
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_code_is_described() -> None:
    source = ROOT / "src" / "letterlock"
    places = [
        *(source / "services/push").glob("*.py"),
        source / "codec/push_subscription.py",
        source / "apps/cli/push.py",
    ]
    used = {code for path in places for code in re.findall(r'code="([a-z_.]+)"', path.read_text(encoding="utf-8"))}
    general = {"input.device", "input.secret", "input.file", "input.tls"}
    internal = {"push.http2", "push.http2.limit"}  # of a server: they end its connection, and nobody sees them
    told = set(re.findall(r"`((?:push|input|transport)\.[a-z_]+)`", PAGE)) - {"push.pem"}
    assert told == (used | {"push.rate"}) - general - internal


def test_kinds_fates_and_numbers() -> None:
    assert set(re.findall(r"^\| `([a-z]+)` \| (?:a d|the b|App|Goo)", PAGE, re.M)) == {kind.value for kind in PushKind}
    table = PAGE.partition("| fate |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", table, re.M) == [fate.value for fate in Fate]
    limits = PushLimits()
    assert (limits.window_ms, limits.max_tries, limits.first_retry_ms) == (20_000, 8, 2000)
    assert (limits.wakes, limits.subscription_ms) == (Rate(120, 60_000), 270 * 86_400_000)

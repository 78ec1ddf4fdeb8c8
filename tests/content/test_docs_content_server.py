"""docs/content-server.md: its shell lines name what exists, its codes are those that are raised."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from letterlock.apps.cli import parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "content-server.md").read_text(encoding="utf-8")


def test_shell_lines_are_understood() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_code_of_the_page_is_one_of_ours_and_none_of_a_bucket_is_missing() -> None:
    folder = ROOT / "src" / "letterlock" / "services" / "content"
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    raised = set(re.findall(r'code="(content\.[a-z_]+)"', source))
    named = set(re.findall(r"`(content\.[a-z_]+)`", PAGE)) - {"content.db"}
    assert named <= raised
    assert {code for code in raised if code.startswith("content.bucket")} - named == {"content.bucket_failed"}

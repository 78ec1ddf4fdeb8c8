"""QR codes of the terminal, read back from pictures of terminals with a dark and with a light background."""

from __future__ import annotations

import argparse
import re

import pytest

from cli.screens import BACKGROUNDS, painted, read_code
from cli.terminals import Town, User
from cli.test_cli_prompts import terminal
from letterlock.apps.cli.qr import add_qr, qr_lines, show_qr
from letterlock.apps.cli.terminal import Terminal

SCANNABLE = bytes(range(190, 256))
LINK = "ll-offer-" + "Ab3_-" * 30


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("content", [SCANNABLE, LINK], ids=["code", "link"])
def test_a_camera_reads_it_on_both_backgrounds(content: bytes | str, background: str) -> None:
    found = read_code(painted("\n".join(qr_lines(content)), background))
    assert found == (content if isinstance(content, bytes) else content.encode())


def test_without_forced_colours_it_would_not_be_read_on_one_of_them() -> None:
    bare = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(qr_lines(SCANNABLE)))
    assert read_code(painted(bare, "dark")) is None


def test_its_lines_are_of_one_width_with_a_margin_and_leave_no_colour_behind() -> None:
    lines = qr_lines(SCANNABLE)
    bare = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert {len(line) for line in bare} == {37}
    assert bare[0].strip() == ""
    assert all(line.startswith("  ") and line.endswith("  ") for line in bare)
    assert all(line.startswith("\x1b[30;107m") and line.endswith("\x1b[0m") for line in lines)
    assert max(len(line) for line in [re.sub(r"\x1b\[[\d;]*m", "", each) for each in qr_lines(LINK)]) < 80


def _shown(*given: str, as_json: bool = False, capsys: pytest.CaptureFixture[str]) -> str:
    parser = argparse.ArgumentParser()
    add_qr(parser)
    show_qr(parser.parse_args(given), Terminal(as_json=as_json), SCANNABLE)
    return capsys.readouterr().out


def test_where_nobody_looks_there_is_none_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert _shown(capsys=capsys) == ""
    assert _shown("--no-qr", capsys=capsys) == ""
    assert _shown("--qr", as_json=True, capsys=capsys) == ""
    assert read_code(painted(_shown("--qr", capsys=capsys), "dark")) == SCANNABLE


@pytest.mark.slow
def test_verify_and_devices_offer_show_one_with_its_text(town: Town, ana: User) -> None:
    quinn = town.user("quinn", "+15551400")
    quinn.run("send", ana.number, "keys, please").ok()
    code = quinn.run("-o", "json", "verify", ana.number).ok().records[0]
    with terminal(quinn, "verify", ana.number) as person:
        person.sees("reads out")
        person.types("")
        person.leaves()
        assert read_code(painted(_picture(person.screen), "light")) == bytes.fromhex(code["scannable"])
        assert code["digits"][:5] in person.screen
    with terminal(quinn, "devices", "offer") as person:
        assert person.leaves() == 0
        offer = read_code(painted(_picture(person.screen), "dark"))
        assert offer is not None and offer.startswith(b"ll-offer-")
        assert offer.decode() in person.screen
    with terminal(quinn, "verify", ana.number, "--no-qr") as person:
        person.sees("reads out")
        person.types("")
        person.leaves()
        assert "\x1b[30;107m" not in person.screen


def _picture(screen: str) -> str:
    return "\n".join(line.rstrip("\r") for line in screen.split("\n") if "\x1b[30;107m" in line)

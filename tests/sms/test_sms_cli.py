"""SMS from the command line: an account, a refusal with both tokens, the choice, and what doctor finds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.terminals import Town
from letterlock.apps.cli import main, parser
from letterlock.apps.cli.sms import sms_account
from letterlock.errors import InputError
from sms.smscs import ANA, BEN, Smsc


def given(*arguments: str) -> argparse.Namespace:
    words = ["sms", *arguments]
    return parser(words).parse_args(words)


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LETTERLOCK_SMSC", raising=False)
    monkeypatch.setenv("LETTERLOCK_SMS_PASSWORD", "secret")
    monkeypatch.setenv("LETTERLOCK_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize(
    "url",
    [
        "smsc.example.net", "http://u@h", "smpp://h:2775", "smpps://u@", "smpps://u@h/path", "smpps://u@h:99999",
        "smpps://u@[::1", "smpps://u:password@h",
    ],
)  # fmt: skip
def test_what_is_no_address_of_an_smsc_is_said(url: str) -> None:
    with pytest.raises(InputError) as caught:
        sms_account(given("--smsc", url))
    assert (caught.value.code, bool(caught.value.hint)) == ("input.smsc", True)


def test_sr19_plaintext_beyond_this_machine_is_refused_before_anything_connects() -> None:
    with pytest.raises(InputError) as caught:
        sms_account(given("--smsc", "smpp://u@smsc.example.net"))
    assert caught.value.code == "input.plaintext_smpp"
    account = sms_account(given("--smsc", "smpp://u@smsc.example.net", "--insecure-lab"))
    assert account is not None
    assert (account.tls, account.insecure_lab, account.port, account.password) == (False, True, 2775, "secret")
    account = sms_account(given("--smsc", "smpps://u@smsc.example.net", "--sms-long", "udh8"))
    assert account is not None
    assert (account.tls, account.port, account.long_messages) == (True, 3550, "udh8")


def test_one_thing_or_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sms", "--off", "--smsc", "smpps://u@h"]) == 1
    assert "hint: letterlock sms --smsc" in capsys.readouterr().err


def test_off_wins_over_the_variable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERLOCK_SMSC", "smpps://u@h")
    assert main(["sms", "--off", "--profile", "nobody"]) != 0
    assert "unlock" in capsys.readouterr().err  # the words themselves were taken


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_the_whole_way(town: Town, tmp_path: Path) -> None:
    with Smsc("smpp34") as smsc:
        smsc.start()
        where = f"smpp://ana@127.0.0.1:{smsc.port}"
        ana = town.stranger("ana", ANA, LETTERLOCK_SMS_PASSWORD="secret")
        key = str(tmp_path / "key")
        with ana.start("-o", "json", "setup", ANA, "--new-key-file", key, "--smsc", where) as setup:
            setup.type(town.code(ANA))
            assert setup.wait() == 0
        ana.environment["LETTERLOCK_KEY_FILE"] = key
        # Nobody claimed Ben's number at the directory: he has no keys. His phone takes SMS.
        ben = town.user("ben", "+15550155")
        refused = ana.run("-o", "json", "send", BEN, "shall we meet?")
        assert refused.code == 7
        tokens = {option["name"]: option["allow"] for option in refused.error["options"]}
        assert set(tokens) == {"plain-rcs", "plain-sms"}
        assert all(token in refused.error["hint"] for token in tokens.values())
        sent = ana.run("-o", "json", "send", BEN, "shall we meet?", "--allow", tokens["plain-sms"]).ok()
        assert sent.records[0]["security"] == "plain-sms"
        assert ana.run("send", BEN, "again").ok().out.strip().endswith("Not encrypted (SMS)")
        assert "[Not encrypted (SMS)]" in ana.run("chats", BEN).ok().out
        assert ana.run("security", BEN).ok().out == "Not encrypted (SMS): Your carrier can read these messages.\n"
        messages = ana.run("-o", "json", "chats", BEN).ok().records
        assert {each["medium"] for each in messages if each["kind"] == "text"} == {"sms"}
        found = ana.run("doctor")
        assert "lets ana bind, without TLS" in found.out
        # Ben's profile gets an account later, and gives it back.
        assert ben.run("sms", "--smsc", f"smpp://ben@127.0.0.1:{smsc.port}", LETTERLOCK_SMS_PASSWORD="geheim").code == 0
        assert ben.run("-o", "json", "send", BEN, "x").error["options"][1]["name"] == "plain-sms"
        # What it is can be looked up, also while the profile is open; the password is not shown.
        account = {"host": "127.0.0.1", "port": smsc.port, "user": "ben", "tls": False}
        assert ben.run("-o", "json", "sms").ok().records == [{"sms": account}]
        with ben.listen():
            shown = ben.run("sms").ok()
            assert shown.out == f"SMS go by 127.0.0.1:{smsc.port} as ben, without TLS\n" and "geheim" not in shown.err
        ben.run("sms", "--off").ok()
        assert ben.run("-o", "json", "sms").ok().records == [{"sms": None}]
        assert "letterlock sms --smsc smpps://" in ben.run("sms").ok().out
        assert [each["name"] for each in ben.run("-o", "json", "send", BEN, "x").error["options"]] == ["plain-rcs"]
        # Without the account the choice of SMS no longer stands: she is asked again.
        ana.run("sms", "--off").ok()
        assert ana.run("-o", "json", "send", BEN, "third").error["error"] == "not_encrypted"

"""What is said of command lines that are wrong, without starting anything; and the words of every event."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path

import pytest

from letterlock.apps.cli import main, parser
from letterlock.apps.cli.event_words import event_text
from letterlock.apps.cli.terminal import EXIT, exit_code, visible
from letterlock.apps.cli.words import security_label, security_sentence
from letterlock.engine.events import Event, ProtocolNoted, Recorded
from letterlock.engine.security import Security
from letterlock.errors import (
    Bug,
    DirectoryError,
    InputError,
    LetterlockError,
    NotEncrypted,
    StoreError,
    TransportError,
    TrustRequired,
    WrongStoreKey,
)
from letterlock.ids import Number


@pytest.fixture(autouse=True)
def nobody_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OUTPUT", "PROFILE", "PASSPHRASE", "KEY_FILE", "DIRECTORY", "CARRIER", "SIP_PASSWORD"):
        monkeypatch.delenv(f"LETTERLOCK_{name}", raising=False)
    monkeypatch.setenv("LETTERLOCK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["lisen"], "no such verb: 'lisen'", "did you mean 'listen'?"),
        (["nonsense"], "no such verb: 'nonsense'", "letterlock --help lists them"),
        (["send", "+15550199"], "give a text, or --file", "letterlock send --help"),
        (["send", "+15550199", "hi", "--fast"], "send takes no such argument: --fast", "letterlock send --help"),
        (["chats", "--limit", "many"], "--limit is a whole number, not 'many'", "letterlock chats --help"),
        (["carrier", "--port", "70000"], "argument --port: a port is a number from 0 to 65535", "letterlock carrier"),
        (["-o", "xml", "chats"], "argument -o/--output: invalid choice: 'xml'", "letterlock --help"),
        (["setup"], "name a number, or --join another device's offer", "letterlock setup +15550100"),
        (["setup", "12345"], "not a phone number: '12345'", "write it with a plus sign"),
        (["setup", "+15550100"], "nothing to unlock the profile with, and no terminal to ask at", "--passphrase-file"),
        (["setup", "+15550100", "--carrier", "http://x"], "a sip: or sips: address", ""),
        (["setup", "+15550100", "--carrier", "sip:192.0.2.1"], "plaintext SIP beyond this machine", "write sips:"),
        (["send", "+15550199", "hi"], "there is no profile 'default'", "letterlock demo"),
        (["listen", "--profile", ".hidden"], "not a profile name: '.hidden'", "a name like ana"),
        (["devices", "add"], "add and vouch take a request", ""),
        (["directory", "--key", "x"], "a certificate and its key go together", "give both"),
    ],
)
def test_wrong_input_is_exit_code_1_with_an_error_and_a_hint(
    arguments: list[str], error: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("letterlock: error: ")
    assert error in lines[0]
    assert not lines[0].endswith(".")
    if hint:
        assert lines[1].startswith("letterlock: hint: ")
        assert hint in lines[1]


def test_a_wrong_command_line_in_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["-o", "json", "lisen"], ["lisen", "--output=json"], ["-ojson", "lisen"]):
        assert main(arguments) == 1
        told = json.loads(capsys.readouterr().err)
        assert told == {
            "error": "input.usage",
            "message": "no such verb: 'lisen'",
            "hint": "did you mean 'listen'?",
            "exit": 1,
        }
    monkeypatch.setenv("LETTERLOCK_OUTPUT", "yaml")
    assert main(["chats"]) == 1
    assert "LETTERLOCK_OUTPUT is text or json" in capsys.readouterr().err


def test_without_a_verb_the_newcomer_gets_help_and_a_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "watch phones talk" in err
    assert err.splitlines()[-1] == "letterlock: hint: for a first look: letterlock demo"


def test_help_and_version_are_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"], ["send", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert capsys.readouterr().out


def test_options_for_all_verbs_stand_before_and_behind_the_verb(tmp_path: Path) -> None:
    for given in (
        ["-o", "json", "-v", "--data-dir", str(tmp_path), "chats"],
        ["chats", "-o", "json", "-v", "--data-dir", str(tmp_path)],
    ):
        arguments = parser(given).parse_args(given)
        assert (arguments.output, arguments.verbose, arguments.data_dir) == ("json", 1, tmp_path)


def test_a_bug_is_exit_code_2_and_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def slip(*_: object) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("letterlock.apps.cli.chat.run_chats", slip)
    assert main(["chats"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("letterlock: error: ZeroDivisionError: division by zero\nletterlock: hint: this is ours")
    with pytest.raises(ZeroDivisionError):
        main(["-v", "chats"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), "user"),
        (NotEncrypted("x", reason="no-keys-found"), "not_encrypted"),
        (TrustRequired("x"), "trust"),
        (DirectoryError("x", status=403), "user"),
        (DirectoryError("x", status=429), "rate"),
        (DirectoryError("x", status=500), "network"),
        (TransportError("x"), "network"),
        (StoreError("x"), "network"),
        (WrongStoreKey("x"), "network"),
        (Bug("x"), "bug"),
        (LetterlockError("of no class of its own"), "bug"),
    ],
)
def test_exit_codes(error: LetterlockError, code: str) -> None:
    assert exit_code(error) == EXIT[code]


def test_sr14_what_is_not_printable_is_shown_as_an_escape() -> None:
    """SR-14."""
    assert visible("a\x1b]0;x\x07b\x9b\u2066\u200b\x7f\n") == r"a\x1b]0;x\x07b\x9b\u2066\u200b\x7f\n"
    assert visible("løck 🔒 \u0627") == "løck 🔒 \u0627"


def _sample(kind: type) -> object:
    """An event with a control character in every text that a peer or server may have written."""
    values: dict[str, object] = {}
    for name, hint in typing.get_type_hints(kind).items():
        if name == "state":
            values[name] = "verified"
        elif hint in (bool, int, int | None):
            values[name] = 1
        elif "tuple" in str(hint):
            values[name] = (2,) if "tuple[int" in str(hint) else ("x\x1b[2J",)
        elif "dict" in str(hint):
            values[name] = {"kind": "x\x1b[2J"}
        else:
            values[name] = "+15550100" if name in ("chat", "sender") else "x\x1b[2J"
    return kind(**values)


@pytest.mark.parametrize("kind", typing.get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_has_words_and_none_can_move_the_cursor(kind: type) -> None:
    """SR-14, for every field of every event."""
    assert dataclasses.is_dataclass(kind)
    line = event_text(Recorded(1, 0, _sample(kind)))  # type: ignore[arg-type]
    assert line.isprintable()
    assert len(line) > 12
    if kind.__name__ != "ProtocolNoted":
        assert "=" not in line  # a sentence, not a dump


@pytest.mark.parametrize("state", Security)
def test_every_state_has_words_without_holes(state: Security) -> None:
    for text in (security_label(state, "Ben"), security_sentence(state, "Ben")):
        assert text
        assert "{" not in text
        assert "..)" not in text


def test_a_false_bundle_reads_as_what_it_is() -> None:
    noted = ProtocolNoted(Number("+15550199"), "signal", "seal-refused:protocol.identity_changed")
    assert "keys that the directory gave for +15550199 do not hold" in event_text(Recorded(1, 0, noted))

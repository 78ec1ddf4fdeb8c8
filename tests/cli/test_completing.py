"""What Tab completes of a profile that is open: asked of an owner that answers whatever its peers made it hold."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.terminals import User, clean_environment, command
from letterlock.apps.cli.completing import Choice, Owner, choices, profile_of
from letterlock.net.own_sockets import is_ours, socket_of

SECONDS = 30.0
PICNIC, WORKS, TWIN = "aa" * 16, "ab" * 16, "cc" * 16


def chat(name: str, called: str = "", subject: str = "") -> dict[str, Any]:
    return {"chat": name, "name": called, "subject": subject}


def message(name: str, text: str | None, mine: bool = False, notice: object = None) -> dict[str, Any]:
    return {"message_id": name, "text": text, "mine": mine, "sender": "+15550199", "notice": notice}


class Stand:
    """An owner's socket without an owner: it greets, and answers what was laid down."""

    def __init__(self, folder: Path, greeting: bytes = b'{"letterlock":5}\n') -> None:
        self.folder = folder
        self.answers: dict[str, Any] = {"summaries": [], "window": [[], False, False]}
        self.asked: list[dict[str, Any]] = []
        self.greeting = greeting
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.fspath(socket_of(folder, "owner")))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(self.greeting)
                stream.flush()
                line = stream.readline()
                if line == b"end\n":
                    return
                if not line:
                    continue
                request = json.loads(line)
                self.asked.append(request)
                result = self.answers[request["method"]]
                with contextlib.suppress(BrokenPipeError):
                    stream.write(json.dumps({"id": request["id"], "result": result}).encode() + b"\n")
                    stream.flush()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(os.fspath(socket_of(self.folder, "owner")))
            last.sendall(b"end\n")
            self._thread.join()
        self._listener.close()

    def complete(self, kind: str, *words: str) -> list[Choice]:
        return choices(kind, ["letterlock", *words], Owner(self.folder, SECONDS))

    def values(self, kind: str, *words: str) -> list[str]:
        return [choice.value for choice in self.complete(kind, *words)]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """In a short path: a unix socket's has 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="ll-") as folder:
        stand = Stand(Path(folder))
        yield stand
        stand.close()


def test_chats_by_number_by_name_and_by_subject(stand: Stand) -> None:
    stand.answers["summaries"] = [
        chat("+15550199", "Ben"),
        chat("+15550142"),
        chat("sip:shop@bots.example.com", "Shop"),
        chat(PICNIC, subject="Picnic"),
    ]
    assert set(stand.values("chats", "send", "")) == {"+15550199", "+15550142", "sip:shop@bots.example.com", "Picnic"}
    assert stand.complete("chats", "send", "+1555019") == [Choice("+15550199", "Ben")]
    assert stand.complete("chats", "send", "be") == [Choice("+15550199", "Ben")]
    assert stand.values("chats", "send", "pic") == ["Picnic"]
    assert stand.complete("chats", "send", "aaaa") == [Choice(PICNIC, "Picnic")]
    assert stand.values("chats", "send", "Zoe") == []
    assert stand.values("groups", "group", "info", "") == ["Picnic"]
    # Who was named already is not named again.
    assert stand.values("numbers", "group", "add", "Picnic", "+15550199", "") == ["+15550142"]


@pytest.mark.parametrize(
    "subject",
    [
        "two\nlines",
        "\x1b[2J",
        "\u202eback",
        "-rf",
        "+15550142",
        "sip:x@y.z",
        " led",
        "",
        "x" * 65,
        WORKS[:6],
        "tab\there",
    ],
)
def test_sr14_a_subject_that_a_peer_chose_is_completed_only_where_it_means_the_group(
    stand: Stand, subject: str
) -> None:
    stand.answers["summaries"] = [chat(PICNIC, subject=subject), chat(WORKS, subject="Works")]
    found = stand.complete("groups", "group", "info", "")
    assert [choice.value for choice in found] == [PICNIC, "Works"]
    assert all(choice.about.isprintable() for choice in found)


def test_a_subject_of_two_groups_names_neither(stand: Stand) -> None:
    stand.answers["summaries"] = [chat(PICNIC, subject="Works"), chat(TWIN, subject="Works")]
    assert stand.complete("groups", "group", "info", "Wor") == [Choice(PICNIC, "Works"), Choice(TWIN, "Works")]


def test_quotes_of_the_line(stand: Stand) -> None:
    stand.answers["summaries"] = [chat(PICNIC, subject="Summer picnic")]
    assert stand.values("chats", "send", r"Summer\ p") == ["Summer picnic"]
    assert stand.values("chats", "send", '"Summer') == []


def test_messages_of_the_chat_that_the_line_names(stand: Stand) -> None:
    stand.answers["summaries"] = [chat("+15550142"), chat("+15550199"), chat(PICNIC, subject="Summer picnic")]
    stand.answers["window"] = [
        [
            message("0a1b2c3d-1", "older"),
            message("0a1b2c3d-2", "a twin of it"),
            message("77777777-4444", "l\nong " * 20, mine=True),
            message("88888888-4444", None, notice={"key": "x"}),
            message("", None),
            message("$(touch x)", "no id of a message"),
        ],
        False,
        False,
    ]
    newest, *twins = stand.complete("messages", "reply", "+15550199", "")
    assert newest.value == "77777777"
    assert newest.about.startswith("me: l ong ") and newest.about.isprintable() and len(newest.about) < 50
    assert [twin.value for twin in twins] == ["0a1b2c3d-2", "0a1b2c3d-1"]
    assert stand.asked[-1]["params"]["number"] == "+15550199"
    assert stand.values("messages", "reply", "'Summer picnic'", "7777") == ["77777777"]
    assert stand.asked[-1]["params"]["number"] == PICNIC
    assert stand.values("messages", "reply", "+15559999", "") == []


def answered(words: list[str], kind: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    line = b"".join(word.encode() + b"\0" for word in words)
    asked = command("completion", "--answer", kind)
    return subprocess.run(asked, input=line, env=environment, capture_output=True, timeout=SECONDS)


@pytest.mark.parametrize("greeting", [b"[]\n", b"", b"\xff\xfe\n"])
def test_an_owner_of_another_version_is_none(greeting: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="ll-") as name:
        folder = Path(name)
        stand = Stand(folder, greeting)
        stand.answers["summaries"] = {"what": "is this"}
        try:
            done = answered(["letterlock", "send", "--profile", f"{folder}/", ""], "chats", clean_environment(folder))
        finally:
            stand.close()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_without_an_owner_nothing_is_said_and_nothing_asked(tmp_path: Path) -> None:
    """Not even that there is no such profile: somebody is in the middle of a line."""
    for words in (["letterlock", "send", ""], ["letterlock", "send", "--profile", ".", ""], ["letterlock"], []):
        for kind in ("chats", "messages", "nonsense"):
            done = answered(words, kind, clean_environment(tmp_path))
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), words


def test_it_starts_without_the_client() -> None:
    """Fast is what is not imported: neither the client, nor asyncio, nor the parser."""
    tried = "import sys, letterlock.apps.cli.completing as c; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", tried], env=clean_environment(Path("/nowhere")), capture_output=True)
    loaded = done.stdout.decode().split()
    assert "letterlock.apps.cli.completing" in loaded
    assert not {"asyncio", "argparse", "ssl", "letterlock.client", "letterlock.engine", "letterlock.codec"} & set(
        loaded
    )


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_sr16_who_is_at_the_other_end() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert is_ours(here)


def test_the_option_names_the_profile_also_as_bash_splits_it(tmp_path: Path) -> None:
    here = {"LETTERLOCK_DATA_DIR": str(tmp_path), "LETTERLOCK_PROFILE": "ana"}
    assert profile_of(["letterlock", "send", ""], here) == tmp_path / "profiles/ana"
    for words in (["--profile", "ben"], ["--profile=ben"], ["--profile", "=", "ben"]):
        assert profile_of(["letterlock", "send", *words, ""], here) == tmp_path / "profiles/ben"
    assert profile_of(["letterlock", "--data-dir", "/else", "send", ""], here) == Path("/else/profiles/ana")


@pytest.mark.slow
def test_with_a_real_owner(ana: User, ben: User) -> None:
    """SR-14, SR-16: `listen` has the profile open, and no passphrase is given."""
    ana.run("send", ben.number, "do you hear me?").ok()
    said = json.loads(ana.run("-o", "json", "messages", ben.number).ok().out.splitlines()[-1])["message_id"]
    profile = Path(ana.environment["LETTERLOCK_DATA_DIR"]) / "profiles" / "ana"
    with ana.listen():
        owner = Owner(profile, SECONDS)
        assert ben.number in [found.value for found in choices("chats", ["letterlock", "send", "+1"], owner)]
        [newest, *_] = choices("messages", ["letterlock", "reply", ben.number, ""], owner)
        assert newest == Choice(said[:8], "me: do you hear me?")

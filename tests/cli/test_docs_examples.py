"""What the documents show is true: Python blocks run and print what is shown, shell lines name what exists."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.terminals import ROOT
from letterlock.apps.cli import parser
from letterlock.apps.cli.terminal import EXIT
from letterlock.carrier import Accounts, Carrier
from letterlock.services.directory import Directory, IssuedCode

PAGES = ["README.md", "docs/start.md", "docs/cli.md", "docs/api.md"]
SECONDS = 60.0


def fenced(page: str) -> list[tuple[str, str]]:
    """The blocks of a page: language and text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


# --- Python ----------------------------------------------------------------------------------------------
class World:
    """A carrier and a directory, and the operator who types the codes."""

    def __init__(self) -> None:
        self.codes: list[IssuedCode] = []
        self.carrier: Carrier
        self.directory: Directory

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[World]:
        world = cls()
        world.directory = Directory(str(folder / "directory.db"), on_code=world.codes.append)
        await world.directory.start()
        try:
            async with Carrier("127.0.0.1", 0, Accounts.lab("lab")) as world.carrier:
                yield world
        finally:
            await world.directory.close()

    def here(self, source: str) -> str:
        """The source with the ports of this test."""
        return source.replace("http://127.0.0.1:8460", self.directory.url).replace(" 5060,", f" {self.carrier.port},")

    def input(self, question: str) -> str:
        assert question == "code: "
        return self.codes.pop().code


async def run(source: str, names: dict[str, Any]) -> str:
    """Run a block as `python -m asyncio` would; what it printed."""
    code = compile(source, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        async with asyncio.timeout(SECONDS):
            result = eval(code, names)
            if inspect.iscoroutine(result):
                await result
    return printed.getvalue()


def same(shown: str, printed: str) -> bool:
    """Whether this was printed; `...` stands for anything within a line."""
    pattern = re.escape(shown.strip()).replace(re.escape("..."), r"[^\n]*")
    return re.fullmatch(pattern, printed.strip()) is not None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("LETTERLOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_blocks_of_the_api_page_run_and_print_what_is_shown(home: Path) -> None:
    blocks = fenced("docs/api.md")
    async with World.open(home) as world:
        names: dict[str, Any] = {"input": world.input}
        compared = 0
        for (language, text), (after, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
            if language != "python":
                assert language == "text"
                continue
            printed = await run(world.here(text), names)
            if after == "text":
                assert same(shown, printed), f"block:\n{text}\nshown:\n{shown}\nprinted:\n{printed}"
                compared += 1
            else:
                assert printed == ""
        assert compared >= 9


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_python_block_of_the_readme_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the profiles that the four terminals leave behind; its endless loop ends with the first event."""
    [block] = [text for language, text in fenced("README.md") if language == "python"]
    block = block.replace("        print(event)\n", "        print(event)\n        break\n")
    [creating, *_] = [text for language, text in fenced("docs/api.md") if language == "python"]
    async with World.open(home) as world:
        await run(world.here(creating), {"input": world.input})
        monkeypatch.setenv("LETTERLOCK_PASSPHRASE", "tulip")
        first = block.replace("    print(chat.security)", "    await me.settled()\n    print(chat.security)")
        assert first != block
        printed = await run(first, {})
        assert printed.startswith("Security.ENCRYPTED\n")
        assert "Recorded(cursor=1" in printed


# --- shell -----------------------------------------------------------------------------------------------
def commands() -> list[tuple[str, list[str]]]:
    """Every command line of the documents, whichever page: its name, and the arguments of `letterlock`."""
    found = []
    pages = (each for each in (ROOT / "docs").rglob("*.md") if "_build" not in each.parts)
    for page in ["README.md", *sorted(str(each.relative_to(ROOT)) for each in pages)]:
        for language, text in fenced(page):
            if language != "sh":
                continue
            for line in text.replace("\\\n", " ").splitlines():
                try:
                    words = shlex.split(line, comments=True)
                except ValueError:
                    continue  # a line of a document that a shell reads to its end, `<<EOF`
                for at, word in enumerate(words):
                    if word in ("|", ">", ">>", "<", "&&"):
                        del words[at:]
                        break
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words.pop(0)
                if words[:2] == ["./run", "shell"]:
                    found.append((page, words[2:]))
                elif words[:2] == ["./run", "demo"] or words[:1] == ["letterlock"]:
                    found.append((page, words[1:]))
    return found


def test_every_command_line_in_the_documents_is_understood() -> None:
    seen = commands()
    for page, arguments in seen:
        try:
            parser(arguments).parse_args(arguments)
        except Exception as error:
            raise AssertionError(f"{page}: letterlock {' '.join(arguments)}: {error}") from error
    assert {"README.md", "docs/start.md", "docs/cli.md", "docs/demo.md", "docs/tutorial.md"} <= {
        page for page, _ in seen
    }
    verbs = {argument for _, arguments in seen for argument in arguments}
    assert {"carrier", "directory", "setup", "listen", "send", "verify", "chats", "devices", "doctor", "demo"} <= verbs
    beginner = {argument for page, arguments in seen if page == "docs/start.md" for argument in arguments}
    assert {"--file", "download", "sms", "--gateway"} <= beginner


def test_every_verb_of_run_in_the_documents_exists() -> None:
    script = (ROOT / "run").read_text(encoding="utf-8")
    for page in [*PAGES, "docs/architecture.md", "docs/dependencies.md", "SECURITY.md"]:
        for verb in re.findall(r"\./run ([a-z]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert re.search(rf"^{verb}\)", script, re.M), f"{page}: ./run {verb}"


# --- tables ----------------------------------------------------------------------------------------------
def test_the_page_of_the_command_line_names_every_exit_code_and_variable() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)}
    assert told == {*EXIT.values(), 130}
    used = set()
    for path in (ROOT / "src" / "letterlock").rglob("*.py"):
        used |= set(re.findall(r"\"(LETTERLOCK_[A-Z_]+)\"", path.read_text(encoding="utf-8")))
    assert set(re.findall(r"^\| `(LETTERLOCK_[A-Z_]+)` \|", page, re.M)) == used - {"LETTERLOCK_FEATURES"}


def test_the_api_page_names_every_event_and_state() -> None:
    from letterlock.engine import events
    from letterlock.engine.security import Security

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    kinds = {name for name in events.__all__ if name[0].isupper()} - {"Event", "Recorded"}
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()
    assert {state.name for state in Security if f"`{state.name}`" not in page} == set()


def test_the_start_page_explains_every_state_in_the_words_of_the_one_table() -> None:
    from letterlock.engine.security import WORDS, Security

    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    for state in Security:
        label = WORDS[state].label.format(name="Ben")
        assert f"| {label} |" in page, label

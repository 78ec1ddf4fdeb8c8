"""docs/files.md: its examples run and print what they show, its shell lines name what exists."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import shlex
from collections.abc import Callable, Coroutine
from pathlib import Path

from client.files_town import FilesTown, photo
from client.phones import ANA, BEN, Town
from content.lab import PASSWORD, Server, content
from e2e.rcc16_town import town as rcc16_town
from letterlock import Client
from letterlock.apps.cli import parser
from letterlock.client import ContentAccount
from letterlock.engine.events import MessageReceived

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_example_of_sealed_files(tmp_path: Path) -> None:
    source, _, _ = [text for language, text in BLOCKS if language == "python"]
    shown, _, _ = [text for language, text in BLOCKS if language == "text"]
    (tmp_path / "holiday.jpg").write_bytes(photo())
    (tmp_path / "received").mkdir()

    async def main() -> None:
        async with FilesTown.running(tmp_path) as place:
            ana, ben = await place.people(ANA, BEN)
            await _run(source, {"ana": ana, "ben": ben})

    assert _printed(tmp_path, main) == shown
    assert (tmp_path / "received" / "holiday.jpg").read_bytes() == photo()


def test_the_example_of_a_chat_by_rcc16(tmp_path: Path) -> None:
    _, source, _ = [text for language, text in BLOCKS if language == "python"]
    _, shown, _ = [text for language, text in BLOCKS if language == "text"]
    (tmp_path / "holiday.jpg").write_bytes(content(5000))
    (tmp_path / "small.jpg").write_bytes(content(100))
    (tmp_path / "received").mkdir()

    async def main() -> None:
        async with rcc16_town(tmp_path) as place, asyncio.timeout(30):
            ana, ben = await place.person(ANA, ("rcc16",)), await place.person(BEN, ("rcc16",))
            await (await ana.client.chat(BEN)).send("hello")
            await ben.until(lambda events: any(isinstance(event, MessageReceived) for event in events))
            await _run(source, {"ana": ana.client, "ben": ben.client})

    assert _printed(tmp_path, main) == shown
    assert (tmp_path / "received" / "holiday.jpg").read_bytes() == content(5000)


def test_the_example_of_files_as_they_are(tmp_path: Path) -> None:
    _, _, source = [text for language, text in BLOCKS if language == "python"]
    _, _, shown = [text for language, text in BLOCKS if language == "text"]
    town = Town(tmp_path)
    (tmp_path / "holiday.jpg").write_bytes(content(5000))
    (tmp_path / "received").mkdir()

    async def main() -> None:
        async with Server.running(tmp_path) as lab:
            await Client.create(
                tmp_path / "ana",
                ANA,
                directory="http://127.0.0.1:1",
                code="12345678",
                content=ContentAccount(lab.url, ANA, PASSWORD),
                passphrase="tulip",
                environment=town.environment(),
            )
            names = {"town": town}
            given = source.replace('"ana", ', f'"{tmp_path}/ana", environment=town.environment(), ')
            exec(compile(given.replace("asyncio.run(main())", ""), "docs/files.md", "exec"), names)
            await names["main"]()  # type: ignore[operator]

    assert _printed(tmp_path, main) == shown


async def _run(source: str, names: dict[str, object]) -> None:
    result = eval(compile(source, "docs/files.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(result):
        await result


def _printed(folder: Path, main: Callable[[], Coroutine[None, None, None]]) -> str:
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        asyncio.run(main())
    return printed.getvalue()


def test_shell_lines_are_understood() -> None:
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    assert len(lines) == 10
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)

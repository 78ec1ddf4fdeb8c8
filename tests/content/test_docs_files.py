"""docs/files.md: its examples run and print what they show, its shell lines name what exists."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import shlex
from pathlib import Path

from client.phones import ANA, BEN, Town
from content.lab import PASSWORD, Server, content
from e2e.rcc16_town import town as rcc16_town
from letterlock import Client
from letterlock.apps.cli import parser
from letterlock.client import ContentAccount
from letterlock.engine.events import MessageReceived

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_example(tmp_path: Path) -> None:
    source, _ = [text for language, text in BLOCKS if language == "python"]
    shown, _ = [text for language, text in BLOCKS if language == "text"]
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

    printed = io.StringIO()
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(printed):
        asyncio.run(main())
    assert printed.getvalue() == shown


def test_the_example_of_an_encrypted_chat(tmp_path: Path) -> None:
    _, source = [text for language, text in BLOCKS if language == "python"]
    _, shown = [text for language, text in BLOCKS if language == "text"]
    (tmp_path / "holiday.jpg").write_bytes(content(5000))
    (tmp_path / "small.jpg").write_bytes(content(100))
    (tmp_path / "received").mkdir()

    async def main() -> None:
        async with rcc16_town(tmp_path) as place, asyncio.timeout(30):
            ana, ben = await place.person(ANA, ("rcc16",)), await place.person(BEN, ("rcc16",))
            await (await ana.client.chat(BEN)).send("hello")
            await ben.until(lambda events: any(isinstance(event, MessageReceived) for event in events))
            names = {"ana": ana.client, "ben": ben.client}
            result = eval(compile(source, "docs/files.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            if inspect.isawaitable(result):
                await result

    printed = io.StringIO()
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(printed):
        asyncio.run(main())
    assert printed.getvalue() == shown
    assert (tmp_path / "received" / "holiday.jpg").read_bytes() == content(5000)


def test_shell_lines_are_understood() -> None:
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    assert len(lines) == 6
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)

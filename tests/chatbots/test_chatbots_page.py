"""docs/chatbots.md: its examples run and print what is shown, its command lines are understood, its numbers are ours."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import itertools
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from chatbots.maap_platform import MaapPlatform
from chatbots.messages import CARD, LIMITS
from chatbots.rbm_double import RbmDouble, everything
from chatbots.test_chatbot_network import BOT, Town
from e2e.world import ANA
from letterlock.apps.cli import parser
from letterlock.codec.chatbot import checking, maap
from letterlock.engine.events import MessageReceived
from letterlock.transport.rbm import WebhookSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "chatbots.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    compared = 0
    async with contextlib.AsyncExitStack() as stack:
        town = await stack.enter_async_context(Town.open(tmp_path))
        bots = await stack.enter_async_context(MaapPlatform(town.carrier, BOT))
        platform = await stack.enter_async_context(RbmDouble(town.clock, {"+15550190": everything()}))
        ana = await town.phone(ANA)
        await bots.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(CARD))
        await ana.seen(MessageReceived)
        names: dict[str, Any] = {"me": ana.client, "platform": _at_real_time(platform)}
        for (language, source), (_, shown) in itertools.pairwise([*BLOCKS, ("", "")]):
            if language != "python":
                continue
            printed = io.StringIO()
            code = compile(source, "chatbots.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(printed):
                async with asyncio.timeout(20):
                    result = eval(code, names)
                    if inspect.isawaitable(result):
                        await result
            if printed.getvalue():
                assert printed.getvalue() == shown
                compared += 1
    assert compared == 3


def _at_real_time(platform: RbmDouble) -> RbmDouble:
    """The page's agent has the machine's clock."""
    platform.now = lambda: time.time_ns() // 1_000_000
    return platform


def test_the_echo_bot_is_short() -> None:
    (source,) = [source for language, source in BLOCKS if language == "python" and "def echo_bot" in source]
    assert len(source[source.index("async def") :].splitlines()) <= 20


def test_shell_lines_are_understood() -> None:
    (block,) = [source for language, source in BLOCKS if language == "sh"]
    lines = block.splitlines()
    assert len(lines) == 5
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_error_of_an_agent_is_described() -> None:
    used = set()
    for path in (ROOT / "src" / "letterlock" / "transport" / "rbm").glob("*.py"):
        used |= set(re.findall(r'"(rbm\.[a-z]+)"', path.read_text(encoding="utf-8")))
    assert set(re.findall(r"^\| `(rbm\.[a-z]+)`", PAGE, re.M)) == used


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("1 to 3072 characters", (checking.MOST_TEXT,)),
        ("| 200, 2000 |", (checking.MOST_TITLE, checking.MOST_DESCRIPTION)),
        ("1 to 25, 1 to 2048", (checking.MOST_LABEL, checking.MOST_POSTBACK)),
        ("| 11, 4 |", (checking.MOST_CHIPS, checking.MOST_CARD_SUGGESTIONS)),
        ("| 2 to 10, media", (checking.FEWEST_CARDS, checking.MOST_CARDS)),
        ("| 100 |", (checking.MOST_ALT,)),
        ("| 2000, http", (checking.MOST_URL,)),
        ("| 1 to 100, 500 |", (checking.MOST_EVENT_TITLE, checking.MOST_EVENT_DESCRIPTION)),
        ("| 1 to 100, 60, 200 |", (checking.MOST_COMPOSED, checking.MOST_SUBJECT, checking.MOST_PARAMETERS)),
        ("| 250000 bytes |", (checking.MOST_PAYLOAD,)),
        ("(12 cards, 32 suggestions, 16 levels, 256 KiB)", (LIMITS.max_cards, LIMITS.max_chips, LIMITS.max_depth)),
        ("10,000 ids are remembered", (WebhookSettings().remembered,)),
        ("1,000\nevents may wait", (WebhookSettings().max_waiting,)),
    ],
)
def test_the_numbers_are_those_of_the_code(words: str, numbers: tuple[int, ...]) -> None:
    assert words in PAGE
    stated = [int(each.replace(",", "")) for each in re.findall(r"\d+(?:,\d{3})*", words)]
    assert set(numbers) <= set(stated)

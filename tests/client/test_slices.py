"""Long answers: the event loop has its turns between their pieces, and they say what `json` says."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from letterlock.client.slices import json_in_slices
from letterlock.errors import LimitExceeded

pytestmark = pytest.mark.anyio


@dataclass
class Others:
    """Whoever else uses the loop; `turns` is how often they had it."""

    turns: int = 0

    async def work(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


@pytest.fixture
async def others() -> AsyncIterator[Others]:
    found = Others()
    task = asyncio.create_task(found.work())
    await asyncio.sleep(0)
    yield found
    task.cancel()


async def test_others_have_turns_between_the_pieces_and_items_are_made_when_it_is_theirs(others: Others) -> None:
    made_in: set[int] = set()

    def made(number: int) -> dict[str, Any]:
        made_in.add(others.turns)
        return {"message_id": str(number), "text": "x" * 900}

    line = await json_in_slices({"result": {"messages": map(made, range(1_000))}}, ensure_ascii=True)
    assert [each["message_id"] for each in json.loads(line)["result"]["messages"]] == [str(n) for n in range(1_000)]
    assert len(made_in) > 20


async def test_one_item_after_another_is_not_held_together_by_a_list(others: Others) -> None:
    before = others.turns
    await json_in_slices([[{"text": "x" * 900} for _ in range(1_000)], True, False], ensure_ascii=False)
    assert others.turns - before > 20


async def test_sr08_what_is_too_long_is_given_up_before_it_is_whole() -> None:
    endless = ({"text": "x" * 900} for _ in itertools.count())
    with pytest.raises(LimitExceeded):
        await json_in_slices(endless, ensure_ascii=True, most=100_000)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        (),
        None,
        "\ud83d half of a pair, ünïcode \u2028",
        {"a": [], "b": {}, "c": [[], {}], "d": {"e": [1, [2, {"f": None}]], "g": (True, 1.5)}},
        [{"a": 1}, {"b": [{"c": {}}]}],
    ],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_it_says_what_json_says(value: Any, ensure_ascii: bool) -> None:
    said = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))
    assert await json_in_slices(value, ensure_ascii=ensure_ascii) == said.encode("utf-8", "surrogatepass")

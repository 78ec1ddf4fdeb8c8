"""What the tags of a phone say about RCC.16 (rcc16.md 1.10): shown, and nothing depends on it (SR-02)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from e2e.rcc16_town import BOTH, town

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"


def test_who_says_that_it_takes_part(tmp_path: Path) -> None:
    asyncio.run(_who_says_that_it_takes_part(tmp_path))


async def _who_says_that_it_takes_part(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, _, _ = (
            await place.person(ANA, BOTH),
            await place.person(BEN, BOTH),
            await place.person(CLEO, ("signal",)),
        )
        async with asyncio.timeout(10):
            of_ben = await (await ana.client.chat(BEN)).capabilities(fresh=True)
            of_cleo = await (await ana.client.chat(CLEO)).capabilities(fresh=True)
        assert of_ben is not None and "rcc16" in of_ben
        assert of_cleo is not None and "rcc16" not in of_cleo and "oma.cpm.session" in of_cleo

"""The commands that concern RCC.16, as a user types them, against a whole network."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from e2e.rcc16_town import BOTH, RCC16, Person, town
from letterlock.engine import events as ev

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"


async def _run(person: Person, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """One command as this person; exit code, the JSON lines of its output, and what it says beside."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "letterlock",
        "-o",
        "json",
        *words,
        "--profile",
        str(person.folder / "profile"),
        "--key-file",
        str(person.folder / "key"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_STATE_HOME": str(person.folder / "xdg")},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


async def _commands(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        await (await ana.client.chat(BEN)).send("by which protocol is this?")
        await ben.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        code, (said,), _ = await _run(ana, "security", BEN)
        assert code == 0
        wanted = {
            "chat": BEN,
            "security": "encrypted",
            "state": "encrypted",
            "protocol": "rcc16",
            "era": 1,
            "epoch": 1,
            "health": "healthy",
        }
        assert {name: said[name] for name in wanted} == wanted
        code, (made,), _ = await _run(ana, "group", "create", "Tea", BEN, "--protocol", "rcc16")
        assert (code, made["protocol"], sorted(made["members"])) == (0, "rcc16", [ANA, BEN])
        await ben.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        code, (ended,), _ = await _run(ana, "encryption", "end", BEN)
        assert (code, ended["security"]) == (0, "encryption-ended")
        await ben.until(lambda events: any(isinstance(event, ev.EncryptionEnded) for event in events))
        code, _, words = await _run(ana, "send", BEN, "is anybody listening?")
        assert code == 7, words  # it would have been sent unencrypted
        assert "encryption-ended" in words or "encryption was ended" in words
        code, _, words = await _run(ana, "encryption", "revive", CLEO)
        assert code == 1 and "input.protocol" in words
        code, _, words = await _run(ana, "group", "create", "Coffee", CLEO, "--protocol", "smoke")
        assert code != 0
        await ben.go()
        code, checks, _ = await _run(ben, "doctor")
        found = {check["check"]: check for check in checks}
        assert found["rcc16"]["ok"], found
        assert "11 key packages published" in found["rcc16"]["result"]


def test_the_commands_of_rcc16(tmp_path: Path) -> None:
    asyncio.run(_commands(tmp_path))

"""Files of chats by sessions from the command line, through the owner of the profile."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from client.files_town import ANA, BEN, FilesTown, content, photo, received
from letterlock.apps.cli import main
from letterlock.client import Client
from letterlock.client.files.cached import _NOTE
from letterlock.engine.content import File, FileFormat

pytestmark = pytest.mark.anyio
TRICK = "../../\u202egpj.exe"


async def _letterlock(folder: Path, profile: str, *words: str, output: str = "json") -> int:
    (folder / "pass").write_text("tulip\n")
    account = ("--profile", str(folder / profile), "--passphrase-file", str(folder / "pass"))
    return await asyncio.to_thread(main, ["-o", output, *words, *account])


async def _sent(folder: Path, ben: Client, *words: str) -> str:
    """Ana sends it; the beginning of its id at Ben's."""
    after = await ben.cursor()
    assert await _letterlock(folder, ANA, "send", BEN, *words) == 0
    await received(ben, ANA, after)
    return (await (await ben.chat(ANA)).messages())[-1].message_id[:8]


async def test_sent_shown_fetched(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    data = content(1_200_000)
    (tmp_path / "plan.bin").write_bytes(data)
    (tmp_path / "a.jpg").write_bytes(photo())
    (tmp_path / "to").mkdir()
    async with FilesTown.running(tmp_path) as town:
        _, ben = await town.people(ANA, BEN)
        message = await _sent(tmp_path, ben, "--file", str(tmp_path / "plan.bin"), "--name", TRICK)
        fetch = ("download", "--chat", ANA, "--message", message)
        capfdbinary.readouterr()

        # What a user sees of it.
        assert await _letterlock(tmp_path, BEN, "chats", ANA) == 0
        shown = json.loads(capfdbinary.readouterr().out.splitlines()[-1])["file"]
        assert shown["name"] == TRICK and shown["save_as"] == "gpj.exe" and shown["format"] == "sealed"
        assert (shown["media"], shown["size"], shown["duration_ms"]) == ("file", len(data), None)
        assert await _letterlock(tmp_path, BEN, "chats", ANA, output="text") == 0
        assert b"(file: gpj.exe, " in capfdbinary.readouterr().out

        # Played without being saved.
        assert await _letterlock(tmp_path, BEN, *fetch, "--to", "-") == 0
        assert capfdbinary.readouterr().out == data

        # Kept sealed, and saved where it is said, under a safe name (SR-14).
        assert await _letterlock(tmp_path, BEN, *fetch, output="text") == 0
        assert b"kept sealed in the cache" in capfdbinary.readouterr().out
        assert await _letterlock(tmp_path, BEN, *fetch) == 0  # from there
        out = json.loads(capfdbinary.readouterr().out.splitlines()[-1])
        assert (out["size"], "sha256" in out) == (len(data), False)
        assert await _letterlock(tmp_path, BEN, *fetch, "--to", str(tmp_path / "to")) == 0
        out = json.loads(capfdbinary.readouterr().out.splitlines()[-1])
        assert out["path"] == str(tmp_path / "to" / "gpj.exe") and out["checked"] and out["size"] == len(data)
        assert (tmp_path / "to" / "gpj.exe").read_bytes() == data

        # A picture: its size is told, and its thumbnail comes when it is asked for; or not, if its sender did not want it.
        message = await _sent(tmp_path, ben, "--file", str(tmp_path / "a.jpg"))
        capfdbinary.readouterr()
        assert await _letterlock(tmp_path, BEN, "chats", ANA) == 0
        shown = json.loads(capfdbinary.readouterr().out.splitlines()[-1])["file"]
        assert (shown["media"], shown["width"], shown["thumbnail"]) == ("image", 500, True)
        small = ("download", "--chat", ANA, "--message", message, "--picture", "--to", str(tmp_path / "small.jpg"))
        assert await _letterlock(tmp_path, BEN, *small) == 0
        assert (tmp_path / "small.jpg").read_bytes()[:2] == b"\xff\xd8"
        out = json.loads(capfdbinary.readouterr().out.splitlines()[-1])
        assert (out["size"], "sha256" in out) == ((tmp_path / "small.jpg").stat().st_size, False)

        # The cache tells the two apart.
        assert await _letterlock(tmp_path, BEN, "download", "--chat", ANA, "--message", message) == 0
        capfdbinary.readouterr()
        assert await _letterlock(tmp_path, BEN, "cache", output="text") == 0
        lines = capfdbinary.readouterr().out.decode().splitlines()
        assert [line.split("  ")[-1].strip() for line in lines[1:]] == ["gpj.exe", "a.jpg (thumbnail)", "a.jpg"]
        assert await _letterlock(tmp_path, BEN, "cache") == 0
        files = json.loads(capfdbinary.readouterr().out)["files"]
        assert [each["thumbnail"] for each in files] == [False, True, False]
        await _sent(tmp_path, ben, "--file", str(tmp_path / "a.jpg"), "--no-thumbnail")
        file = (await (await ben.chat(ANA)).messages())[-1].content
        assert getattr(file, "format") is FileFormat.SEALED and getattr(file, "thumbnail") is None  # noqa: B009


async def test_sr14_a_program_that_is_called_a_picture(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"MZ" + content(900))
    says = "it says image/jpeg and is application/x-executable"
    async with FilesTown.running(tmp_path) as town:
        _, ben = await town.people(ANA, BEN)
        message = await _sent(tmp_path, ben, "--file", str(tmp_path / "holiday.jpg"))
        assert f"careful with holiday.jpg: {says}" in capfd.readouterr().err
        for words in ((), ("--to", str(tmp_path / "got"))):
            fetch = ("download", "--chat", ANA, "--message", message, *words)
            assert await _letterlock(tmp_path, BEN, *fetch) == 0
            out, err = capfd.readouterr()
            assert json.loads(out)["disagreement"] == says and "careful with holiday.jpg" in err


async def test_the_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.bin").write_bytes(content(40_000))
    async with FilesTown.running(tmp_path) as town:
        _, ben = await town.people(ANA, BEN)
        for _ in range(3):
            message = await _sent(tmp_path, ben, "--file", str(tmp_path / "a.bin"))
            assert await _letterlock(tmp_path, BEN, "download", "--chat", ANA, "--message", message) == 0
        capsys.readouterr()

        async def asked(*words: str) -> dict[str, object]:
            assert await _letterlock(tmp_path, BEN, "cache", *words) == 0
            found: dict[str, object] = json.loads(capsys.readouterr().out)
            return found

        info = await asked()
        files = info["files"]
        assert isinstance(files, list) and [each["name"] for each in files] == ["a.bin"] * 3
        size = files[0]["size"]
        assert info["used"] == 3 * size and info["budget"] == 1 << 30
        assert (await asked("prune", "--to", "100K")) == {"freed": size, "used": 2 * size}
        assert (await asked("budget", "50K")) == {"budget": 51_200, "used": size}
        assert (await asked("prune")) == {"freed": size, "used": 0}
        for wrong in (("prune", "5"), ("budget",), ("--to", "3"), ("budget", "0"), ("budget", "many")):
            assert await _letterlock(tmp_path, BEN, "cache", *wrong) == 1, wrong
        capsys.readouterr()
        assert await _letterlock(tmp_path, BEN, "cache", output="text") == 0
        assert capsys.readouterr().out == "0 of 51,200 bytes, 0 files\n"


async def test_a_note_of_an_older_version_is_read() -> None:
    assert _NOTE.decode(b'["a.jpg", "image/jpeg"]') == ("a.jpg", "image/jpeg", False)


@pytest.mark.parametrize(
    "words",
    [
        ("send", BEN, "--file", "/nowhere/x"),
        ("send", BEN, "--file", "."),
        ("send", BEN, "--file", "a.bin", "--thumbnail", "a.bin"),
        ("download", "http://93.184.216.34/x"),
        ("download", "ftp://example.net/x"),
        ("download", "https://example.net/x", "--to", "/nowhere/at/all"),
    ],
)
async def test_what_is_refused_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    (tmp_path / "a.bin").write_bytes(content(900))
    places = {"a.bin": str(tmp_path / "a.bin"), ".": str(tmp_path)}
    async with FilesTown.running(tmp_path) as town:
        await town.people(ANA, BEN)
        assert await _letterlock(tmp_path, ANA, *(places.get(word, word) for word in words), output="text") != 0
        assert "hint: " in capfd.readouterr().err


async def test_the_type_that_a_user_gives(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    send = ("--file", str(tmp_path / "a.jpg"), "--type")
    async with FilesTown.running(tmp_path) as town:
        _, ben = await town.people(ANA, BEN)
        for wrong in ("nonsense", "image/../x", "image/", "/jpeg", "image/j peg", "image/jpeg/x", ";"):
            assert await _letterlock(tmp_path, ANA, "send", BEN, *send, wrong) == 1, wrong
            said = json.loads(capfd.readouterr().err.splitlines()[-1])
            assert said["error"] == "input.media_type" and "image/jpeg" in said["hint"]

        # Used as it is; that it looks like something else is told to whoever sends it, and to whoever opens it (SR-14).
        says = "it says application/pdf and is image/jpeg"
        message = await _sent(tmp_path, ben, *send, "Application/PDF")
        assert f"careful with a.jpg: {says}" in capfd.readouterr().err
        file = (await (await ben.chat(ANA)).messages())[-1].content
        assert isinstance(file, File) and file.content_type == "application/pdf"
        assert await _letterlock(tmp_path, BEN, "download", "--chat", ANA, "--message", message) == 0
        assert json.loads(capfd.readouterr().out)["disagreement"] == says

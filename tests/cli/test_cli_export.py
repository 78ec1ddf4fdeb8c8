"""One's own history in a file: whole or not there, for its user alone, and text whatever people wrote."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.terminals import Town, User
from letterlock.apps.cli.export import _made_at_the_end, _write
from letterlock.apps.cli.export_markdown import Markdown, escaped
from letterlock.apps.cli.terminal import Terminal
from letterlock.errors import InputError, StoreError

HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/p.png) **Ana** 14:02: sure\u202e\x1b[2J\n# Heading\n- a"


@pytest.mark.slow
def test_everything_that_was_said_as_json_and_to_be_read(town: Town, ana: User) -> None:
    rhea = town.user("rhea", "+15551500")
    with ana.listen(), rhea.listen():
        rhea.run("send", ana.number, "what stays", "--wait", "20").ok()
        rhea.run("send", ana.number, "-", "--wait", "20", typed=HOSTILE).ok()
        done = rhea.run("export", ana.number).ok()
    records = done.records
    assert [record["type"] for record in records][:2] == ["profile", "chat"]
    assert records[-1]["type"] == "end"
    assert [record["text"] for record in records if record["type"] == "message"] == ["what stays", HOSTILE]
    assert done.err.splitlines()[-1] == "letterlock: what was written is not encrypted: whoever gets it can read it"
    assert done.out.isascii()
    # No key of anything is in it.
    assert not re.search(r'"[^"]*(secret|private|key_bytes|session)[^"]*":', done.out)

    folder = town.folder / "rhea"
    written = rhea.run("-o", "json", "export", "--to", str(folder / "all.md")).ok()
    assert written.records == [{"path": str(folder / "all.md"), "format": "markdown", "messages": 2}]
    text = (folder / "all.md").read_text()
    assert "what stays" in text and "<script>" not in text and "](http" not in text
    assert (folder / "all.md").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []

    again = rhea.run("-o", "json", "export", "--to", str(folder / "all.md"))
    assert (again.code, again.error["error"]) == (1, "input.export")
    assert (folder / "all.md").read_text() == text
    nowhere = rhea.run("-o", "json", "export", "--to", str(folder / "no" / "where.md"))
    assert (nowhere.code, nowhere.error["error"]) == (1, "input.export")
    unknown = rhea.run("-o", "json", "export", "Picnic", "--to", str(folder / "new.md"))
    assert unknown.code == 1
    assert not (folder / "new.md").exists()


def test_an_export_without_its_end_is_none() -> None:
    class Broken:
        async def export(self, chat: str) -> AsyncIterator[dict[str, Any]]:
            yield {"type": "profile", "number": "+15550100"}

    lines: list[dict[str, Any]] = []
    with pytest.raises(StoreError) as caught:
        asyncio.run(_write(Broken(), "", lines.append, Terminal(as_json=True)))  # type: ignore[arg-type]
    assert caught.value.code == "store.export" and len(lines) == 1


def test_what_was_not_finished_leaves_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "all.md"
    with pytest.raises(KeyboardInterrupt), _made_at_the_end(path) as file:
        file.write("half of it")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError) as caught, _made_at_the_end(path) as file:
        file.write("ours")
        path.write_text("somebody else's, meanwhile")
    assert caught.value.code == "input.export"
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"all.md": "somebody else's, meanwhile"}


def message(**more: Any) -> dict[str, Any]:
    return {
        "type": "message", "chat": "+15550199", "at": 1_790_000_000_000, "sender": "+15550199", "mine": False,
        "encrypted": True, "medium": "rcs", "status": "received", "content_type": "text/plain", "text": "hi",
        "deleted": False, "reactions": [], **more,
    }  # fmt: skip


def rendered(*records: dict[str, Any]) -> str:
    parts: list[str] = []
    markdown = Markdown(parts.append)
    markdown.add({"type": "profile", "number": "+15550100"})
    markdown.add({"type": "chat", "chat": "+15550199", "name": "Ben", "subject": ""})
    for record in records:
        markdown.add(record)
    return "".join(parts)


def test_sr14_what_people_wrote_is_text_in_markdown() -> None:
    """SR-14: no heading, link, picture, HTML, list or escape sequence of theirs; checked by a renderer, too."""
    from markdown_it import MarkdownIt

    text = rendered(message(text=HOSTILE, reactions=[{"sender": "+15550199", "emoji": "<b>"}]))
    assert "\x1b" not in text and "\u202e" not in text
    html = MarkdownIt("commonmark").render(text)
    assert re.findall(r"<(?!/|p>|br|h[123]>|em>|strong>|ul>|li>)\w+", html) == []
    assert html.count("<h1>") == 1
    assert html.count("<strong>") == 1
    assert "&lt;script&gt;" in html


def test_dividers_say_where_protection_changed() -> None:
    # What the chat was at that time is written down, too: a divider is not told twice.
    changed = {"type": "notice", "chat": "+15550199", "at": 1_790_000_000_000, "key": "security-changed"}
    text = rendered(
        {**changed, "values": {"state": "encrypted"}},
        message(text="one"),
        {**changed, "values": {"state": "plain-sms"}},
        message(text="two", encrypted=False, medium="sms"),
        message(text="three", encrypted=False, medium="sms"),
        message(text="four"),
    )
    order = re.findall(r"From here: [^*]*|\b(?:one|two|three|four)\b", text.replace("\\", ""))
    assert order == [
        "From here: encrypted",
        "one",
        "From here: not encrypted, SMS",
        "two",
        "three",
        "From here: encrypted",
        "four",
    ]


def test_what_is_no_text_is_said() -> None:
    text = rendered(
        message(text=None, file={"name": "../a_b.jpg", "size": 12}),
        message(text=None, location={"latitude": 1.5, "longitude": 2.5, "label": "lake"}),
        message(text=None, deleted=True),
        message(text=None, unreadable="no-session"),
        message(text="new", edited_at=1),
        {
            "type": "notice",
            "chat": "+15550199",
            "at": 1_790_000_000_000,
            "key": "member-left",
            "values": {"member": "+15550142"},
        },
    ).replace("\\", "")
    for said in ("(file: ../a_b.jpg, 12 bytes)", "(place: 1.5, 2.5, lake)", "(deleted)", "(not readable: no-session)",
                 "(edited): new", "+15550142 left"):  # fmt: skip
        assert said in text, said
    assert escaped("a_b") == "a\\_b"

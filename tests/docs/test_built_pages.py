"""The built pages: without a warning, without anything from elsewhere, with every public name."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cli.terminals import ROOT

pytestmark = pytest.mark.slow

_LOADS = {
    "script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"), "video": ("src", "poster"),
    "audio": ("src",), "embed": ("src",), "object": ("data",), "input": ("src",), "link": ("href",), "use": ("href",),
}  # fmt: skip
_NO_RESOURCE = {"next", "prev", "index", "search", "canonical", "author", "genindex"}
PUBLIC = (
    "letterlock.client", "letterlock.engine.events", "letterlock.engine.content", "letterlock.errors",
    "letterlock.telephony", "letterlock.mls.group.group", "letterlock.mls.client", "letterlock.mls.public_group",
)  # fmt: skip


class Loaded(HTMLParser):
    """What a browser fetches for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and (given.get("rel") or "") in _NO_RESOURCE:
            return
        self.found += [given[name] or "" for name in _LOADS.get(tag, ()) if given.get(name)]
        self.found += re.findall(r"url\(([^)]+)\)", given.get("style") or "")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (./run docs installs it)")
    to = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(to / "trees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(to / "html")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    return to / "html"


def test_pages_load_nothing_from_elsewhere(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 50
    loaded = 0
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        loaded += len(parser.found)
        for url in parser.found:
            assert not re.match(r"[a-z]+:|//", url.strip("'\" ")) or url.startswith("data:"), f"{page.name}: {url}"
    assert loaded > 200
    for sheet in built.rglob("*.css"):
        for url in re.findall(r"(?:@import|url\()\s*['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8")):
            assert not re.match(r"https?:|//", url), f"{sheet.name}: {url}"
    for script in built.rglob("*.js"):
        # What a script would fetch or put into the page; a link that a person may follow is text.
        assert not re.search(r"(?:import\(|fetch\(|src\s*=\s*)['\"]https?:", script.read_text(encoding="utf-8")), script


@pytest.mark.parametrize("module", PUBLIC)
def test_the_reference_has_every_public_name_with_a_word_about_it(built: Path, module: str) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    names = [name for name in importlib.import_module(module).__all__ if not name.startswith("__")]
    assert names
    assert [name for name in names if f'id="{module}.{name}"' not in text] == []


def test_the_paved_path_has_its_methods(built: Path) -> None:
    text = (built / "reference" / "client.html").read_text(encoding="utf-8")
    for name in ("Client.open", "Client.events", "Client.search", "Chat.verify", "Conversation.send", "Transfer.pause"):
        assert f'id="letterlock.client.{name}"' in text, name
    assert "Raises NotEncrypted rather than" in text

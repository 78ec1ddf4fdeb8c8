"""The how-tos, played from the first command to the last."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.terminals import ROOT
from docs.player import play
from interop.kamailio import missing

pytestmark = pytest.mark.slow

PLAYED = {"bot": 3, "group": 7, "files": 10, "verify": 5, "export-and-search": 8}


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path, as people's are: a unix socket's path has 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="ll-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("page", PLAYED)
def test_a_how_to(page: str, home: Path) -> None:
    with play(f"docs/howto/{page}.md", home) as stage:
        assert stage.ran == PLAYED[page]


@pytest.mark.node
def test_programs_in_other_languages(home: Path) -> None:
    for program in ("node", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with play("docs/howto/another-language.md", home) as stage:
        assert stage.ran == 5


@pytest.mark.kamailio
def test_the_lab_with_kamailio(home: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    shutil.copytree(ROOT / "deploy", home / "deploy")
    with play("docs/howto/kamailio.md", home) as stage:
        assert stage.ran == 10


def test_every_page_is_played_and_in_the_list() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "howto").glob("*.md")} - {"index"}
    assert pages == {*PLAYED, "another-language", "kamailio"}
    index = (ROOT / "docs" / "howto" / "index.md").read_text(encoding="utf-8")
    assert all(f"\n{page}\n" in index for page in pages)

"""Sphinx configuration. Fonts and styles are local: the built pages load nothing from outside."""

import re
from pathlib import Path

project = "Letterlock"
author = "The Letterlock developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Letterlock"
html_show_copyright = False
html_show_sphinx = False
exclude_patterns = ["_build"]
myst_heading_anchors = 3
pygments_style = "tango"
pygments_dark_style = "monokai"

ROOT = Path(__file__).parent.parent
FROM_THE_ROOT = {"index": ("README.md", "<!-- begin -->", "<!-- end -->"), "security": ("SECURITY.md", "", "")}


def setup(app):
    app.connect("source-read", _take_from_the_root)


def _take_from_the_root(app, page, source):
    """Put README and SECURITY, which lie above this folder, into their pages, with links as seen from here."""
    if page not in FROM_THE_ROOT:
        return
    name, begin, end = FROM_THE_ROOT[page]
    text = (ROOT / name).read_text(encoding="utf-8")
    text = text.partition(begin)[2] if begin else text
    text = text.partition(end)[0] if end else text
    text = re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text).replace("](SECURITY.md)", "](security.md)")
    source[0] = source[0].replace(f"<!-- {name} -->", text)

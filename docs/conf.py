"""Sphinx configuration. Fonts and styles are local: the built pages load nothing from outside."""

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "src")]

from reference_pages import MARK, reference  # noqa: E402 - this folder is not a package

project = "Letterlock"
author = "The Letterlock developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Letterlock"
html_show_copyright = False
html_show_sphinx = False
exclude_patterns = ["_build"]
myst_heading_anchors = 3
# Of the reference: names are looked for where they are, not where they are defined.
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 96
toc_object_entries_show_parents = "hide"
pygments_style = "tango"
pygments_dark_style = "monokai"

ROOT = Path(__file__).parent.parent
FROM_THE_ROOT = {"index": ("README.md", "<!-- begin -->", "<!-- end -->"), "security": ("SECURITY.md", "", "")}


def setup(app):
    app.connect("source-read", _take_from_the_root)
    app.connect("source-read", _take_from_the_code)


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


def _take_from_the_code(app, page, source):
    """The reference is written while the pages are built: it says what the code says."""
    if page.startswith("reference/"):
        source[0] = MARK.sub(lambda found: reference(found[1], found[2]), source[0])

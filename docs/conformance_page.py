"""docs/spec/conformance.md: every input of the conformance tables with its verdict, from tests/conformance/*.toml."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

HEAD = """\
# Conformance

<!-- Written by docs/generate.py from tests/conformance/*.toml. Do not edit. -->

What the readers of this project do with the examples of the RFCs, with their torture messages, and with what is
malformed. The tests run every line of these tables against the code and compare the verdict and the stable code.
A refusal is a `DecodeError` with this code, `LimitExceeded` among them.
"""

ORDER = ("sip", "sdp", "msrp", "cpim")


def _place(area: str) -> tuple[int, str]:
    """The protocols first, then what they carry."""
    return (ORDER.index(area) if area in ORDER else len(ORDER), area)


def conformance() -> str:
    from conformance_cases import areas, load_cases

    parts = [HEAD]
    for area in sorted(areas(), key=_place):
        table = tomllib.loads((TESTS / "conformance" / f"{area}.toml").read_text(encoding="utf-8"))
        title, text = table.get("title", area), table.get("about", "").strip()
        cases = load_cases(area)
        refused = sum(not case.accepted for case in cases)
        parts.append(f"\n## {title}\n\n{text}\n\n{len(cases)} inputs, {refused} of them refused.\n\n")
        parts.append("| input | source | verdict |\n|---|---|---|\n")
        for case in cases:
            verdict = "accepted" if case.accepted else f"refused, `{case.code}`"
            what = case.what.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
            parts.append(f"| {what} | {case.source} | {verdict} |\n")
    return "".join(parts)

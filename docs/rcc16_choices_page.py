"""docs/spec/rcc16-choices.md: what no source says about RCC.16, and what we chose."""

from __future__ import annotations

from typing import Final

__all__ = ["choices"]

HEAD: Final = """\
# RCC.16: what we chose

<!-- Written by docs/generate.py from letterlock/rcc16/open_points. Do not edit. -->

The text of RCC.16 was not available; what is deployed was read by others, from captures and from an open client. Where nobody says
what goes over the wire, or where it was only inferred, we had to choose. These are all the places. A row with a switch
is a field of `rcc16.choices.Choices`: another value of it is another dialect, for whoever learns better. A row without
one is decided in the files that it names.

*Mark*: how well the open point is sourced. N: not at all. I: inferred. C: read in a client. D: documented by a third party.
W: seen on the wire. The number is the section of the summary (`rcc16.md`), *item* its list of unknowns (section 12).

| what is open | mark | item | what we do |
|---|---|---|---|
"""


def choices() -> str:
    from letterlock.rcc16.open_points import CHOICES

    rows = sorted(CHOICES, key=lambda row: (row.item or 99, row.id))
    return HEAD + "".join(
        f"| {_cell(row.open)} | {row.mark} | {row.item or ''} | {_cell(row.ours)}"
        f"{f'; switch `{row.id}`' if row.switched else ''}.<br>*{_cell(row.where)}* |\n"
        for row in rows
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

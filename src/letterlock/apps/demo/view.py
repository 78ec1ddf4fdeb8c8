"""What the demo prints: each message beside what the carrier saw of it, read from the wire log."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...carrier import read_wire_log
from ...carrier.reassembly import msrp_messages
from ...codec.cpim import CpimLimits, decode_cpim
from ...codec.sip import Limits, Request, StreamParser
from ...errors import DecodeError

__all__ = ["Sight", "bar", "beside", "sights", "width"]

_SIP = Limits(max_header_bytes=65_536, max_headers=256, max_line=16_384, max_body=2_000_000)
_CPIM = CpimLimits(max_size=2_000_000, max_headers=128, max_header_bytes=65_536)


@dataclass(frozen=True, slots=True)
class Sight:
    """One message as it reached the carrier: its claimed id, how it names its content, and the first bytes of that."""

    message_id: str
    how: str
    size: int
    content_type: str
    body: bytes


def sights(log: Path) -> dict[str, Sight]:
    """Message id to what the carrier saw first under it."""
    found: dict[str, Sight] = {}
    streams = [stream for stream in read_wire_log(log).visible() if stream.received]
    for stream in streams:
        for request in _requests(stream.data):
            _see(found, "MESSAGE", request.body)
    for message in msrp_messages(streams, at_least=1):
        _see(found, "MSRP SEND", message.data)
    return found


def _see(found: dict[str, Sight], how: str, data: bytes) -> None:
    try:
        cpim = decode_cpim(data, _CPIM)
        body = cpim.content.content()
    except DecodeError:
        return
    if cpim.message_id and cpim.message_id not in found:
        kind = cpim.content.header("content-type") or "?"
        found[cpim.message_id] = Sight(cpim.message_id, how, len(data), kind, body)


def _requests(data: bytes) -> Iterator[Request]:
    parser = StreamParser(_SIP)
    try:
        for item in parser.feed(data):
            if isinstance(item, Request) and item.method == "MESSAGE":
                yield item
    except DecodeError:
        return


def width() -> int:
    """How many columns to use."""
    return max(72, min(shutil.get_terminal_size((100, 24)).columns, 120))


def beside(who: str, text: str, marks: str, sight: Sight | None) -> str:
    """Two columns: what was said, and what the carrier saw of it."""
    half = width() // 2 - 2
    left = [who, *textwrap.wrap(text, half - 2, initial_indent="  ", subsequent_indent="  ")]
    if marks:
        left.append(f"  ({marks})")
    if sight is None:
        right = ["the carrier saw: nothing yet"]
    else:
        readable = sight.content_type.startswith(("text/", "message/imdn"))
        shown = sight.body.decode("utf-8", "replace") if readable else sight.body[-2 * 16 :].hex(" ", 2)
        right = [
            f"{sight.how}, {sight.size:,} bytes",
            sight.content_type.partition(";")[0],
            *textwrap.wrap(shown, half),
        ]
    rows = max(len(left), len(right))
    left += [""] * (rows - len(left))
    right += [""] * (rows - len(right))
    return os.linesep.join(f"{a:<{half}}  | {b}".rstrip() for a, b in zip(left, right, strict=True))


def bar(who: str, done: int, size: int | None) -> str:
    """How far a transfer has come, in one line."""
    share = done / size if size else 0.0
    filled = round(share * 40)
    return f"   {who:<5} [{'#' * filled}{'.' * (40 - filled)}] {share:4.0%}  {done / 1e6:5.1f} MB"

"""docs/telephony.md: its examples run and print what is shown, and its table is whole and true."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import dataclasses
import enum
import inspect
import io
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, BEN, Town
from letterlock import telephony
from letterlock.telephony import TelephonyMessagingSession

PAGE = (Path(__file__).parents[2] / "docs" / "telephony.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
ROWS = re.findall(r"^\| `([^`]+)` \| (\d\d\.\d) \| (not there|`[^`]+`) \| (.*?) ?\|$", PAGE, re.M)
OURS = re.findall(r"^\| `([\w.]+)` \| [^|]+\|$", PAGE.partition("### Ours alone")[2], re.M)
MEMBERS = tomllib.loads((Path(__file__).parent / "apple_members.toml").read_text(encoding="utf-8"))


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    town = Town(tmp_path)
    paths = {"ana": await town.create(ANA), "ben": await town.create(BEN)}

    class Session(TelephonyMessagingSession):
        @classmethod
        def open(cls, profile: Any, **more: Any) -> TelephonyMessagingSession:
            return TelephonyMessagingSession.open(paths[profile], environment=town.environment(), **more)

    compared = 0
    async with town.open(paths["ben"]):  # his phone is on
        names: dict[str, Any] = {"TelephonyMessagingSession": Session}
        for (language, source), (after, shown) in itertools.pairwise([*BLOCKS, ("", "")]):
            if language != "python":
                continue
            source = source.replace("    TelephonyMessagingSession,\n", "")
            printed = io.StringIO()
            code = compile(source, "telephony.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(printed):
                async with asyncio.timeout(20):
                    result = eval(code, names)
                    if inspect.isawaitable(result):
                        await result
            assert printed.getvalue() == (shown if after == "text" else ""), source
            compared += 1
    assert compared == 3


def test_every_member_of_apples_has_a_row_with_its_version() -> None:
    listed = {name: version for section in MEMBERS.values() for name, version in section.items()}
    rows = {name: version for name, version, _, _ in ROWS}
    assert rows == listed
    assert len(rows) == len(ROWS) > 300


def test_what_the_table_names_exists() -> None:
    for name, _, here, note in ROWS:
        if here == "not there":
            assert note, f"{name}: a reason is missing"
        else:
            assert _found(here.strip("`")), f"{name}: there is no {here}"
    for here in OURS:
        assert _found(here), here
    assert len(OURS) == 8


def test_every_public_name_is_in_the_table() -> None:
    named = {here.strip("`").partition(".")[0] for _, _, here, _ in ROWS} | {here.partition(".")[0] for here in OURS}
    assert set(telephony.__all__) - named == set()


def test_every_public_method_is_in_the_table() -> None:
    named = {here.strip("`") for _, _, here, _ in ROWS} | set(OURS)
    for service in ("TelephonyMessagingSession", "RCSService", "SMSService", "MMSService"):
        public = {name for name in vars(getattr(telephony, service)) if not name.startswith("_")}
        assert {f"{service}.{name}" for name in public} - named == set()


def test_where_apple_has_the_flag_we_have_it() -> None:
    """A3 and A4: every `isEndToEndEncrypted`, and both `supportsEndToEndEncryption`."""
    flags = [here.strip("`") for name, _, here, _ in ROWS if name.endswith("EndToEndEncrypted")]
    assert len(flags) == 13
    assert all(flag.endswith(".is_end_to_end_encrypted") for flag in flags)
    supports = [here.strip("`") for name, _, here, _ in ROWS if name.endswith("supportsEndToEndEncryption")]
    assert supports == [
        "RCSConfiguration.supports_end_to_end_encryption",
        "RemoteCapabilities.supports_end_to_end_encryption",
    ]


def _found(name: str) -> bool:
    first, _, rest = name.partition(".")
    here = getattr(telephony, first, None)
    if first not in telephony.__all__ or not rest:
        return first in telephony.__all__
    if isinstance(here, type) and issubclass(here, enum.Enum):
        return rest in here.__members__
    if dataclasses.is_dataclass(here) and rest in {field.name for field in dataclasses.fields(here)}:
        return True
    if hasattr(here, rest):
        return True
    # What an instance gets in its constructor.
    return f"self.{rest} " in inspect.getsource(here) or f"self.{rest}:" in inspect.getsource(here)

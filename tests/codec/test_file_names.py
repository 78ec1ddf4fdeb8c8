"""SR-14: a name from a stranger becomes one harmless component, for Windows, macOS, Linux and Android alike."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.file_names import safe_file_name

RTL, ZERO, FILLER = "\u202e", "\u200b", "\u3164"

TRICKS = {
    # Linux and Android
    "../../.bashrc": "bashrc",
    "/etc/passwd": "passwd",
    "..": "file",
    ".": "file",
    "": "file",
    "...": "file",
    "a/..": "file",
    "/data/data/org.example/databases/x.db": "x.db",
    "a/b\x00.jpg": "b.jpg",
    "photo.jpg\x00.exe": "photo.jpg.exe",
    "a\nb\r\n.txt": "ab.txt",
    "-rf": "rf",
    "--to=x": "to=x",
    "~root": "root",
    ".hidden": "hidden",
    # macOS
    "a:b": "b",
    "Macintosh HD:Users:ana": "ana",
    "e\u0301.txt": "é.txt",
    # Windows
    "C:\\Windows\\win.ini": "win.ini",
    "C:evil.exe": "evil.exe",
    "\\\\server\\share\\x.exe": "x.exe",
    "\\\\?\\C:\\x.exe": "x.exe",
    "\\\\.\\PhysicalDrive0": "PhysicalDrive0",
    "a.txt:b": "b",
    "a.txt::$DATA": "$DATA",
    "con": "_con",
    "CON.txt": "_CON.txt",
    "Con .txt": "_Con .txt",
    "NUL.tar.gz": "_NUL.tar.gz",
    "com1": "_com1",
    "COM\u00b9.log": "_COM\u00b9.log",
    "lpt9.": "_lpt9",
    "LPT\u00b3": "_LPT\u00b3",
    "CONIN$": "_CONIN$",
    "aux . ": "_aux",
    "photo.jpg . . ": "photo.jpg",
    "photo.exe.": "photo.exe",
    'a<b>c"d|e?f*.txt': "a_b_c_d_e_f_.txt",
    # What people see
    f"photo{RTL}gpj.exe": "photogpj.exe",
    f"photo.jpg{ZERO * 40}.exe": "photo.jpg.exe",
    f"photo.jpg{FILLER * 40}.exe": "photo.jpg.exe",
    "photo.jpg" + " " * 200 + ".exe": "photo.jpg .exe",
    "photo.jpg\u2028.exe": "photo.jpg.exe",
    "a\u2044b": "b",
    "a\uff0fb\uff3cc": "c",
    "\ud800.txt": "txt",
}


@pytest.mark.parametrize(("name", "safe"), TRICKS.items(), ids=ascii)
def test_tricks(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


def test_length() -> None:
    for name in ("x" * 300, "é" * 300, "x" * 300 + ".jpeg", "." * 300, "\U0001f600" * 300, "a." * 300):
        assert 1 <= len(safe_file_name(name).encode()) <= 160
    assert safe_file_name("x" * 300 + ".jpeg").endswith("x.jpeg")


@given(st.text(st.sampled_from("aCONul.:/\\ -~\x00\n\t*?\u202e\u3164\u00b9é\ud800$1") | st.characters(), max_size=300))
def test_whatever_it_is_called(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    safe = safe_file_name(name)
    assert safe_file_name(safe) == safe
    assert safe and safe not in (".", "..") and safe[0] not in ".-~ " and safe[-1] not in ". "
    assert not any(c in '/\\:<>"|?*' or unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in safe)
    assert len(safe.encode()) <= 160
    assert PureWindowsPath(safe).name == safe and not PureWindowsPath(safe).is_reserved()
    folder = tmp_path_factory.mktemp("names")
    (folder / safe).touch()
    assert os.listdir(folder) == [safe] and Path(folder / safe).parent == folder

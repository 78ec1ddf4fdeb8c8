"""What this machine has: the cryptography, the search in an encrypted store, a jail for decoders, a browser, room, time."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import ssl
import sys
from pathlib import Path

import aiohttp
import sqlcipher3

from ....crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from ....crypto.pyca import Pyca
from ....errors import InputError, StoreError
from ....version import __version__
from .findings import Worry

__all__ = ["browser", "cryptography", "decoders", "disk", "python", "search", "versions"]

_LANDLOCK_CREATE, _LANDLOCK_VERSION = 444, 1
_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "firefox",
    "epiphany",
    "brave-browser",
    "xdg-open",
    "open",
)
_LITTLE, _TOO_LITTLE = 1 << 30, 64 << 20


async def python() -> str:
    return platform.python_version()


async def versions() -> str:
    """For whoever reads a report of what is wrong."""
    store = sqlcipher3.connect(":memory:")
    try:
        [cipher] = store.execute("PRAGMA cipher_version").fetchone()
    finally:
        store.close()
    system = f"{platform.system()} {platform.release()}"
    return (
        f"letterlock {__version__}, {ssl.OPENSSL_VERSION}, SQLCipher {cipher}, aiohttp {aiohttp.__version__}, {system}"
    )


async def cryptography() -> str:
    """The primitives that decide whether a chat can be post-quantum here."""
    crypto = Pyca()
    seed = os.urandom(64)
    secret, ciphertext = kyber1024_encapsulate(crypto, crypto.mlkem1024_public(seed), os.urandom)
    if kyber1024_decapsulate(crypto, seed, ciphertext) != secret:
        raise InputError("ML-KEM gives wrong results", code="doctor.mlkem", hint="install cryptography 50 or newer")
    return "ML-KEM, X25519 and the rest work"


async def search() -> str:
    """The local history is searched inside the encrypted store, never outside of it."""
    store = sqlcipher3.connect(":memory:")
    try:
        store.execute("PRAGMA key = 'doctor'")
        store.execute("CREATE VIRTUAL TABLE tried USING fts5(text)")
        store.execute("INSERT INTO tried VALUES ('what was said')")
        found = store.execute("SELECT count(*) FROM tried WHERE tried MATCH 'said'").fetchone()
    except sqlcipher3.Error as error:
        raise Worry(
            f"this SQLCipher has no full-text search ({error})",
            "install the sqlcipher3 package of PyPI, whose SQLCipher has FTS5",
        ) from error
    finally:
        store.close()
    return f"full-text search in the encrypted store {'works' if found == (1,) else 'finds nothing'}"


async def decoders() -> str:
    """Pictures and sounds that others send are decoded by a process that has given up what it does not need."""
    if sys.platform != "linux":
        raise Worry(
            "pictures are decoded in a process with limits, and without a jail: Landlock is Linux's",
            "look only at files of people whom you know: letterlock send --no-thumbnail, download --to",
        )
    version = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version <= 0:
        raise Worry(
            "this kernel has no Landlock: whatever takes over a decoder of pictures can delete your files",
            "a kernel 5.13 or newer with 'landlock' among its lsm= has it; limits and dropped privileges hold all the same",
        )
    return f"pictures and sounds are decoded in a jail (Landlock {version})"


async def browser() -> str:
    """For the page of `letterlock web`."""
    found = next((name for name in _BROWSERS if shutil.which(name)), None)
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if found is None or not screen:
        missing = "no browser is installed here" if found is None else f"{found} is here, and no screen to show it on"
        raise Worry(missing, "letterlock web prints the address of the page; the terminal can do all that it does")
    return f"{found}: letterlock web opens the page with it"


async def disk(folder: Path) -> str:
    """Room for the store: what cannot be committed is not acknowledged, and comes again and again."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise StoreError(f"{there} cannot be looked at: {error.strerror}", code="doctor.disk") from error
    text = f"{free / (1 << 30):.1f} GiB free at {there}"
    if free < _TOO_LITTLE:
        raise StoreError(
            text, code="doctor.disk", hint="make room: letterlock cache prune deletes what can be fetched again"
        )
    if free < _LITTLE:
        raise Worry(text, "make room before files come: letterlock cache prune, letterlock cache budget 300M")
    return text

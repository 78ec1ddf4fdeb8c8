"""The project about itself: layers, purity, documents, locks."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _generator():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_import_contracts_hold() -> None:
    """`ls src/letterlock` shows the architecture; import-linter keeps it."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_requirement_has_a_test_or_says_when_it_will() -> None:
    requirements = tomllib.loads((ROOT / "docs" / "requirements.toml").read_text(encoding="utf-8"))
    assert len(requirements) == 23
    tests = _generator().tests_by_requirement()
    missing = [name for name, entry in requirements.items() if not tests.get(name) and "later" not in entry]
    assert missing == []


def test_generated_pages_are_up_to_date() -> None:
    assert _generator().main(["--check"]) == 0


@pytest.mark.parametrize(("lock", "least"), [("runtime", 6), ("dev", 6), ("docs", 6), ("mlsrs", 1)])
def test_sr20_locks_have_hashes_and_no_addresses(lock: str, least: int) -> None:
    """SR-20."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9_.-]+==", text, re.M | re.I)
    assert len(pins) >= least
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


@pytest.mark.parametrize("peer", ["libsignal", "mls"])
def test_sr20_npm_locks_have_hashes_and_no_addresses(peer: str) -> None:
    """SR-20."""
    lock = json.loads((ROOT / "tests" / "interop" / peer / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


def test_sr20_every_dependency_has_a_reason() -> None:
    """SR-20: what pyproject.toml asks for stands in docs/dependencies.md."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=\[]", requirement)[0].lower()
        assert f"| {name}" in page, name


_BARE = """
import sys
sys.path.insert(0, {src!r})
import importlib, pkgutil
roots = ["letterlock.ids", "letterlock.errors", "letterlock.seam", "letterlock.crypto.provider", "letterlock.crypto.secret",
         "letterlock.crypto.kyber", "letterlock.crypto.mlkem_split", "letterlock.crypto.curves", "letterlock.crypto.certificate",
         "letterlock.crypto.hkdf", "letterlock.crypto.hpke", "letterlock.crypto.dhkem", "letterlock.crypto.xwing"]
import letterlock
for name in ("codec", "sip", "imdn", "signal", "mls", "files", "trust", "engine"):
    package = importlib.import_module("letterlock." + name)
    roots += [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in roots:
    importlib.import_module(name)
third_party = sorted(m for m in sys.modules if m.split(".")[0] in {{"cryptography", "nacl", "cffi", "_cffi_backend", "aiohttp", "msgspec", "sqlcipher3", "platformdirs"}})
assert not third_party, third_party

class Fake:
    "A provider that only remembers what was asked of it."
    def __init__(self): self.asked = []
    def __getattr__(self, name):
        def answer(*a, **k):
            self.asked.append(name)
            raise NotImplementedError(name)
        return answer

from letterlock.crypto import kyber
fake = Fake()
try:
    kyber.kyber1024_encapsulate(fake, b"", lambda n: bytes(n))
except NotImplementedError:
    pass
assert fake.asked, "the core did not ask the injected provider"
print(len(roots))
"""


def test_engine_and_below_import_in_a_bare_interpreter() -> None:
    """No site-packages, no user site: only the standard library and an injected provider (the iOS rule)."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _BARE.format(src=str(ROOT / "src"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_the_lazy_client_is_the_only_name_that_needs_more() -> None:
    """`import letterlock` alone pulls in nothing heavy."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import letterlock; assert 'letterlock.client' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_public_mls_group_comes_without_the_secret_half() -> None:
    """What a server imports to order commits can neither hold nor derive a group's secrets."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import letterlock.mls.public_group; "
        "bad = [m for m in sys.modules if m.startswith(('letterlock.mls.group', 'letterlock.mls.key_packages', "
        "'letterlock.mls.schedule.secret_tree', 'letterlock.mls.schedule.key_schedule', "
        "'letterlock.mls.protect.private'))]; assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

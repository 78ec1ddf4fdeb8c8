"""Scripts that recompute published vectors without Letterlock: loaded, and looked at for what they import."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["load", "stands_on_its_own"]


def load(script: Path, name: str) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stands_on_its_own(script: Path) -> bool:
    """Whether it imports nothing but the standard library and the primitives."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    return imported <= sys.stdlib_module_names | {"cryptography"}

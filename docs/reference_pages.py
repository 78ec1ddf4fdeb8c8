"""The reference: what a module makes public, as Markdown with Sphinx's Python directives, from the code itself.

A page in docs/reference/ has a line `<!-- reference: letterlock.client -->` where it goes; conf.py puts it there while the
pages are built, so nothing generated lies in the repository and nothing can be out of date. Docstrings are prose with
names in backticks, which Markdown takes as they are. What a name means is its docstring; of a field, the string behind it.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

__all__ = ["MARK", "public_names", "reference"]

MARK = re.compile(r"<!-- reference: ([\w.]+)(?: (\w[\w, ]*))? -->")
"""A module, and the names that are wanted of it; behind `but`, those that are not."""


def reference(module_name: str, only: str | None = None) -> str:
    """Everything that the module makes public, or what is named; classes first, then functions, then values."""
    module = importlib.import_module(module_name)
    names = _wanted(module, only)
    kinds: dict[str, list[str]] = {"class": [], "function": [], "data": []}
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            kinds["class"].append(_class(module_name, name, value))
        elif callable(value) and inspect.isroutine(value):
            kinds["function"].append(_function(name, value, "function", module_name))
        else:
            kinds["data"].append(_data(module, name, value))
    return "\n".join(part for parts in kinds.values() for part in parts)


def _wanted(module: Any, only: str | None) -> list[str]:
    every, named = public_names(module), (only or "").removeprefix("but ").split(", ")
    if not only:
        return every
    return [name for name in every if name not in named] if only.startswith("but ") else named


def public_names(module: Any) -> list[str]:
    """`__all__`, in its order."""
    return [name for name in module.__all__ if not name.startswith("__")]


def _class(module: str, name: str, kind: type) -> str:
    parts = [_prose(inspect.getdoc(kind) if kind.__doc__ and not _made_up(kind) else "")]
    bases = [base.__name__ for base in kind.__bases__ if base is not object and not base.__name__.startswith("_")]
    if bases and bases != ["Protocol"]:
        parts.insert(0, f"*A kind of {', '.join(f'`{base}`' for base in bases)}.*\n")
    # The signature of a dataclass has its fields already: again only those of which something is told.
    told_alone = dataclasses.is_dataclass(kind)
    parts += [_field(kind.__module__, *field) for field in _fields(kind) if field[2] or not told_alone]
    parts += [_member(member, value) for member, value in _members(kind)]
    signature = "" if issubclass(kind, enum.Enum | BaseException) else _signature(kind)
    directive = "exception" if issubclass(kind, BaseException) else "class"
    return _directive(directive, f"{name}{signature}", "\n".join(parts), 6, f":module: {module}")


def _made_up(kind: type) -> bool:
    """The docstrings that dataclasses, named tuples and enums get without anybody writing one."""
    text = kind.__doc__ or ""
    return text.startswith(f"{kind.__name__}(") or text in (enum.Enum.__doc__, "An enumeration.")


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, type or value, and the string behind it: of fields of dataclasses, of enums' members, of annotated attributes."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    for at, node in enumerate(body):
        behind = body[at + 1] if at + 1 < len(body) else None
        told = ""
        if (
            isinstance(behind, ast.Expr)
            and isinstance(behind.value, ast.Constant)
            and isinstance(behind.value.value, str)
        ):
            told = inspect.cleandoc(behind.value.value)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if not node.target.id.startswith("_"):
                yield node.target.id, ast.unparse(node.annotation), told
        elif isinstance(node, ast.Assign) and issubclass(kind, enum.Enum):
            target = node.targets[0]
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                yield target.id, f"= {ast.unparse(node.value)}", told


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """What the class defines or has from a base of ours, in the order of the code."""
    seen: set[str] = set()
    for each in kind.__mro__:
        if not each.__module__.startswith("letterlock"):
            continue
        for name, value in vars(each).items():
            inner = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            routine = inspect.isfunction(inner) or isinstance(inner, property)
            if name.startswith("_") or name in seen or not routine:
                continue
            seen.add(name)
            if (inner.fget if isinstance(inner, property) else inner).__doc__ or each is kind:
                yield name, value


def _member(name: str, value: Any) -> str:
    if isinstance(value, property):
        hints = getattr(value.fget, "__annotations__", {})
        options = f":type: {_plain(hints['return'], value.fget.__module__)}" if "return" in hints else ""
        return _directive("property", name, _prose(inspect.getdoc(value)), 5, options)
    if isinstance(value, classmethod | staticmethod):
        options = ":classmethod:" if isinstance(value, classmethod) else ":staticmethod:"
        return _function(name, value.__func__, "method", "", options)
    return _function(name, value, "method", "")


def _function(name: str, value: Any, directive: str, module: str, more: str = "") -> str:
    options = [f":module: {module}"] if module else []
    options += [more] if more else []
    inner = inspect.unwrap(value)
    if inspect.iscoroutinefunction(inner):
        options.append(":async:")
    signature = _signature(value, method=directive == "method" and more != ":staticmethod:")
    return _directive(directive, f"{name}{signature}", _prose(inspect.getdoc(value)), 5, *options)


def _data(module: Any, name: str, value: Any) -> str:
    told = ""
    try:
        tree = ast.parse(inspect.getsource(inspect.getmodule(value) or module))
    except (OSError, TypeError):
        tree = ast.parse(inspect.getsource(module))
    for node, behind in zip(tree.body, tree.body[1:], strict=False):
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and target.id == name and isinstance(behind, ast.Expr):
            told = inspect.cleandoc(str(ast.literal_eval(behind.value)))
    shown = _plain(value, module.__name__) if typing.get_origin(value) is not None else repr(value)
    options = [f":module: {module.__name__}"]
    if len(shown) <= 90:
        options.append(f":value: {shown}")
    return _directive("data", name, _prose(told), 5, *options)


def _field(module: str, name: str, what: str, told: str) -> str:
    option = f":value: {what[2:]}" if what.startswith("= ") else f":type: {_plain(what, module)}"
    return _directive("attribute", name, _prose(told), 5, option)


def _directive(kind: str, head: str, body: str, fence: int, *options: str) -> str:
    """Fences of what is inside are shorter, so that they nest."""
    lines = [
        f"{'`' * fence}{{py:{kind}}} {head}",
        *(option for option in options if option),
        "",
        body.strip(),
        "`" * fence,
    ]
    return "\n".join(lines) + "\n"


def _signature(value: Any, *, method: bool = False) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    module = str(getattr(value, "__module__", ""))
    parameters = list(signature.parameters.values())
    if (method or inspect.isfunction(value)) and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    shown = []
    for each in parameters:
        default = each.default
        if default is not inspect.Parameter.empty and (len(repr(default)) > 40 or "<" in repr(default)):
            default = _Long()
        annotation = each.annotation
        if annotation is not inspect.Parameter.empty:
            annotation = _Raw(_plain(annotation, module))
        shown.append(each.replace(default=default, annotation=annotation))
    returns = signature.return_annotation
    if returns is not inspect.Signature.empty and not inspect.isclass(value):
        returns = _Raw(_plain(returns, module))
    else:
        returns = inspect.Signature.empty
    return str(signature.replace(parameters=shown, return_annotation=returns))


class _Raw:
    """A text that stands in a signature as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class _Long:
    def __repr__(self) -> str:
        return "..."


def _plain(annotation: Any, module: str) -> str:
    """A type with its names as the reference has them, so that they become links; of several, the nearest one."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\b(?:letterlock|collections|typing)(?:\.[a-z_]\w*)*\.", "", text)
    return re.sub(r"(?<![\w.'\"])[A-Z]\w*", lambda found: _nearest(found[0], module), text)


def _nearest(name: str, module: str) -> str:
    def shared(path: str) -> int:
        steps = zip(path.split("."), module.split("."), strict=False)
        return sum(1 for _ in takewhile(lambda step: step[0] == step[1], steps))

    return max(_documented().get(name, []), key=shared, default=name)


@functools.cache
def _documented() -> dict[str, list[str]]:
    """Each name of the reference, and where it stands: the client's before those of the layers around it."""
    paths: dict[str, list[str]] = {}
    pages = sorted((Path(__file__).parent / "reference").glob("*.md"), key=lambda page: page.stem != "client")
    for page in pages:
        for module, only in MARK.findall(page.read_text(encoding="utf-8")):
            for name in _wanted(importlib.import_module(module), only):
                paths.setdefault(name, []).append(f"{module}.{name}")
    return paths


def _prose(text: str | None) -> str:
    """A docstring as Markdown: angle brackets outside of code are no HTML, and no line is a heading."""
    parts = re.split(r"(`[^`]*`)", text or "")
    escaped = [part if at % 2 else part.replace("<", "&lt;").replace("*", "\\*") for at, part in enumerate(parts)]
    return re.sub(r"^(#+|=+|-+)(?=\s|$)", r"\\\1", "".join(escaped), flags=re.M)

"""What a verb is: a name, parameters, a result and the function that does it.

From the one table (`table.py`) come the command line's parsers and their help, the dispatch of JSON-RPC with its strict
checks, and the OpenRPC document. Names map mechanically: `group create` and `--reply-to` at the terminal are
`group.create` and `reply_to` in JSON.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .context import Context

__all__ = ["Example", "Kind", "Param", "Schema", "Verb", "param"]

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema; `{"$ref": "#/components/schemas/Chat"}` names one of `schemas.COMPONENTS`."""


class Kind(enum.Enum):
    """What a parameter holds. The value is the word that stands for it in a usage line."""

    TEXT = "TEXT"
    WORD = "WORD"
    """A short text: a label, a name, an emoji, a token."""
    CHAT = "CHAT"
    """A number, a chatbot's address, or a group: its name, the beginning of it, or its subject."""
    NUMBER = "NUMBER"
    """An E.164 number."""
    MESSAGE = "MESSAGE"
    """A message id, or the beginning of one."""
    PATH = "PATH"
    """A place on the disk of whoever runs the verb."""
    INTEGER = "COUNT"
    DECIMAL = "DECIMAL"
    FLAG = ""


_MOST_CHARACTERS = {
    Kind.TEXT: 65_536,
    Kind.WORD: 16_384,
    Kind.CHAT: 512,
    Kind.NUMBER: 64,
    Kind.MESSAGE: 64,
    Kind.PATH: 4_096,
}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. What is not `required` has a `default`; `lowest` and `highest` bound a number, and the items of `many`.

    `positional` says that it needs no `--name` at the terminal. `terminal` False: it has no meaning there, for the reason
    that stands beside it.
    """

    name: str
    kind: Kind
    summary: str
    required: bool = False
    default: Any = None
    many: bool = False
    positional: bool = False
    choices: tuple[str, ...] = ()
    lowest: int | None = None
    highest: int | None = None
    metavar: str = ""
    terminal: bool = True

    @property
    def flag(self) -> str:
        """Its name at the terminal: `--reply-to`."""
        return "--" + self.name.replace("_", "-")

    @property
    def most_characters(self) -> int | None:
        """The bound of a text (SR-08); what a text means is checked by the engine, with its own bounds."""
        return _MOST_CHARACTERS.get(self.kind)

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        one = self._one()
        if not self.many:
            return one
        bounds = {"minItems": 1 if self.required else 0, "maxItems": self.highest or 256}
        return {"type": "array", "items": one, **bounds}

    def _one(self) -> dict[str, Any]:
        match self.kind:
            case Kind.FLAG:
                return {"type": "boolean", "default": bool(self.default)}
            case Kind.INTEGER | Kind.DECIMAL:
                schema: dict[str, Any] = {"type": "integer" if self.kind is Kind.INTEGER else "number"}
                if self.lowest is not None:
                    schema["minimum"] = self.lowest
                if self.highest is not None:
                    schema["maximum"] = self.highest
            case _:
                schema = {"type": "string", "maxLength": self.most_characters}
                if self.choices:
                    schema["enum"] = list(self.choices)
        if not self.required and not self.many and self.default is not None:
            schema["default"] = self.default
        return schema


def param(name: str, kind: Kind, summary: str, **more: Any) -> Param:
    """A parameter that must be given, and is positional at the terminal."""
    return Param(name, kind, summary, **{"required": True, "positional": True, **more})


@dataclass(frozen=True, slots=True)
class Example:
    """One use. The command line and the JSON of it follow from the parameters."""

    summary: str
    params: Mapping[str, Any] = field(default_factory=dict)


Call: TypeAlias = Callable[..., Awaitable[Any]]
"""`call(context, **params)` gives a JSON value, and raises errors of `letterlock.errors` alone."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. `name` is as at the terminal, of one word or two. `result` is the schema of what `call` gives.

    `instead`: the terminal offers this in place of the verb, and has none of its name.
    """

    name: str
    summary: str
    call: Call
    result: Schema
    params: tuple[Param, ...] = ()
    description: str = ""
    examples: tuple[Example, ...] = ()
    instead: str = ""

    @property
    def method(self) -> str:
        """Its name in JSON-RPC: `group.create`, `accept_keys`."""
        return self.name.replace(" ", ".").replace("-", "_")

    def param(self, name: str) -> Param | None:
        return next((each for each in self.params if each.name == name), None)

    async def perform(self, context: Context, given: Mapping[str, Any]) -> Any:
        """Call it with what was checked (`checking.checked`)."""
        return await self.call(context, **given)

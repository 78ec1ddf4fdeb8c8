"""docs/spec/rpc.md: every method of JSON-RPC, from the table of verbs that the daemon answers by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["rpc_methods"]

_HEAD = """\
# Methods of JSON-RPC

<!-- Written by docs/generate.py from letterlock.apps.verbs. Do not edit. -->

What a program can ask of an opened profile: over HTTP, a unix socket, or standard input and output ([how](../daemon.md)). Each method is a verb
of the command line, or says what the command line has instead. `CHAT` is a number, a chatbot's address, or a group: its name, the
beginning of it, or its subject. A field of a result with a question mark may be absent; programs ignore fields that they do not know.

"""


def rpc_methods() -> str:
    from letterlock.apps.verbs import METHODS, Verb
    from letterlock.apps.verbs.schemas import COMPONENTS

    parts = [_HEAD, "| method | what it does |\n|---|---|\n"]
    parts += [f"| [`{verb.method}`](#{_anchor(verb.method)}) | {verb.summary} |\n" for verb in METHODS.values()]

    def method(verb: Verb) -> str:
        lines = [f"\n({_anchor(verb.method)})=\n## {verb.method}\n\n{verb.description or verb.summary}\n"]
        if verb.instead:
            lines.append(f"\nAt the command line: {verb.instead}.\n")
        if verb.params:
            lines.append("\n| parameter | type | meaning |\n|---|---|---|\n")
        for each in verb.params:
            kind = _type(each.schema) + ("" if each.required else ", optional")
            lines.append(f"| `{each.name}` | {kind} | {_cell(each.summary)} |\n")
        lines.append(f"\nGives {_type(verb.result)}.\n")
        for example in verb.examples:
            request = {"jsonrpc": "2.0", "id": 1, "method": verb.method}
            if example.params:
                request["params"] = dict(example.params)  # type: ignore[assignment]
            text = json.dumps(request, ensure_ascii=False)
            lines.append(f"\n{example.summary[:1].upper()}{example.summary[1:]}:\n\n```json\n{text}\n```\n")
        return "".join(lines)

    parts += [method(verb) for verb in METHODS.values()]
    parts.append("\n## Forms\n\nWhat results are made of.\n")
    for name, schema in COMPONENTS.items():
        parts.append(f"\n(rpc-form-{name.lower()})=\n### {name}\n\n| field | type |\n|---|---|\n")
        for field, inner in schema["properties"].items():
            optional = "" if field in schema["required"] else "?"
            parts.append(f"| `{field}`{optional} | {_type(inner)} |\n")
    return "".join(parts)


def _anchor(method: str) -> str:
    return "rpc-" + method.replace(".", "-").replace("_", "-")


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in words."""
    if (target := schema.get("$ref")) is not None:
        name = target.rpartition("/")[2]
        return f"[{name}](#rpc-form-{name.lower()})"
    if (choices := schema.get("anyOf")) is not None:
        return " or ".join(_type(choice) for choice in choices)
    if "enum" in schema:
        return " or ".join(f"`{value}`" if value else "empty" for value in schema["enum"])
    match schema["type"]:
        case "array":
            return f"list of {_type(schema['items'])}"
        case "object" if schema.get("properties"):
            optional = set(schema["properties"]) - set(schema["required"])
            fields = [
                f"`{name}`{'?' if name in optional else ''}: {_type(inner)}"
                for name, inner in schema["properties"].items()
            ]
            return f"{{{', '.join(fields)}}}"
        case "object":
            return "nothing: `{}`" if "properties" in schema else "object"
        case "null":
            return "`null`"
        case "integer" | "number" as kind:
            low, high = schema.get("minimum"), schema.get("maximum")
            return kind if low is None or high is None or high > 1 << 40 else f"{kind} from {low:,} to {high:,}"
        case kind:
            return str(kind)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

"""As much of JSON Schema as the table of verbs uses, so that what verbs give can be held against what they promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["KEYWORDS", "mismatch"]

KEYWORDS = frozenset(
    {
        "$ref", "anyOf", "default", "description", "enum", "items", "maxItems", "maxLength", "maximum", "minItems",
        "minimum", "properties", "required", "type",
    }
)  # fmt: skip
"""What is understood here; a schema with another word could promise something that nobody checks."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def mismatch(value: Any, schema: Mapping[str, Any], components: Mapping[str, Any], where: str = "result") -> str:
    """Where and how a value is not what its schema says; empty if it is. Fields that no schema names are mistakes too."""
    assert set(schema) <= KEYWORDS, schema
    if (target := schema.get("$ref")) is not None:
        return mismatch(value, components[target.removeprefix("#/components/schemas/")], components, where)
    if (choices := schema.get("anyOf")) is not None:
        found = [mismatch(value, choice, components, where) for choice in choices]
        return "" if "" in found else found[0]
    wanted = schema["type"]
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        return f"{where} is {type(value).__name__}, not {wanted}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is {value!r}, none of {schema['enum']}"
    if wanted == "array":
        return next(
            (bad for at, each in enumerate(value) if (bad := mismatch(each, schema["items"], components, f"{where}[{at}]"))),
            "",
        )  # fmt: skip
    if wanted == "object" and "properties" in schema:
        properties = schema["properties"]
        if missing := set(schema.get("required", ())) - set(value):
            return f"{where} lacks {sorted(missing)}"
        if more := set(value) - set(properties):
            return f"{where} has {sorted(more)}, of which the schema says nothing"
        return next(
            (bad for name in value if (bad := mismatch(value[name], properties[name], components, f"{where}.{name}"))),
            "",
        )
    return ""

"""`rpc.discover` against the OpenRPC 1.3 specification, as far as it has rules, and against the table that it is made from."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from letterlock.apps.daemon.openrpc import DISCOVER, ERRORS, document
from letterlock.apps.daemon.rpc import answer
from letterlock.apps.verbs import METHODS, Context, checked
from letterlock.apps.verbs.schemas import COMPONENTS
from verbs.schemas import KEYWORDS, mismatch

_FIELDS = {
    "document": {"openrpc", "info", "methods", "components", "servers", "externalDocs"},
    "info": {"title", "version", "description", "license", "contact", "termsOfService"},
    "method": {
        "name", "tags", "summary", "description", "externalDocs", "params", "result", "deprecated", "servers", "errors",
        "links", "paramStructure", "examples",
    },
    "param": {"name", "summary", "description", "required", "schema", "deprecated"},
    "result": {"name", "summary", "description", "required", "schema", "deprecated"},
    "example": {"name", "summary", "description", "params", "result"},
    "value": {"name", "summary", "description", "value", "externalValue"},
    "error": {"code", "message", "data"},
}  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 1, "method": DISCOVER}
    body = asyncio.run(answer(Context(client=None), json.dumps(request).encode()))  # type: ignore[arg-type]
    assert body is not None
    result: dict[str, Any] = json.loads(body)["result"]
    return result


def test_it_names_exactly_the_table(said: dict[str, Any]) -> None:
    names = [method["name"] for method in said["methods"]]
    assert names == [*METHODS, DISCOVER]
    assert len(names) == len(set(names))
    for method in said["methods"][:-1]:
        verb = METHODS[method["name"]]
        assert [each["name"] for each in method["params"]] == [each.name for each in verb.params]
        assert [each["required"] for each in method["params"]] == [each.required for each in verb.params]
        assert method["summary"] == verb.summary and method["description"]
        assert len(method["examples"]) >= 1


def test_every_object_has_the_fields_of_the_specification(said: dict[str, Any]) -> None:
    _only(said, "document", {"openrpc", "info", "methods"})
    assert re.fullmatch(r"1\.3\.\d+", said["openrpc"])
    _only(said["info"], "info", {"title", "version"})
    for method in said["methods"]:
        _only(method, "method", {"name", "params", "result"})
        assert method["paramStructure"] == "by-name"
        assert not method["name"].startswith("rpc.") or method["name"] == DISCOVER
        names = [param["name"] for param in method["params"]]
        assert len(names) == len(set(names))
        # "Required parameters must be listed before optional ones" is of by-position alone, and kept all the same.
        for param in method["params"]:
            _only(param, "param", {"name", "schema"})
        _only(method["result"], "result", {"name", "schema"})
        codes = [_resolved(said, error)["code"] for error in method["errors"]]
        assert len(codes) == len(set(codes))
        for example in method["examples"]:
            _only(example, "example", {"name", "params"})
            for value in example["params"]:
                _only(value, "value", {"name", "value"})
                assert value["name"] in names
    for name, error in said["components"]["errors"].items():
        _only(error, "error", {"code", "message"})
        assert isinstance(error["code"], int) and re.fullmatch(r"[a-zA-Z0-9.\-_]+", name)


def test_every_reference_leads_somewhere_and_every_schema_is_understood(said: dict[str, Any]) -> None:
    for path, value in _walk(said):
        if isinstance(value, dict) and "$ref" in value:
            assert set(value) == {"$ref"}, path
            assert _resolved(said, value)
    used = {value["$ref"].rpartition("/")[2] for _, value in _walk(said) if isinstance(value, dict) and "$ref" in value}
    assert used == set(COMPONENTS) | set(ERRORS), "a component that nothing uses"
    for method in METHODS.values():
        for schema in (method.result, *(param.schema for param in method.params)):
            for _, inner in _schemas(schema):
                assert set(inner) <= KEYWORDS
                assert set(inner.get("required", ())) <= set(inner.get("properties", ()))


@pytest.mark.parametrize("name", METHODS)
def test_examples_are_what_the_verb_takes(name: str) -> None:
    verb = METHODS[name]
    for example in verb.examples:
        given = checked(verb, dict(example.params))
        for param in verb.params:
            if param.name in example.params:
                assert mismatch(given[param.name], param.schema, COMPONENTS) == ""


def test_discovering_takes_nothing() -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": DISCOVER, "params": {"x": 1}}
    body = asyncio.run(answer(Context(client=None), json.dumps(request).encode()))  # type: ignore[arg-type]
    assert body is not None and json.loads(body)["error"]["code"] == -32_602
    assert document() is document()


def _only(value: dict[str, Any], kind: str, required: set[str]) -> None:
    assert required <= set(value) <= _FIELDS[kind], (kind, sorted(value))


def _resolved(said: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    found: Any = said
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(each, f"{path}/{name}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _walk(each, f"{path}/{at}")


def _schemas(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A schema and those in it; names of properties are no keywords."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from _schemas(each, f"{path}.{name}")
    for each in schema.get("anyOf", ()):
        yield from _schemas(each, path)
    if "items" in schema:
        yield from _schemas(schema["items"], f"{path}[]")

"""`rpc.discover`: the OpenRPC 1.3 document of the methods, made from the table of verbs and from nothing else."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ...version import __version__
from ..verbs import METHODS, Example, Verb
from ..verbs.schemas import COMPONENTS, STRING, array, record

__all__ = ["DISCOVER", "ERRORS", "document"]

DISCOVER = "rpc.discover"
_OPENRPC = "1.3.2"

_OPTION = {"$ref": "#/components/schemas/Option"}
_DATA = {
    "type": "object",
    "properties": {
        "class": {"type": "string", "description": "the class in letterlock.errors"},
        "code": {"type": "string", "description": "stable, for programs: input.number"},
        "hint": {"type": "string", "description": "what to do, for people"},
        "exit": {"type": "integer", "description": "the exit code of the command line"},
    },
    "required": ["class", "code", "hint", "exit"],
}


def _data(**more: Mapping[str, Any]) -> dict[str, Any]:
    """What `data` of an error has beside what all have."""
    return {**_DATA, "properties": {**_DATA["properties"], **more}}  # type: ignore[dict-item]


ERRORS: Mapping[str, Mapping[str, Any]] = {
    "ParseError": {"code": -32_700, "message": "not JSON", "data": _DATA},
    "InvalidRequest": {"code": -32_600, "message": "no request, or over a bound", "data": _DATA},
    "MethodNotFound": {"code": -32_601, "message": "there is no such method", "data": _DATA},
    "InvalidParams": {"code": -32_602, "message": "data.param names the wrong one", "data": _data(param=STRING)},
    "Input": {"code": -32_001, "message": "what was given is wrong; nothing was changed", "data": _DATA},
    "Bug": {"code": -32_002, "message": "ours; please report it", "data": _DATA},
    "Network": {"code": -32_003, "message": "a network, a server or the store", "data": _DATA},
    "TrustRequired": {
        "code": -32_004,
        "message": "a human must decide about keys first",
        "data": _data(label=STRING, sentence=STRING),
    },
    "TooMany": {"code": -32_005, "message": "too many requests", "data": _DATA},
    "NotEncrypted": {
        "code": -32_007,
        "message": "it would have been sent unencrypted; `options` is what the user may choose",
        "data": _data(reason=STRING, label=STRING, sentence=STRING, options=array(_OPTION)),
    },
}
"""By name; those of the standard, then -32000 minus the exit code of the command line."""


@functools.cache
def document() -> dict[str, Any]:
    """The whole of it. Nobody may change what this gives: it is made once."""
    return {
        "openrpc": _OPENRPC,
        "info": {
            "title": "Letterlock",
            "version": __version__,
            "description": "End-to-end-encrypted RCS: what a program can ask of an opened profile.",
            "license": {"name": "Apache-2.0"},
        },
        "methods": [*(_method(verb) for verb in METHODS.values()), _discover()],
        "components": {
            "schemas": {name: dict(schema) for name, schema in COMPONENTS.items()},
            "errors": {name: _error(error) for name, error in ERRORS.items()},
        },
    }


def _method(verb: Verb) -> dict[str, Any]:
    return {
        "name": verb.method,
        "summary": verb.summary,
        "description": verb.description or verb.summary,
        "tags": [{"name": verb.method.partition(".")[0]}] if "." in verb.method else [],
        "paramStructure": "by-name",
        "params": [
            {"name": each.name, "summary": each.summary, "required": each.required, "schema": each.schema}
            for each in verb.params
        ],
        "result": {"name": "result", "schema": dict(verb.result)},
        "errors": [{"$ref": f"#/components/errors/{name}"} for name in ERRORS],
        "examples": [_example(verb, example) for example in verb.examples],
    }


def _example(verb: Verb, example: Example) -> dict[str, Any]:
    params = [{"name": name, "value": value} for name, value in example.params.items()]
    return {"name": example.summary, "params": params}


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    """An Error Object of OpenRPC, whose `data` may be anything; here it is the schema of what will stand there."""
    return dict(error)


def _discover() -> dict[str, Any]:
    return {
        "name": DISCOVER,
        "summary": "this document",
        "description": "The description of all methods, by the OpenRPC specification.",
        "tags": [],
        "paramStructure": "by-name",
        "params": [],
        "result": {"name": "document", "schema": record(openrpc=STRING, info={"type": "object"})},
        "errors": [],
        "examples": [{"name": "which methods there are", "params": []}],
    }

"""The bodies of JSON-RPC, for the list of decoders of hostile bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from letterlock.apps.daemon.rpc import Refusal, read
from letterlock.apps.verbs import METHODS, WrongParameter, checked

__all__ = ["rpc_decoders"]


def rpc_decoders() -> list[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]]]:
    """Name, decoder, and what an honest program sends."""
    send = {
        "jsonrpc": "2.0", "id": 1, "method": "send", "params": {"chat": "+15550199", "text": "hi [,{", "wait": False},
    }  # fmt: skip
    create = {
        "jsonrpc": "2.0", "method": "group.create", "params": {"subject": "Tea", "members": ["+15550199", "+15550142"]},
    }  # fmt: skip
    place = {
        "jsonrpc": "2.0", "id": "x", "method": "location",
        "params": {"chat": "Tea", "latitude": -33.8, "longitude": 151, "radius": 1e2},
    }  # fmt: skip
    return [("json-rpc", _decode, tuple(json.dumps(each).encode() for each in (send, [create, place], place)))]


def _decode(body: bytes) -> Any:
    """All of what is done before a verb is called."""
    calls, _ = read(body)
    found = []
    for call in calls:
        if isinstance(call, Refusal):
            raise call
        if (verb := METHODS.get(call.method)) is not None:
            with contextlib.suppress(
                WrongParameter
            ):  # an InputError: the call was read, and names what it does not have
                found.append(checked(verb, call.params))
    return found

"""Somebody who calls verbs as a program does: bodies of JSON-RPC in, bodies out, every result held against its schema."""

from __future__ import annotations

import json
from typing import Any

from letterlock.apps.daemon.rpc import answer
from letterlock.apps.verbs import METHODS, Context
from letterlock.apps.verbs.schemas import COMPONENTS
from verbs.schemas import mismatch

__all__ = ["Caller", "Failed"]


class Failed(Exception):
    """The answer was an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error["data"]


class Caller:
    """`called` are the methods that have answered with a result."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.called: set[str] = set()
        self._last = 0

    async def __call__(self, method: str, **params: Any) -> Any:
        self._last += 1
        request = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": params}
        body = await answer(self.context, json.dumps(request).encode())
        assert body is not None
        said = json.loads(body)
        assert said["jsonrpc"] == "2.0" and said["id"] == self._last
        if "error" in said:
            raise Failed(said["error"])
        assert mismatch(said["result"], METHODS[method].result, COMPONENTS) == ""
        self.called.add(method)
        return said["result"]

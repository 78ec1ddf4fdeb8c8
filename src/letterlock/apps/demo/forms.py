"""What the page gets as JSON: frames in brief and whole, and what the search found."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from .frame import Frame
from .secrets_search import Verdict

__all__ = ["brief", "finding", "whole"]

_SHOWN = 12_288
"""Bytes of a frame that are shown; of longer ones the beginning."""


def brief(frame: Frame) -> dict[str, Any]:
    """A line of the list."""
    return {
        "n": frame.number,
        "at": frame.at,
        "how": frame.how,
        "kind": frame.kind,
        "from": frame.sender,
        "to": frame.recipient,
        "size": len(frame.data),
        "sealed": frame.sealed[1],
        "made": frame.made,
        "detail": frame.detail,
        "id": frame.message_id,
        "copies": [
            {"at": copy.at, "to": copy.recipient, "size": len(copy.data), "changed": copy.changed}
            for copy in frame.copies
        ],
    }


def whole(frame: Frame) -> dict[str, Any]:
    """All of it, with the bytes."""
    return {
        **brief(frame),
        "line": frame.line,
        "headers": frame.headers,
        "inner": frame.inner,
        "device": frame.device,
        "devices": frame.devices,
        "sealed_at": frame.sealed[0],
        "data": base64.b64encode(frame.data[:_SHOWN]).decode(),
        "cut": max(0, len(frame.data) - _SHOWN),
    }


def finding(verdict: Verdict) -> dict[str, Any]:
    """What was looked for, and what was found."""
    return {**asdict(verdict), "found": [asdict(each) for each in verdict.found]}

"""Fixtures of the content server's tests."""

from __future__ import annotations

from content.seaweed import bucket, every_place, seaweed, shared_place

__all__ = ["bucket", "every_place", "seaweed", "shared_place"]

"""The one table of verbs: what the command line and JSON-RPC have in common, family by family."""

from __future__ import annotations

from collections.abc import Mapping

from . import chats, connection, devices, files, groups, me, talking, trust
from .verb import Verb

__all__ = ["METHODS", "VERBS"]

_FAMILIES = (
    me.VERBS,
    chats.VERBS,
    talking.VERBS,
    trust.VERBS,
    groups.VERBS,
    files.VERBS,
    devices.VERBS,
    connection.VERBS,
)

VERBS: Mapping[str, Verb] = {verb.name: verb for family in _FAMILIES for verb in family}
"""By their names at the terminal."""

METHODS: Mapping[str, Verb] = {verb.method: verb for verb in VERBS.values()}
"""By their names in JSON-RPC."""

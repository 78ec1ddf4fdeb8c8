"""The JSON Schemas of what verbs give: one name for each form, used by the OpenRPC document and checked by the tests.

All fields are always there but those that are named optional; programs ignore fields that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...engine.record_values import Status
from ...engine.security import Security

__all__ = [
    "ANY",
    "BOOLEAN",
    "COMPONENTS",
    "INTEGER",
    "NOTHING",
    "NUMBER",
    "STRING",
    "array",
    "nullable",
    "record",
    "ref",
]

STRING: Mapping[str, Any] = {"type": "string"}
INTEGER: Mapping[str, Any] = {"type": "integer"}
NUMBER: Mapping[str, Any] = {"type": "number"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
ANY: Mapping[str, Any] = {"type": "object"}
NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "required": []}
"""`{}`: it was done."""


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def array(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def words(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def record(optional: Mapping[str, Mapping[str, Any]] | None = None, /, **fields: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these fields; those in `optional` may be absent."""
    return {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}


_STATES = words(*(state.value for state in Security))
_REPLY = record(
    message_id=STRING,
    sender=nullable(STRING),
    sender_name=nullable(STRING),
    text=nullable(STRING),
    deleted=BOOLEAN,
    missing=BOOLEAN,
)
_LOCATION = record(latitude=NUMBER, longitude=NUMBER, label=STRING, radius=NUMBER)
_FILE = record(
    name=STRING,
    save_as=STRING,
    size=INTEGER,
    content_type=STRING,
    media=STRING,
    format=STRING,
    duration_ms=nullable(INTEGER),
    width=nullable(INTEGER),
    height=nullable(INTEGER),
    thumbnail=BOOLEAN,
    waveform=array(INTEGER),
    url=STRING,
    until=nullable(INTEGER),
)

COMPONENTS: Mapping[str, Mapping[str, Any]] = {
    "Security": record(
        chat=STRING,
        state=_STATES,
        label=STRING,
        sentence=STRING,
        encrypted=BOOLEAN,
        plain=BOOLEAN,
        verified_at=nullable(INTEGER),
        composer=words("encrypted", "plain", "waiting", "paused", "closed"),
        protocol=STRING,
        era=INTEGER,
        epoch=INTEGER,
        health=STRING,
        since=nullable(INTEGER),
    ),
    "Message": record(
        {
            "location": _LOCATION,
            "file": _FILE,
            "notice": record(key=STRING, values=ANY, text=STRING),
            "chatbot": ANY,
            "unknown": record(size=INTEGER, kept=BOOLEAN, reason=STRING),
        },
        chat=STRING,
        order=STRING,
        message_id=STRING,
        sender=STRING,
        sender_name=STRING,
        mine=BOOLEAN,
        kind=words("text", "location", "file", "notice", "missing", "unreadable", "deleted", "unknown", "bot"),
        text=nullable(STRING),
        content_type=STRING,
        encrypted=BOOLEAN,
        medium=STRING,
        status=words(*(status.name.lower() for status in Status)),
        sent_at=INTEGER,
        at=INTEGER,
        deleted=BOOLEAN,
        edited_at=nullable(INTEGER),
        original=nullable(STRING),
        reply_to=nullable(STRING),
        reply=nullable(_REPLY),
        reactions=array(record(sender=STRING, mine=BOOLEAN, emoji=STRING)),
        receipts=nullable(record(delivered=INTEGER, displayed=INTEGER, members=INTEGER)),
        outcome=nullable(record({"count": INTEGER}, code=STRING, reason=STRING, next_step=STRING)),
        superseded_by=STRING,
    ),
    "Chat": record(
        chat=STRING,
        kind=words("number", "group", "bot"),
        name=STRING,
        named=BOOLEAN,
        security=ref("Security"),
        unread=INTEGER,
        last=nullable(ref("Message")),
        at=INTEGER,
        joined=BOOLEAN,
        members=INTEGER,
        transition=INTEGER,
        waiting=INTEGER,
    ),
    "Sent": record(message_id=STRING, chat=STRING, security=_STATES),
    "Option": record(name=words("plain-rcs", "plain-sms"), token=STRING, label=STRING, sentence=STRING),
    "Group": record(
        chat=STRING, subject=STRING, joined=BOOLEAN, security=_STATES, protocol=STRING, members=array(STRING)
    ),
    "Member": record(
        number=STRING, name=STRING, account=STRING, security=_STATES, current=BOOLEAN, me=BOOLEAN, removable=BOOLEAN
    ),
    "Device": record(device=INTEGER, name=STRING, added_at=INTEGER, this=BOOLEAN),
    "Transfer": record(
        transfer=STRING,
        upload=BOOLEAN,
        state=words("running", "paused", "interrupted", "failed", "done", "cancelled"),
        stage=words("sealing", "moving", "opening"),
        done=INTEGER,
        size=nullable(INTEGER),
        path=STRING,
        reason=STRING,
        message=STRING,
        hint=STRING,
        resumable=BOOLEAN,
        disagreement=STRING,
    ),
    "Upload": record(
        transfer=STRING,
        chat=STRING,
        name=STRING,
        size=INTEGER,
        reply_to=nullable(STRING),
        text=STRING,
        message_id=STRING,
        state=words("running", "paused", "interrupted", "failed", "done", "refused"),
        stage=words("sealing", "moving", "opening"),
        done=INTEGER,
        total=nullable(INTEGER),
        resumable=BOOLEAN,
        error=nullable(record(code=INTEGER, message=STRING, data=ANY)),
    ),
    "Cache": record(
        used=INTEGER,
        budget=INTEGER,
        files=array(
            record(
                digest=STRING,
                size=INTEGER,
                used=INTEGER,
                name=STRING,
                content_type=STRING,
                whole=BOOLEAN,
                in_use=BOOLEAN,
                thumbnail=BOOLEAN,
            )
        ),
    ),
    "Hit": record(message=ref("Message"), text=STRING, ranges=array(array(INTEGER))),
}

"""Drives Debian's liblinphone through its C interface, in a process of its own: JSON lines in, JSON lines out.

The daemon's socket has no words for files, typing and groups; its library has. Started by tests alone: it shares no
process with anything of ours.

    {"op": "registered"}                          {"op": "say", "to": uri, "text": text}
    {"op": "typing", "to": uri}                   {"op": "file", "to": uri, "path": path, "type": "image/jpeg"}
    {"op": "read", "to": uri}                     {"op": "group", "subject": text, "members": [uri, ...]}
    {"op": "state", "message": n}                 {"op": "room", "room": n}
    {"op": "heard", "to": uri}
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
from typing import Any

P, S, I = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int  # noqa: E741 - as short as the table below wants them
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "factory_get": (P, ()),
    "factory_create_core_3": (P, (P, S, S, P)),
    "core_start": (I, (P,)),
    "core_stop": (None, (P,)),
    "core_iterate": (None, (P,)),
    "core_get_default_account": (P, (P,)),
    "account_get_state": (I, (P,)),
    "core_get_chat_room_from_uri": (P, (P, S)),
    "chat_room_create_message_from_utf8": (P, (P, S)),
    "chat_room_create_file_transfer_message": (P, (P, P)),
    "chat_room_compose": (None, (P,)),
    "chat_room_mark_as_read": (None, (P,)),
    "chat_room_is_remote_composing": (ctypes.c_ubyte, (P,)),
    "chat_room_get_last_message_in_history": (P, (P,)),
    "chat_room_get_state": (I, (P,)),
    "chat_room_get_conference_address": (P, (P,)),
    "chat_room_get_nb_participants": (I, (P,)),
    "chat_room_add_participant": (None, (P, P)),
    "chat_message_send": (None, (P,)),
    "chat_message_get_state": (I, (P,)),
    "chat_message_get_utf8_text": (S, (P,)),
    "core_set_file_transfer_server": (None, (P, S)),
    "core_create_content": (P, (P,)),
    "content_set_type": (None, (P, S)),
    "content_set_subtype": (None, (P, S)),
    "content_set_name": (None, (P, S)),
    "content_set_file_path": (None, (P, S)),
    "core_create_address": (P, (P, S)),
    "address_as_string_uri_only": (S, (P,)),
    "core_create_client_group_chat_room": (P, (P, S, I)),
}
MESSAGE_STATES = ("idle", "in progress", "delivered", "not delivered", "file transfer error", "file transfer done")
MESSAGE_STATES += ("delivered to user", "displayed", "file transfer in progress")
ROOM_STATES = ("none", "instantiated", "creation pending", "created", "creation failed", "termination pending")
ROOM_STATES += ("terminated", "termination failed", "deleted")


class Driver:
    """One core."""

    def __init__(self, configuration: str, file_server: str) -> None:
        # The library writes its log to standard output: the answers keep the pipe, the log goes where errors go.
        self.answers = os.dup(1)
        os.dup2(2, 1)
        library = ctypes.CDLL("liblinphone.so.10")
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, f"linphone_{name}")
            function.restype, function.argtypes = result, list(arguments)
            setattr(self, name, function)
        self.call: Any = self
        self.core = self.call.factory_create_core_3(self.call.factory_get(), configuration.encode(), None, None)
        if file_server:
            self.call.core_set_file_transfer_server(self.core, file_server.encode())
        self.call.core_start(self.core)
        self.messages: list[int] = []
        self.rooms: list[int] = []

    def room(self, uri: str) -> int:
        found: int = self.call.core_get_chat_room_from_uri(self.core, uri.encode())
        return found

    def sent(self, message: int) -> dict[str, Any]:
        self.messages.append(message)
        self.call.chat_message_send(message)
        return {"message": len(self.messages) - 1}

    def do(self, op: str, given: dict[str, Any]) -> dict[str, Any]:
        call = self.call
        if op == "registered":
            account = call.core_get_default_account(self.core)
            return {"registered": bool(account) and call.account_get_state(account) == 2}
        if op == "say":
            return self.sent(call.chat_room_create_message_from_utf8(self.room(given["to"]), given["text"].encode()))
        if op == "typing":
            call.chat_room_compose(self.room(given["to"]))
            return {}
        if op == "read":
            call.chat_room_mark_as_read(self.room(given["to"]))
            return {}
        if op == "heard":
            room = self.room(given["to"])
            last = call.chat_room_get_last_message_in_history(room)
            text = call.chat_message_get_utf8_text(last) if last else None
            return {"last": text.decode() if text else None, "typing": bool(call.chat_room_is_remote_composing(room))}
        if op == "file":
            content = call.core_create_content(self.core)
            kind, _, subtype = given["type"].partition("/")
            call.content_set_type(content, kind.encode())
            call.content_set_subtype(content, subtype.encode())
            call.content_set_name(content, os.path.basename(given["path"]).encode())
            call.content_set_file_path(content, given["path"].encode())
            return self.sent(call.chat_room_create_file_transfer_message(self.room(given["to"]), content))
        if op == "state":
            return {"state": MESSAGE_STATES[call.chat_message_get_state(self.messages[given["message"]])]}
        if op == "group":
            room = call.core_create_client_group_chat_room(self.core, given["subject"].encode(), 0)
            if not room:
                return {"room": None}
            for member in given["members"]:
                call.chat_room_add_participant(room, call.core_create_address(self.core, member.encode()))
            self.rooms.append(room)
            return {"room": len(self.rooms) - 1}
        if op == "room":
            room = self.rooms[given["room"]]
            address = call.chat_room_get_conference_address(room)
            return {
                "state": ROOM_STATES[call.chat_room_get_state(room)],
                "address": call.address_as_string_uri_only(address).decode() if address else None,
                "participants": call.chat_room_get_nb_participants(room),
            }
        return {"error": f"unknown: {op}"}

    def run(self) -> None:
        """Iterate as its manual says, every 20 ms, and answer commands between."""
        waiting = b""
        while True:
            self.call.core_iterate(self.core)
            ready, _, _ = select.select([0], [], [], 0.02)
            if not ready:
                continue
            data = os.read(0, 65_536)
            if not data:
                return
            waiting += data
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                given = json.loads(line)
                answer = self.do(given["op"], given)
                # Effects are not instant; one turn makes those that need no answer from outside.
                self.call.core_iterate(self.core)
                os.write(self.answers, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    Driver(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "").run()

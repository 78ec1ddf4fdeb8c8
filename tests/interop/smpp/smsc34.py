"""An SMSC for tests on PyPI's smpp34: JSON lines in, JSON lines out, as smsc.mjs, and less of it.

It lets everybody bind, passes on what it takes, and answers with receipts.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import smpp34


class Smsc:
    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.sessions: dict[str, smpp34.Esme] = {}
        self.names: dict[str, str] = {}
        self.throttle = 0
        self.next = 1
        self.passing: set[asyncio.Task[None]] = set()

    async def start(self, users: dict[str, Any], port: int = 0) -> dict[str, int]:
        self.numbers = {user["number"]: name for name, user in users.items()}
        if not port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        self.server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
        await self.server.start()
        self.serving = asyncio.create_task(self._serve())
        return {"port": port}

    async def behave(self, throttle: int = 0) -> dict[str, int]:
        self.throttle = throttle
        return {}

    async def _serve(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.Esme):
                self.sessions[event.system_id] = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._submitted(event)

    def _submitted(self, event: smpp34.SubmitSmEvent) -> None:
        if self.throttle:
            self.throttle -= 1
            event.reject(smpp34.ESME_RTHROTTLED)
            return
        carrier_id = f"s{self.next}"
        self.next += 1
        event.accept(carrier_id)
        passing = asyncio.create_task(self._pass_on(event, carrier_id))
        self.passing.add(passing)
        passing.add_done_callback(self.passing.discard)

    async def _pass_on(self, event: smpp34.SubmitSmEvent, carrier_id: str) -> None:
        to = await self._session(event.destination_addr)
        await to.deliver_sm(
            event.destination_addr,
            event.short_message,
            source_addr=event.source_addr,
            source_addr_ton=1,
            esm_class=event.esm_class & 0x40,
            data_coding=event.data_coding,
        )
        back = await self._session(event.source_addr)
        await back.deliver_sm(
            event.source_addr,
            source_addr=event.destination_addr,
            source_addr_ton=1,
            esm_class=4,
            tlvs=[
                smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, carrier_id.encode() + b"\0"),
                smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02"),
            ],
        )

    async def _session(self, number: str) -> smpp34.Esme:
        """That of the account with this number, as soon as it binds."""
        name = self.numbers[number]
        while name not in self.sessions:
            await asyncio.sleep(0.02)
        return self.sessions[name]


async def main() -> None:
    smsc = Smsc()
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        identity, op = request.pop("id"), request.pop("op")
        try:
            answer = {"id": identity, "ok": True, "result": await getattr(smsc, op)(**request)}
        except Exception as error:  # the caller gets whatever it was
            answer = {"id": identity, "ok": False, "error": {"name": type(error).__name__, "message": str(error)}}
        print(json.dumps(answer), flush=True)


asyncio.run(main())

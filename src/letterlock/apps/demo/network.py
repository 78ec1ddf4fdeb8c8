"""The network side of the demo in this process, on loopback: carrier, conversation focus, directory, content server, key
distribution; and what it takes to give a phone an account there.

Every byte that a phone says to any of them but the key distribution server goes into one wire log. `tap` and
`directory_front` are where the page puts its hostile hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ...carrier import Accounts, ApplicationServer, Carrier, MsrpTap, Tap
from ...carrier.passage import FIRST_PASSAGE, Passage
from ...client import Client, ContentAccount, SipAccount
from ...client.environment import system_clock
from ...crypto.pyca import Pyca
from ...keystore import KeyFile
from ...services.content import ContentServer
from ...services.directory import Directory, IssuedCode
from ...services.focus import Focus
from ...services.focus.mls.settings import MlsSettings
from .keys import DemoKeys
from .phone import Phone

__all__ = ["DIRECTORY_PASSAGE", "Network"]

DIRECTORY_PASSAGE = FIRST_PASSAGE + (1 << 30)
"""Connections from here on lead to a directory."""

_PASSWORD = "demo"  # noqa: S105 - of a carrier that lives for minutes, on loopback
_FACTORY = "conference-factory"
_LINK_BYTES = 8 << 20
"""A second, of the way to the content server: as fast as a good mobile link, so that a transfer can be watched."""

Front = Callable[[str], Awaitable[str]]
"""Puts something before a directory: its address to the address of what stands before it."""


@dataclass(slots=True)
class Network:
    """Use `start`; the stack ends it."""

    folder: Path
    log: Path
    stack: AsyncExitStack
    carrier: Carrier
    keys: DemoKeys
    content: str = ""
    directories: list[str] = field(default_factory=list)
    _codes: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    @classmethod
    async def start(
        cls,
        folder: Path,
        log: Path,
        stack: AsyncExitStack,
        *,
        directories: int = 1,
        tap: Tap | None = None,
        msrp_tap: MsrpTap | None = None,
        directory_front: Front | None = None,
    ) -> Network:
        """Bring it up. `log` is the wire log's file."""
        carrier = await stack.enter_async_context(
            Carrier(
                "127.0.0.1",
                0,
                Accounts.lab(_PASSWORD),
                wire_log=log,
                server_port=0,
                msrp_port=0,
                tap=tap,
                msrp_tap=msrp_tap,
            )
        )
        assert carrier.server_port is not None
        keys = await DemoKeys.start(folder, stack)
        network = cls(folder, log, stack, carrier, keys)
        focus = Focus(
            str(folder / "focus.db"),
            domain=carrier.domain,
            proxy=(carrier.server_host, carrier.server_port),
            mls=MlsSettings(keys.server.anchors, Pyca()),
        )
        await focus.start()
        stack.push_async_callback(focus.close)
        carrier.serve(ApplicationServer(focus.host, focus.port, frozenset({_FACTORY}), ("conf-",)))
        network.content = await network._content_server()
        for at in range(directories):
            network.directories.append(await network._directory(at, directory_front))
        return network

    async def set_up(self, phone: Phone, protocols: tuple[str, ...], *, directory: int = 0) -> None:
        """A profile with a number, as `letterlock setup` makes it."""
        phone.folder.mkdir()
        KeyFile(phone.key_file).create(phone.environment.rng)
        self._codes[phone.number] = asyncio.get_running_loop().create_future()
        carrier = self.carrier
        await Client.create(
            phone.profile,
            phone.number,
            directory=self.directories[directory % len(self.directories)],
            code=lambda: self._codes[phone.number],
            sip=SipAccount(
                "127.0.0.1",
                carrier.port,
                carrier.domain,
                phone.number,
                _PASSWORD,
                tls=False,
                # So that sessions go through the carrier, and every byte of them is in its log.
                msrp_relay=carrier.msrp_uri.encode() if carrier.msrp_uri is not None else None,
                conference_factory=f"sip:{_FACTORY}@{carrier.domain}",
            ),
            content=ContentAccount(self.content, phone.number, _PASSWORD),
            kds=(lambda spki: self.keys.account(phone.number, spki)) if "rcc16" in protocols else None,
            protocols=protocols,
            name=f"{phone.name}'s phone",
            key_file=phone.key_file,
            environment=phone.environment,
        )

    async def _content_server(self) -> str:
        """Where clients upload: through a passage, so that every byte of a file is in the log, too."""
        passage = await self.stack.enter_async_context(
            Passage(self.log, clock=system_clock, bytes_per_second=_LINK_BYTES)
        )
        server = ContentServer(self.folder / "content", password_of=None, public_url=f"http://127.0.0.1:{passage.port}")
        await server.start()
        self.stack.push_async_callback(server.close)
        passage.lead_to("127.0.0.1", server.port)
        return server.url

    async def _directory(self, at: int, front: Front | None) -> str:
        """The address for phones: a passage, what stands before the directory, the directory."""

        def on_code(issued: IssuedCode) -> None:
            # The operator's part: bring the code to the owner of the number.
            self._codes[issued.number].set_result(issued.code)

        passage = await self.stack.enter_async_context(
            Passage(self.log, clock=system_clock, bytes_per_second=None, first=DIRECTORY_PASSAGE + (at << 24))
        )
        directory = Directory(str(self.folder / f"directory-{at}.db"), on_code=on_code)
        await directory.start()
        self.stack.push_async_callback(directory.close)
        url = directory.url if front is None else await front(directory.url)
        host, _, port = url.removeprefix("http://").rpartition(":")
        passage.lead_to(host, int(port))
        return f"http://127.0.0.1:{passage.port}"

"""`letterlock network`: the whole network side of a lab in one process, so that a phone is set up by one line.

Carrier with MSRP relay, conversation focus, directory, key distribution server, content server and provisioning server,
each on SQLite where it keeps anything. It listens on this machine only, without TLS: a network for others is put together from the single
commands, behind certificates, with Kamailio for the carrier.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from ...carrier import Accounts, ApplicationServer, Carrier
from ...crypto.pyca import Pyca
from ...errors import InputError
from ...ids import Number
from ...rcc16.choices import OURS
from ...services.content import ContentServer
from ...services.credentials import derived_passwords
from ...services.directory import Directory
from ...services.directory import IssuedCode as DirectoryCode
from ...services.focus import Focus, FocusLimits
from ...services.focus.mls.settings import MlsSettings
from ...services.kds import KeyDistributionServer
from ...services.kds.folder import OUR_VENDOR, make_folder, open_folder
from ...services.provisioning import EncryptionOffer, IssuedCode, Offer, ProvisioningServer
from ...services.signer import key_from_file
from .account import LAB_CONTENT_PORT, LAB_DIRECTORY_PORT, LAB_KDS_PORT, LAB_PROVISIONING_PORT, LAB_SIP_PORT
from .serving import listening, operator_secret
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["Lab", "add_parsers"]

_HOST = "127.0.0.1"
LAB_MSRP_PORT = 2855
_FACTORY = "conference-factory"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    network = commands.add_parser(
        "network",
        help="run the whole network side of a lab in one process",
        description="Run carrier, conversation focus, directory, key distribution server, content server and "
        "provisioning server on this machine. "
        "A phone is then set up by number and code: letterlock setup NUMBER --provisioning URL. Codes are printed here.",
    )
    network.add_argument("--folder", metavar="DIR", help="what the services keep (default: in the data directory)")
    network.add_argument("--log", metavar="FILE", help="append every byte of the carrier's connections to FILE")
    network.add_argument("--free-ports", action="store_true", help="take free ports in place of the usual ones")
    network.set_defaults(run=run_network)


async def run_network(arguments: argparse.Namespace, terminal: Terminal) -> int:
    folder = Path(arguments.folder) if arguments.folder else arguments.data_dir / "network"
    lab = Lab(folder, log=arguments.log, free_ports=arguments.free_ports)

    def on_code(issued: IssuedCode) -> None:
        until = datetime.fromtimestamp(issued.expires / 1000, UTC).strftime("%H:%M UTC")
        text = f"code for {issued.number}: {issued.code} (until {until})"
        if issued.replaces:
            text += "; this number is set up with another key: using the code replaces it and alerts its devices"
        terminal.data(
            {"number": issued.number, "code": issued.code, "expires": issued.expires, "replaces": issued.replaces}, text
        )

    def on_stray(issued: DirectoryCode) -> None:
        # The directory's code alone would make a profile that the carrier of this lab does not let in.
        terminal.say(
            f"somebody sets {issued.number} up past the provisioning server, which alone knows the passwords here; "
            f"again with: letterlock setup {issued.number} --provisioning {lab.provisioning.url}"
        )

    async with AsyncExitStack() as stack:
        arguments.host, arguments.port = _HOST, "several ports"  # for the error, should one be taken
        await listening(lab.start(stack, on_code, on_stray), arguments)
        with stop_signals() as stopped:
            terminal.data(lab.addresses, f"a phone: letterlock setup NUMBER --provisioning {lab.provisioning.url}")
            for name, address in lab.addresses.items():
                terminal.say(f"{name}: {address}")
            terminal.say("no TLS: this machine only")
            await stopped.wait()
    return 0


class Lab:
    """All services; `start` brings them up in the order in which they need each other, and has the stack end them."""

    carrier: Carrier
    focus: Focus
    directory: Directory
    kds: KeyDistributionServer
    content: ContentServer
    provisioning: ProvisioningServer

    def __init__(self, folder: Path, *, log: str | None = None, free_ports: bool = False) -> None:
        self._folder = folder
        self._log = log
        self._free_ports = free_ports

    @property
    def addresses(self) -> dict[str, str]:
        """Where everything is."""
        relay = self.carrier.msrp_uri
        return {
            "provisioning": self.provisioning.url,
            "directory": self.directory.url,
            "kds": self.kds.url,
            "content": self.content.url,
            "carrier": f"sip:{self.carrier.host}:{self.carrier.port}",
            "msrp_relay": relay.encode() if relay is not None else "",
            "focus": self._factory,
        }

    @property
    def _factory(self) -> str:
        return f"sip:{_FACTORY}@{self.carrier.domain}"

    async def start(
        self,
        stack: AsyncExitStack,
        on_code: Callable[[IssuedCode], None],
        on_stray: Callable[[DirectoryCode], None],
    ) -> None:
        """`on_code` gets the codes that set a phone up, `on_stray` those that somebody asked of the directory by itself.

        Raises OSError when a port is taken, InputError for a folder that cannot be made,
        StoreError or StoreLocked for what lies in it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(
                f"the folder {self._folder} cannot be made: {error.strerror}", code="input.folder", hint="--folder DIR"
            ) from error
        secret = operator_secret(self._folder / "secret")
        sip_passwords, content_passwords = (derived_passwords(secret, service) for service in ("sip", "content"))
        self.carrier = Carrier(
            _HOST,
            self._port(LAB_SIP_PORT),
            Accounts.by(sip_passwords),
            wire_log=self._log,
            server_port=0,
            msrp_port=self._port(LAB_MSRP_PORT),
        )
        await self.carrier.start()
        stack.push_async_callback(self.carrier.close)
        assert self.carrier.server_port is not None and self.carrier.msrp_uri is not None
        encryption = await self._start_kds(stack)
        self.focus = Focus(
            str(self._folder / "focus.db"),
            domain=self.carrier.domain,
            proxy=(self.carrier.server_host, self.carrier.server_port),
            # It judges who may enter a group as clients do: by the anchors that the key distribution server publishes.
            mls=MlsSettings(self.kds.anchors, Pyca()),
        )
        await self.focus.start()
        stack.push_async_callback(self.focus.close)
        self.carrier.serve(ApplicationServer(self.focus.host, self.focus.port, frozenset({_FACTORY}), ("conf-",)))
        # Numbers are claimed through the provisioning server alone, which has seen their owner's code.
        self.directory = Directory(
            str(self._folder / "directory.db"), on_code=on_stray, host=_HOST, port=self._port(LAB_DIRECTORY_PORT)
        )
        await self.directory.start()
        stack.push_async_callback(self.directory.close)
        self.content = ContentServer(
            self._folder / "content", password_of=content_passwords, host=_HOST, port=self._port(LAB_CONTENT_PORT)
        )
        await self.content.start()
        stack.push_async_callback(self.content.close)
        offer = Offer(
            version=1,
            validity_s=86_400,
            sip_host=_HOST,
            sip_port=self.carrier.port,
            sip_tls=False,
            domain=self.carrier.domain,
            directory_url=self.directory.url,
            sip_password=sip_passwords,
            content_password=content_passwords,
            content_url=self.content.url,
            msrp_relay=self.carrier.msrp_uri.encode(),
            conference_factory=self._factory,
            max_group=FocusLimits().max_members,
            encryption=encryption,
        )
        self.provisioning = ProvisioningServer(
            str(self._folder / "provisioning.db"),
            offer,
            claims=self._claim,
            on_code=on_code,
            host=_HOST,
            port=self._port(LAB_PROVISIONING_PORT),
        )
        await self.provisioning.start()
        stack.push_async_callback(self.provisioning.close)

    async def _start_kds(self, stack: AsyncExitStack) -> EncryptionOffer:
        """The key distribution server, and what the provisioning server says about it."""
        folder = self._folder / "kds"
        if not folder.exists():
            # In the clear: it is a lab, and all of its secrets lie in this folder.
            make_folder(
                folder, kds=OURS.kds_selector, vendor=OUR_VENDOR, name="Letterlock lab",
                passphrase=None, now=time.time_ns() // 1_000_000, rng=os.urandom,
            )  # fmt: skip
        keys = open_folder(folder, None)
        self.kds = KeyDistributionServer(
            str(self._folder / "kds.db"),
            keys.authority,
            anchors_signer=keys.anchors,
            federation=keys.federation,
            host=_HOST,
            port=self._port(LAB_KDS_PORT),
        )
        await self.kds.start()
        stack.push_async_callback(self.kds.close)
        return EncryptionOffer(
            self.kds.url,
            self.kds.kds,
            self.kds.anchors_uri,
            self.kds.anchors.generation,
            self.kds.anchors_signer,
            key_from_file(folder / "acs.key", None),
        )

    async def _claim(self, number: Number, key_hash: bytes) -> str:
        return (await self.directory.issue_code(number, key_hash)).code

    def _port(self, usual: int) -> int:
        return 0 if self._free_ports else usual

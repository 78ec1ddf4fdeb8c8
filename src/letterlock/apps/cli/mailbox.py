"""`letterlock mailbox`: store and forward behind Kamailio, in a terminal of its own."""

from __future__ import annotations

import argparse

from ...carrier.settings import DEFAULT_DOMAIN
from ...errors import InputError
from ...services.database import shown
from ...services.mailbox import Mailbox
from .serving import add_database, database, listening
from .serving import port as port_number
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]

LAB_MAILBOX_PORT = 5091
LAB_APPLICATION_PORT = 5090


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mailbox = commands.add_parser(
        "mailbox",
        help="keep messages for devices that are away, behind Kamailio",
        description="Run the mailbox: an application server that Kamailio hands messages to which it cannot deliver "
        "(deploy/kamailio, -A MAILBOX=...). What it answers with 202 is on the disk. Only the proxy may reach its port.",
    )
    mailbox.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    mailbox.add_argument(
        "--port", type=port_number, default=LAB_MAILBOX_PORT, help="default %(default)s; 0 takes a free one"
    )
    mailbox.add_argument(
        "--proxy", default=f"127.0.0.1:{LAB_APPLICATION_PORT}", metavar="HOST:PORT",
        help="the proxy's listener for application servers (default %(default)s)",
    )  # fmt: skip
    mailbox.add_argument("--domain", default=DEFAULT_DOMAIN, help="default %(default)s")
    add_database(mailbox, "mailbox.db in the data directory")
    mailbox.set_defaults(run=run_mailbox)


async def run_mailbox(arguments: argparse.Namespace, terminal: Terminal) -> int:
    host, colon, port = arguments.proxy.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"not an address: {arguments.proxy!r}", code="input.proxy", hint="HOST:PORT")
    kept = database(arguments, "mailbox.db")
    mailbox = Mailbox(
        kept,
        domain=arguments.domain,
        proxy=(host.strip("[]"), int(port)),
        host=arguments.host,
        port=arguments.port,
    )
    await listening(mailbox.start(), arguments)
    try:
        with stop_signals() as stopped:
            uri = f"sip:{mailbox.host}:{mailbox.port};transport=tcp"
            terminal.data({"mailbox": uri, "database": shown(kept)}, f"mailbox at {uri}, kept in {shown(kept)}")
            await stopped.wait()
    finally:
        await mailbox.close()
    return 0

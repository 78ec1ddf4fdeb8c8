"""Messages per second, client to client through Kamailio, both ends durable.

Debian's Kamailio with deploy/kamailio, the directory service, and each phone a real profile in a process of its own
(`phone.py`): client, driver, engine, SQLCipher with synchronous=FULL, SIP over TCP, 200 characters a message. At most
`window` are on their way at once, in one direction. The ops take turns; medians of several runs. docs/benchmarks.md says
what is in each:

* `pager_encrypted`: by MESSAGE; counts when the sender has recorded the receiver's delivery receipt, which came encrypted.
* `pager_plain`: the same without encryption, by the decision of both users; counts likewise, here with an IMDN document.
* `pager_plain_accepted`: the receiver sends no receipts; counts when the network's answer is recorded.
* `session_encrypted`: as the first, over an MSRP session through Kamailio's relay; nothing goes by MESSAGE.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import tempfile
from collections.abc import Collection
from pathlib import Path

from letterlock.client import Client, SipAccount
from phone import PASSPHRASE, Role, environment
from processes import Child, start, tell
from report import Row, row

__all__ = ["OPS", "measure"]

PHONE = str(Path(__file__).with_name("phone.py"))
PAIRS = {
    "pager_encrypted": ("+15550101", "+15550102"),
    "pager_plain": ("+15550103", "+15550104"),
    "pager_plain_accepted": ("+15550105", "+15550106"),
    "session_encrypted": ("+15550107", "+15550108"),
}
OPS = tuple(PAIRS)


async def measure(
    *, runs: int, count: int, window: int, ops: Collection[str] = OPS, failed: dict[str, str] | None = None
) -> list[Row]:
    """Rows for `ops`. What cannot be measured is put down in `failed`, with its reason; without it, that is raised."""
    from interop.kamailio import LAB_PASSWORD, Kamailio

    rates: dict[str, list[float]] = {op: [] for op in OPS if op in ops}
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-")))
        kamailio = stack.enter_context(Kamailio(lab_password=LAB_PASSWORD))
        account = SipAccount("127.0.0.1", kamailio.tcp_port, kamailio.domain, "", LAB_PASSWORD, tls=False)
        relay = f"msrp://127.0.0.1:{kamailio.msrp_port};tcp"
        await set_up(folder, account, rates, stack)
        senders: dict[str, Child] = {}
        for op in list(rates):
            try:
                senders[op] = await talking(stack, op, roles(folder, op, window, relay))
            except RuntimeError as error:
                _give_up(op, error, rates, failed)
        for at in range(runs):
            for op in list(rates):
                try:
                    rates[op].append(await one_run(op, senders[op], count))
                    tell(f"{op}: run {at + 1} of {runs}: {rates[op][-1]:.0f}/s")
                except RuntimeError as error:
                    _give_up(op, error, rates, failed)
    return [row(op, count * runs, statistics.median(values), "1/s") for op, values in rates.items()]


def roles(folder: Path, op: str, window: int, relay: str) -> tuple[Role, Role]:
    """The sender's and the receiver's."""
    one, other = PAIRS[op]
    sender = Role(
        str(folder),
        one,
        other,
        plain=op.startswith("pager_plain"),
        counts="accepted" if op == "pager_plain_accepted" else "delivered",
        relay=relay if op == "session_encrypted" else None,
        window=window,
    )
    return sender, dataclasses.replace(sender, name=other, peer=one)


async def talking(stack: contextlib.AsyncExitStack, op: str, pair: tuple[Role, Role]) -> Child:
    """Two phones that have written to each other; the one that sends."""
    sender, receiver = [await start(stack, PHONE, role.encode()) for role in pair]
    security = (await sender.ask("begin"))["security"]
    if op != "pager_plain_accepted":
        # Receipts in the clear are sent only where this user too has decided to talk in the clear (SR-18).
        await receiver.ask("begin")
    tell(f"{op}: chat is {security}")
    return sender


async def one_run(op: str, sender: Child, count: int) -> float:
    """Messages per second."""
    answer = await sender.ask(f"send {count}")
    if answer["bad"]:
        raise RuntimeError(f"{answer['bad']} of {count} messages failed")
    if op == "session_encrypted" and not answer["sessions"]:
        raise RuntimeError("no session was open")
    return count / float(answer["seconds"])


def _give_up(op: str, error: RuntimeError, rates: dict[str, list[float]], failed: dict[str, str] | None) -> None:
    if failed is None:
        raise error
    tell(f"{op}: failed: {error}")
    failed[op] = str(error)
    del rates[op]


async def set_up(folder: Path, account: SipAccount, ops: Collection[str], stack: contextlib.AsyncExitStack) -> None:
    """The profiles. The two ends of a plain pair are at different directories, and so find no keys of each other."""
    from letterlock.services.directory import Directory, IssuedCode

    codes: dict[str, str] = {}

    def on_code(issued: IssuedCode) -> None:
        codes[issued.number] = issued.code

    directories = [Directory(str(folder / f"directory-{at}.db"), on_code=on_code) for at in range(2)]
    for directory in directories:
        await directory.start()
        stack.push_async_callback(directory.close)
    for op in ops:
        for end, number in enumerate(PAIRS[op]):

            async def code(number: str = number) -> str:
                return codes[number]

            await Client.create(
                folder / number,
                number,
                directory=directories[end if op.startswith("pager_plain") else 0].url,
                code=code,
                sip=dataclasses.replace(account, username=number),
                passphrase=PASSPHRASE,
                environment=environment(folder),
            )

"""`letterlock content`, the server for files, and `letterlock upload` and `letterlock download`, its use."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...client.files.records import TransferState
from ...codec.chatbot.model import Media
from ...engine.content import Card, Carousel, File, FileFormat
from ...errors import ContentError, InputError
from ..verbs.names import conversation_named, message_named
from .account import LAB_CONTENT_PORT
from .options import add_profile, open_client
from .progress import show_odd, watch
from .serving import add_accounts, add_database, add_listening, database, listening, passwords, server_tls
from .stopping import stop_signals
from .terminal import Terminal

if TYPE_CHECKING:
    from ...client import Client, Transfer, TransferInfo

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    content = commands.add_parser(
        "content",
        help="run a content server: files to fetch over HTTP",
        description="Run a content server: accounts upload, whoever has the address of a file fetches it until it "
        "expires. Without --account or --secret-file, any number may upload with one password, for labs.",
    )
    add_listening(content, LAB_CONTENT_PORT)
    content.add_argument(
        "--folder", metavar="DIR", help="for files and their database (default: in the data directory)"
    )
    add_database(content, "content.db in the folder")
    content.add_argument(
        "--blobs",
        metavar="DIR|URL",
        help="where the files are kept: a folder (default: in --folder), or s3://BUCKET/PREFIX",
    )
    content.add_argument("--s3-endpoint", metavar="URL", help="the S3 server (default: Amazon's of the region)")
    content.add_argument("--s3-region", default="us-east-1", metavar="NAME", help="default %(default)s")
    content.add_argument(
        "--s3-key-file",
        metavar="FILE",
        help="aws_access_key_id and aws_secret_access_key, mode 0600 (default: AWS_ACCESS_KEY_ID and its companions)",
    )
    content.add_argument("--s3-ca", metavar="FILE", help="PEM of the authority of the S3 server's certificate")
    content.add_argument(
        "--presign",
        type=_presign,
        default=0,
        metavar="SECONDS",
        help="send downloads to the bucket itself, by addresses that last so long (default: serve them)",
    )
    content.add_argument(
        "--presign-endpoint", metavar="URL", help="how clients reach the S3 server (default: --s3-endpoint)"
    )
    content.add_argument("--public-url", metavar="URL", help="what addresses begin with, if a proxy stands before it")
    content.add_argument("--lifetime-days", type=_days, default=30, metavar="N", help="of a file (default %(default)s)")
    content.add_argument("--account-gib", type=_gib, default=20, metavar="N", help="room of one account (default 20)")
    content.add_argument("--total-gib", type=_gib, default=800, metavar="N", help="room of all of them (default 800)")
    add_accounts(content)
    content.set_defaults(run=run_content)

    upload = commands.add_parser(
        "upload",
        help="upload a file to the content server",
        description="Upload a file as it is: the server, and whoever gets the address, can read it. Ctrl-C pauses; "
        "'letterlock upload --resume' goes on with what was paused or interrupted.",
    )
    upload.add_argument("file", nargs="?", metavar="FILE")
    upload.add_argument("--name", help="what the receiver is told that it is called (default: as here)")
    upload.add_argument("--type", default="application/octet-stream", help="media type (default %(default)s)")
    upload.add_argument("--thumbnail", metavar="FILE", help="a small picture of it")
    upload.add_argument("--resume", action="store_true", help="go on with all unfinished uploads")
    add_profile(upload)
    upload.set_defaults(run=run_upload)

    download = commands.add_parser(
        "download",
        help="fetch a file from a content server",
        description="Fetch the file of a message, decrypted and verified where it is an encrypted one, or one from the "
        "address that its sender was given. Ctrl-C pauses; 'letterlock download --resume' goes on with what was paused "
        "or interrupted.",
    )
    download.add_argument("url", nargs="?", metavar="URL")
    download.add_argument("--chat", metavar="NUMBER", help="or a group: the chat of --message")
    download.add_argument(
        "--message", metavar="MESSAGE", help="its id, or the beginning of it: letterlock chats NUMBER"
    )
    download.add_argument(
        "--media", type=int, default=1, metavar="N", help="which picture or film of a chatbot's cards (default 1)"
    )
    download.add_argument("--picture", action="store_true", help="the message's thumbnail in place of its file")
    download.add_argument(
        "--to",
        metavar="PATH",
        help="a folder, a file that is not there yet, or - for standard output (default: a sealed file of a message "
        "stays in the cache, anything else comes here)",
    )
    download.add_argument("--name", default="", help="what the sender calls it; made safe before it is used")
    download.add_argument("--size", type=int, metavar="BYTES", help="what its sender said; another size is refused")
    download.add_argument("--sha256", metavar="HEX", help="what its sender said; another digest is refused")
    download.add_argument("--resume", action="store_true", help="go on with all unfinished downloads")
    add_profile(download)
    download.set_defaults(run=run_download)


async def run_content(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from ...services.content import ContentLimits, ContentServer, blob_store

    gib, day = 1 << 30, 86_400_000
    limits = ContentLimits(
        file_lifetime_ms=arguments.lifetime_days * day,
        account_bytes=arguments.account_gib * gib,
        total_bytes=arguments.total_gib * gib,
    )
    folder = Path(arguments.folder) if arguments.folder else arguments.data_dir / "content"
    blobs = blob_store(
        arguments.blobs or str(folder / "blobs"),
        folder,
        endpoint=arguments.s3_endpoint,
        region=arguments.s3_region,
        key_file=arguments.s3_key_file,
        ca_file=arguments.s3_ca,
        public_endpoint=arguments.presign_endpoint,
    )
    server = ContentServer(
        folder,
        password_of=passwords(arguments, "content"),
        database=database(arguments, "content.db") if arguments.database else None,
        blobs=blobs,
        presign_s=arguments.presign,
        host=arguments.host,
        port=arguments.port,
        tls=server_tls(arguments),
        public_url=arguments.public_url,
        limits=limits,
    )
    await listening(server.start(), arguments)
    try:
        with stop_signals() as stopped:
            terminal.data({"content": server.url}, f"content server at {server.url}")
            await stopped.wait()
    finally:
        await server.close()
    return 0


async def run_upload(arguments: argparse.Namespace, terminal: Terminal) -> int:
    _one_of(arguments.file, arguments.resume, "FILE")
    async with open_client(arguments) as me:
        if arguments.file is not None:
            name = arguments.name or Path(arguments.file).name
            transfers = [
                await me.upload(arguments.file, name=name, content_type=arguments.type, thumbnail=arguments.thumbnail)
            ]
        else:
            transfers = [item for item in await me.transfers() if item.info.upload and item.info.resumable]
        return await _follow(transfers, arguments, terminal)


async def run_download(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from ...codec.ft_http import RemoteFile

    if arguments.message is not None or arguments.chat is not None:
        return await _download_of_message(arguments, terminal)
    _one_of(arguments.url, arguments.resume, "URL")
    sha256 = _digest(arguments.sha256)
    async with open_client(arguments) as me:
        if arguments.url is not None:
            pointer: RemoteFile | str = arguments.url
            if arguments.size is not None:
                pointer = RemoteFile(arguments.size, "application/octet-stream", arguments.url, None, arguments.name)
            elif arguments.name:
                raise InputError("a name goes with a size", code="input.transfer", hint="give --size too")
            transfers = [await me.download(pointer, arguments.to or ".", sha256=sha256)]
        else:
            transfers = [item for item in await me.transfers() if not item.info.upload and item.info.resumable]
        return await _follow(transfers, arguments, terminal)


async def _download_of_message(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.message is None or arguments.chat is None or arguments.url is not None or arguments.resume:
        raise InputError("a file of a message needs --chat and --message, and nothing else", code="input.transfer")
    async with open_client(arguments) as me:
        chat = await conversation_named(me, arguments.chat)
        message_id = await message_named(chat, arguments.message)
        found = [each.content for each in await chat.messages(limit=1_000) if each.message_id == message_id]
        file = found[0] if found else None
        if isinstance(file, Card | Carousel):
            # By the user's word alone: whose server it is learns who reads, and when (SR-14).
            picture = _media_of(file, arguments.media)
            return await _follow([await me.download(picture.url, arguments.to or ".")], arguments, terminal)
        if not isinstance(file, File):
            raise InputError("there is no file in this message", code="input.target")
        if arguments.to == "-":
            return await _to_stdout(me, file, arguments.picture)
        to = arguments.to or (None if file.format is FileFormat.SEALED else ".")
        transfer = await me.download(file, to, thumbnail=arguments.picture)
        return await _follow([transfer], arguments, terminal)


def _media_of(content: Card | Carousel, number: int) -> Media:
    if not 1 <= number <= len(content.media):
        raise InputError(
            f"this message has {len(content.media)} pictures or films", code="input.target", hint="--media N"
        )
    return content.media[number - 1]


async def _to_stdout(me: Client, file: File, thumbnail: bool) -> int:
    """Its bytes as they are verified, and nothing else: for a player."""
    async with await me.open_file(file, thumbnail=thumbnail) as reader:
        async for piece in reader.stream():
            await asyncio.to_thread(sys.stdout.buffer.write, piece)
    await asyncio.to_thread(sys.stdout.buffer.flush)
    return 0


async def _follow(transfers: list[Transfer], arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show how they go on; stopped from outside, they are paused."""
    if not transfers:
        terminal.say("there is nothing to resume")
    for transfer in transfers:
        if arguments.resume:
            await transfer.resume()
        try:
            await watch(transfer, terminal)
            info = await transfer.wait()
            while (
                info.state is TransferState.INTERRUPTED
            ):  # the owner of the profile ended; this process goes on with it
                await transfer.resume()
                info = await transfer.wait()
        except BaseException:  # Ctrl-C above all: however it ends here, it goes on another time
            if not transfer.info.state.over:
                await transfer.pause()
                terminal.say(f"paused; to go on: letterlock {arguments.verb} --resume")
            raise
        if info.state is not TransferState.DONE:  # paused from elsewhere: nothing has its name yet
            raise ContentError(
                f"the {arguments.verb} is {info.state.value}",
                code="transfer.unfinished",
                hint=f"to go on: letterlock {arguments.verb} --resume",
            )
        _outcome(info, terminal)
        show_odd(info, terminal)
    return 0


def _outcome(info: TransferInfo, terminal: Terminal) -> None:
    if info.document is not None:
        file = info.document.file
        until = (
            "" if file.until is None else f", until {datetime.fromtimestamp(file.until / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        )
        record = {"transfer": info.id, "url": file.url, "size": file.size, "until": file.until, "name": file.name}
        terminal.data(record, f"{file.url}\n{file.size} bytes{until}")
        return
    record = {
        "transfer": info.id,
        "path": info.path,
        "size": info.file_size,
        "checked": info.checked,
        "disagreement": info.disagreement,
    }
    if info.sha256 is not None:  # of a sealed file each chunk is verified by itself, and nobody adds up the whole
        record["sha256"] = info.sha256.hex()
    terminal.data(record, info.path or "fetched and verified; kept sealed in the cache")
    if not info.checked:
        terminal.say("nobody said what its digest is: it was not checked")


def _one_of(named: str | None, resume: bool, what: str) -> None:
    if (named is None) != resume:
        raise InputError(f"name {what}, or --resume what was begun", code="input.transfer")


def _digest(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InputError("a SHA-256 has 64 hexadecimal digits", code="input.sha256")
    return digest


def _days(text: str) -> int:
    return _positive(text, "a number of days", 36_500)


def _presign(text: str) -> int:
    return _positive(text, "a number of seconds, a week at most", 604_800)  # which is S3's own limit


def _gib(text: str) -> int:
    return _positive(text, "a number of GiB", 1 << 30)


def _positive(text: str, what: str, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:12]) <= most:
        raise argparse.ArgumentTypeError(f"not {what}: {text[:20]}")
    return int(text)

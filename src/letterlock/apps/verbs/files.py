"""Verbs of files: showing and saving those of messages, sending one, what is on its way, what lies in the cache.

Places on the disk are named by programs of the same user alone (`Context.paths`, SR-16): a page in a browser gets
unguessable paths of the daemon, and hands bytes over.
"""

from __future__ import annotations

from typing import Any

from ...client import Transfer, TransferState
from ...engine.content import File
from ...errors import ContentError, InputError
from .answers import allowed, conversation, sent
from .chats import CHAT, MESSAGE
from .context import Context, Outgoing, other_transport
from .names import message_named
from .records import cache_record, transfer_record
from .schemas import BOOLEAN, INTEGER, NOTHING, STRING, array, record, ref
from .talking import ALLOW
from .verb import Example, Kind, Param, Verb, param

__all__ = ["VERBS"]

_MOST_BYTES = 1 << 50
_UPLOAD = param("upload", Kind.WORD, "the id that the upload was answered with", metavar="TRANSFER")
_TRANSFER = param("transfer", Kind.WORD, "the id of a transfer, or the beginning of it", metavar="TRANSFER")


async def _open(context: Context, chat: str, message_id: str, thumbnail: bool) -> dict[str, Any]:
    if context.media is None:
        raise other_transport("file.open", "over HTTP a file has a path of the daemon; here use file.save")
    talk = await conversation(context, chat)
    message = await message_named(talk, message_id)
    return await context.media.show(talk.name, message, await _file(context, chat, message), thumbnail)


async def _save(context: Context, chat: str, message_id: str, to: str, thumbnail: bool) -> dict[str, Any]:
    _check_paths(context, "file.save")
    file = await _file(context, chat, message_id)
    transfer = await context.client.download(file, to, thumbnail=thumbnail)
    info = await transfer.wait()
    if info.state is not TransferState.DONE:  # paused from elsewhere: nothing has its name yet
        raise ContentError("the download is not complete", code="transfer.unfinished", hint="resume it")
    return transfer_record(info)


async def _send(
    context: Context, chat: str, path: str, name: str, content_type: str, thumbnail: bool, reply_to: str, allow: str
) -> dict[str, Any]:
    _check_paths(context, "file.send")
    talk = await conversation(context, chat)
    answered = await message_named(talk, reply_to) if reply_to else ""
    option = await allowed(talk, allow)
    transfer = await talk.upload(
        path, name=name, content_type=content_type, thumbnail=None if thumbnail else False, allow=option
    )
    file = await transfer.file()
    return sent(talk, await talk.send_file(file, reply_to=answered, allow=option))


def _check_paths(context: Context, verb: str) -> None:
    """SR-16: what comes from a browser names no place on this machine's disk."""
    if not context.paths:
        raise other_transport(verb, "a page uploads to /api/v1/files, and opens files with file.open")


async def _file(context: Context, chat: str, message_id: str) -> File:
    talk = await conversation(context, chat)
    found = [each.content for each in await talk.find(await message_named(talk, message_id))]
    file = next((content for content in found if isinstance(content, File)), None)
    if file is None:
        raise InputError("there is no file in this message", code="input.target")
    return file


async def _transfers(context: Context) -> list[dict[str, Any]]:
    return [transfer_record(transfer.info) for transfer in await context.client.transfers()]


async def _transfer(context: Context, name: str) -> Transfer:
    found = [each for each in await context.client.transfers() if name and each.id.startswith(name)]
    if len(found) != 1:
        raise InputError(
            f"{'no' if not found else 'more than one'} transfer {name[:40]!r}",
            code="input.transfer",
            hint="letterlock transfers",
        )
    return found[0]


async def _cancel(context: Context, transfer: str) -> dict[str, Any]:
    found = await _transfer(context, transfer)
    await found.cancel()
    return {**transfer_record(found.info), "state": TransferState.CANCELLED.value}


async def _pause(context: Context, transfer: str) -> dict[str, Any]:
    found = await _transfer(context, transfer)
    await found.pause()
    return transfer_record(found.info)


async def _resume(context: Context, transfer: str) -> dict[str, Any]:
    found = await _transfer(context, transfer)
    await found.resume()
    return transfer_record(found.info)


def _outgoing(context: Context, verb: str) -> Outgoing:
    if context.outgoing is None:
        raise other_transport(verb, "pages upload over HTTP; here use transfers")
    return context.outgoing


async def _uploads(context: Context) -> list[dict[str, Any]]:
    return await _outgoing(context, "uploads").uploads(context.locale)


async def _again(context: Context, upload: str, allow: str) -> dict[str, Any]:
    return await _outgoing(context, "upload.again").again(upload, allow)


async def _remove(context: Context, upload: str) -> dict[str, Any]:
    await _outgoing(context, "upload.remove").remove(upload)
    return {}


async def _cache(context: Context) -> dict[str, Any]:
    return cache_record(await context.client.cache())


async def _prune(context: Context, to: int) -> dict[str, Any]:
    freed = await context.client.prune_cache(to)
    return {"freed": freed, "used": (await context.client.cache()).used}


async def _budget(context: Context, bytes: int) -> dict[str, Any]:
    await context.client.set_cache_budget(bytes)
    info = await context.client.cache()
    return {"budget": info.budget, "used": info.used}


VERBS = (
    Verb(
        "file open",
        "show the file of a message: where it can be fetched",
        _open,
        record(path=STRING, content_type=STRING, size=INTEGER, name=STRING, inline=BOOLEAN, here=BOOLEAN),
        (CHAT, MESSAGE, Param("thumbnail", Kind.FLAG, "its small picture", default=False)),
        description="Give the file of a message an unguessable path of this daemon, for this session: fetched and decrypted "
        "as it is read, in any order (Range). `here`: of a film, whether all of it lies in the cache already. Over HTTP only.",
        instead="download --to -",
        examples=(Example("a picture", {"chat": "+15550199", "message_id": "0a1b2c3d", "thumbnail": True}),),
    ),
    Verb(
        "file save",
        "fetch the file of a message to a place on this disk",
        _save,
        ref("Transfer"),
        (
            CHAT,
            MESSAGE,
            param("to", Kind.PATH, "a folder, or a file that is not there yet"),
            Param("thumbnail", Kind.FLAG, "its small picture", default=False),
        ),
        description="Fetch, verify and decrypt the file of a message; answers when it is there. For programs of this user: "
        "a page may name no place on the disk.",
        instead="download --chat --message --to",
        examples=(Example("to a folder", {"chat": "+15550199", "message_id": "0a1b2c3d", "to": "/home/ana/Pictures"}),),
    ),
    Verb(
        "file send",
        "send a file from this disk, encrypted as the chat is",
        _send,
        ref("Sent"),
        (
            CHAT,
            param("path", Kind.PATH, "the file"),
            Param("name", Kind.WORD, "what the contact is told that it is called; default: as here", default=""),
            Param("content_type", Kind.WORD, "its media type; default: what it looks like", default=""),
            Param("thumbnail", Kind.FLAG, "false: no small picture of it, nor its size or duration", default=True),
            Param("reply_to", Kind.MESSAGE, "the message that it answers", default="", metavar="MESSAGE"),
            ALLOW,
        ),
        description="Encrypt a file, upload it and send its message; answers when it is sent. `transfer-changed` events tell "
        "how it goes on. For programs of this user: a page uploads to /api/v1/files.",
        instead="send --file",
        examples=(Example("a picture", {"chat": "+15550199", "path": "/home/ana/lake.jpg"}),),
    ),
    Verb(
        "transfers",
        "files that are on their way, or stopped",
        _transfers,
        array(ref("Transfer")),
        description="All transfers, oldest first, with how far each is; those that stopped can be resumed.",
        examples=(Example("what is on its way"),),
    ),
    Verb(
        "transfer cancel",
        "give a transfer up; nothing is kept of it",
        _cancel,
        ref("Transfer"),
        (_TRANSFER,),
        description="Give a transfer up: nothing is kept of it.",
        examples=(Example("cancel", {"transfer": "7d3c1a90"}),),
    ),
    Verb(
        "transfer pause",
        "stop a transfer until it is resumed",
        _pause,
        ref("Transfer"),
        (_TRANSFER,),
        description="Stop a transfer; it goes on where it ended, in this program or a later one.",
        examples=(Example("pause", {"transfer": "7d3c1a90"}),),
    ),
    Verb(
        "transfer resume",
        "go on with a transfer that stopped",
        _resume,
        ref("Transfer"),
        (_TRANSFER,),
        description="Go on after a pause, an interruption or a failure, where it ended.",
        examples=(Example("go on", {"transfer": "7d3c1a90"}),),
    ),
    Verb(
        "uploads",
        "files that pages gave to this daemon and that are not sent yet",
        _uploads,
        array(ref("Upload")),
        description="What came by POST /api/v1/files and is not sent: how far each is, and why one was refused or has failed. "
        "Each stays until it is sent or removed, and no longer than the daemon. Over HTTP only.",
        instead="transfers",
        examples=(Example("what is on its way"),),
    ),
    Verb(
        "upload again",
        "try once more to send a file of a page",
        _again,
        ref("Sent"),
        (_UPLOAD, ALLOW),
        description="Send the message of a file that was refused, or go on with the transfer of one that has failed. It is "
        "sent once, however often this is asked. Over HTTP only.",
        instead="transfer resume",
        examples=(Example("once more", {"upload": "7d3c1a90-5b1f-4c44-9c0e-6f1d2b8a7e35"}),),
    ),
    Verb(
        "upload remove",
        "give up a file of a page that is not sent yet",
        _remove,
        NOTHING,
        (_UPLOAD,),
        description="Give a file up that is on its way, was refused or has failed: it is not sent, and nothing is kept of it. "
        "Over HTTP only.",
        instead="transfer cancel",
        examples=(Example("give up", {"upload": "7d3c1a90-5b1f-4c44-9c0e-6f1d2b8a7e35"}),),
    ),
    Verb(
        "cache",
        "what was fetched and lies sealed here",
        _cache,
        ref("Cache"),
        description="Files of encrypted chats are kept as ciphertext, and opened as they are looked at. What was used "
        "longest ago gives way when the budget is used up; the files can be fetched again while their servers keep them.",
        examples=(Example("what lies there"),),
    ),
    Verb(
        "cache prune",
        "delete what was used longest ago",
        _prune,
        record(freed=INTEGER, used=INTEGER),
        (Param("to", Kind.INTEGER, "so many bytes may stay", default=0, lowest=0, highest=_MOST_BYTES),),
        description="Delete what was used longest ago until so many bytes are left. What is in use stays.",
        examples=(Example("keep 300 MB", {"to": 300_000_000}),),
    ),
    Verb(
        "cache budget",
        "how many bytes the cache may take",
        _budget,
        record(budget=INTEGER, used=INTEGER),
        (param("bytes", Kind.INTEGER, "at first it is 1 GiB", lowest=0, highest=_MOST_BYTES, metavar="BYTES"),),
        description="How many bytes the cache may take from now on; what is above goes.",
        examples=(Example("two gigabytes", {"bytes": 2_000_000_000}),),
    ),
)

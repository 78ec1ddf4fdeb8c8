"""What is kept of a file on its way to or from a content server, in the store and on the owner's socket."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass
from typing import Any

from ...codec.ft_http import FileDocument, RemoteFile
from ...errors import DecodeError
from ...files.pointer import FilePointer, decode_pointer, encode_pointer
from ...ids import Instant
from ...rcc16.wire.file_info import FileInfo, decode_file_info, encode_file_info
from ...seam import RecordKind
from ...transport.content.config import DownloadState, UploadState
from .rcc16 import Encrypted
from .sealed_transfers import SealedTransfer, blob_of

__all__ = [
    "TRANSFER",
    "TransferInfo",
    "TransferStage",
    "TransferState",
    "info_from_json",
    "info_to_json",
    "pointer_from_json",
    "pointer_to_json",
]


_HOPELESS = frozenset(
    {
        "content.digest",
        "content.redirect",
        "content.size",
        "content.too_large",
        "content.unknown",
        "transfer.address",
        "transfer.changed",
        "transfer.too_large",
    }
)


class TransferState(enum.Enum):
    """How a transfer stands; the value is its stable name."""

    RUNNING = "running"
    PAUSED = "paused"
    """By the user, until it is resumed."""
    INTERRUPTED = "interrupted"
    """The program ended in the middle; it can be resumed."""
    FAILED = "failed"
    """`reason` says why. It can be tried again: what arrived is kept."""
    DONE = "done"
    CANCELLED = "cancelled"
    """Only in the last event of a transfer: nothing is kept of it."""

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self is not TransferState.RUNNING


class TransferStage(enum.Enum):
    """What is done with the bytes of one that runs, one after another; the value is its stable name."""

    SEALING = "sealing"
    MOVING = "moving"
    OPENING = "opening"
    """What came is verified, and written as a plain copy if one was wanted."""


@dataclass(frozen=True, slots=True)
class TransferInfo:
    """One transfer. `document` is what the server gave for an upload that is done, for whoever is to fetch it.

    `task` is all that is needed to go on with it. `done` counts bytes of the `stage`, of `task.size` where that is known:
    a large file is sealed for a while before the first of them moves. `sha256`
    and `checked` are of a download that is done: whether its digest was compared with what was announced, or its tag
    was verified. `encrypted` of a transfer for RCC.16: its keys, and the file in the clear; `sealed` of one of a sealed
    file.
    """

    id: str
    state: TransferState
    created: Instant
    task: UploadState | DownloadState
    done: int = 0
    reason: str = ""
    message: str = ""
    hint: str = ""
    document: FileDocument | None = None
    sha256: bytes | None = None
    checked: bool = False
    encrypted: Encrypted | None = None
    sealed: SealedTransfer | None = None
    stage: TransferStage = TransferStage.MOVING

    @property
    def upload(self) -> bool:
        return isinstance(self.task, UploadState)

    @property
    def path(self) -> str:
        """The file that is sent, or that will be there; empty for one that stays sealed in the cache."""
        if self.sealed is not None:
            return self.sealed.path
        if self.encrypted is not None:
            return self.encrypted.path
        return self.task.path if isinstance(self.task, UploadState) else self.task.target

    @property
    def size(self) -> int | None:
        return self.task.size

    @property
    def file_size(self) -> int:
        """That of the file itself once it is there, where `size` is that of the ciphertext that moves."""
        if self.sealed is None or self.sealed.pointer is None:
            return self.done
        return blob_of(self.sealed.pointer, self.sealed.thumbnail).seal.size

    @property
    def disagreement(self) -> str:
        """What its bytes are, where its name or type says something else: for the user to read before it is opened (SR-14)."""
        return "" if self.sealed is None else self.sealed.disagreement

    @property
    def resumable(self) -> bool:
        """Whether going on may lead anywhere: not when the same would be refused again."""
        stopped = self.state in (TransferState.PAUSED, TransferState.INTERRUPTED, TransferState.FAILED)
        return stopped and self.reason not in _HOPELESS


def info_to_json(info: TransferInfo) -> dict[str, Any]:
    """A JSON object with a stable form; bytes are in hexadecimal digits."""
    out = {field.name: getattr(info, field.name) for field in dataclasses.fields(info)}
    out["state"] = info.state.value
    out["stage"] = info.stage.value
    out["upload"] = info.upload
    out["task"] = {name: _plain(value) for name, value in dataclasses.asdict(info.task).items()}
    out["document"] = None if info.document is None else dataclasses.asdict(info.document)
    out["sha256"] = _plain(info.sha256)
    out["encrypted"] = None if info.encrypted is None else _encrypted_to_json(info.encrypted)
    out["sealed"] = None if info.sealed is None else _sealed_to_json(info.sealed)
    return out


def info_from_json(value: Any) -> TransferInfo:
    """The other way. Raises DecodeError."""
    try:
        given = dict(value)
        task = dict(given["task"])
        if given.pop("upload"):
            given["task"] = UploadState(**task)
        else:
            for name in ("sha256", "announced"):
                task[name] = _bytes(task.get(name))
            given["task"] = DownloadState(**task)
        given["state"] = TransferState(given["state"])
        given["stage"] = TransferStage(given.get("stage", TransferStage.MOVING.value))
        given["document"] = _document(given.get("document"))
        given["sha256"] = _bytes(given.get("sha256"))
        given["encrypted"] = _encrypted(given.get("encrypted"))
        given["sealed"] = _sealed(given.get("sealed"))
        return TransferInfo(**given)
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError("the record of a transfer is damaged", code="record.transfer") from error


def _document(value: Any) -> FileDocument | None:
    if value is None:
        return None
    thumbnail = None if value["thumbnail"] is None else RemoteFile(**value["thumbnail"])
    return FileDocument(**{**value, "file": RemoteFile(**value["file"]), "thumbnail": thumbnail})


def _encrypted_to_json(value: Encrypted) -> dict[str, Any]:
    keys = FileInfo(file=value.file, thumbnail=value.thumbnail)
    return {"path": value.path, "keys": encode_file_info(keys).hex()}


def _encrypted(value: Any) -> Encrypted | None:
    if value is None:
        return None
    keys = decode_file_info(bytes.fromhex(value["keys"]))
    if keys.file is None:
        raise ValueError("keys of no file")
    return Encrypted(str(value["path"]), keys.file, keys.thumbnail)


def pointer_to_json(pointer: FilePointer) -> str:
    """Key and all, for the same user's other processes and for the encrypted store."""
    return encode_pointer(pointer).hex()


def pointer_from_json(value: Any) -> FilePointer:
    """The other way. Raises DecodeError, ValueError or TypeError for what is none."""
    return decode_pointer(bytes.fromhex(value))


def _sealed_to_json(value: SealedTransfer) -> dict[str, Any]:
    out = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {**out, "pointer": None if value.pointer is None else pointer_to_json(value.pointer)}


def _sealed(value: Any) -> SealedTransfer | None:
    if value is None:
        return None
    pointer = value["pointer"]
    return SealedTransfer(**{**value, "pointer": None if pointer is None else pointer_from_json(pointer)})


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _encode(info: TransferInfo) -> bytes:
    return json.dumps({"version": 1, **info_to_json(info)}).encode()


def _decode(data: bytes) -> TransferInfo:
    try:
        value = json.loads(data)
        if value.pop("version") != 1:
            raise DecodeError("a transfer of a newer version", code="record.transfer")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError("the record of a transfer is damaged", code="record.transfer") from error
    return info_from_json(value)


TRANSFER = RecordKind[TransferInfo]("client-transfer", _encode, _decode)

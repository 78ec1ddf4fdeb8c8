"""The act of the files: a film of 20 MB whose receiver is killed in the middle, and a picture with its thumbnail.

Files go over HTTP, to a content server behind a passage that is as slow as a good mobile link and writes every byte
into the same wire log. What must not be in it: the names, the film, the picture, its thumbnail.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

from ...client import Client, Transfer, TransferState
from ...engine.content import File
from ...engine.policy import PlainOption
from ...errors import Bug, NotEncrypted
from ...ids import MessageId
from .phone import Phone
from .stage import Stage
from .view import bar

__all__ = ["Album"]

_FILM = "the race, uncut.mp4"
_PICTURE = "the blue crane.jpg"
_MEGABYTES = 20
_SLICE = 48
_KILLED_AT = 0.4


@dataclass(slots=True)
class Album:
    """Ana sends, Ben receives. `secrets` must not be readable on the way, and `verified` counts what arrived whole."""

    stage: Stage
    ana: Phone
    ben: Phone
    secrets: list[str | bytes] = field(default_factory=list)
    sent: int = 0
    verified: int = 0

    async def show(self) -> None:
        """The whole act."""
        stage = self.stage
        folder = stage.folder / "files"
        folder.mkdir()
        film, picture = folder / _FILM, folder / _PICTURE
        film.write_bytes(os.urandom(_MEGABYTES << 20))
        _draw(picture)
        self._conceal(film)
        self._conceal(picture)
        stage.narrate(
            f"Ana sends a film of {_MEGABYTES} MB; her phone encrypts it before the content server sees a byte"
        )
        message = await self._send(film, "video/mp4")
        stage.narrate("Ben's phone fetches it, and is killed with SIGKILL on the way")
        await self._fetch_killed(message, film)
        stage.narrate("then a picture; its thumbnail is made on Ana's phone and is encrypted as well")
        message = await self._send(picture, "image/jpeg")
        await self._fetch(message, picture)
        if not stage.plain:  # what goes as it is gets none by itself
            await self._look_at_thumbnail(message)
        await stage.show()

    async def _send(self, path: Path, content_type: str) -> MessageId:
        stage, ana, ben = self.stage, self.ana, self.ben
        async with ana.client() as client:
            chat = await client.chat(ben.number)
            allow = None
            try:
                transfer = await chat.upload(path, content_type=content_type)
            except NotEncrypted as error:
                if not stage.plain:
                    raise
                allow = next(option for option in error.options if isinstance(option, PlainOption))
                transfer = await chat.upload(path, content_type=content_type, allow=allow)
            await self._follow(ana, transfer)
            message_id = await chat.send_file(await transfer.file(), allow=allow)
        stage.note(ana, [ben], "", message_id, f"({path.name}, {path.stat().st_size / 1e6:.1f} MB)")
        self.sent += 1
        await stage.arrived()
        return message_id

    async def _fetch_killed(self, message: MessageId, original: Path) -> None:
        ben = self.ben
        async with ben.client() as client:
            transfer = await self._begin(client, message)
            async for info in transfer.progress():
                self._bar(ben, info.done, info.size)
                if info.size and info.done >= info.size * _KILLED_AT:
                    break
            before = info.done
            await ben.kill()
        self.stage.print("", end="\n")
        await ben.switch_on()
        async with ben.client() as client:
            (transfer,) = [each for each in await client.transfers() if each.id == transfer.id]
            if transfer.info.state is not TransferState.INTERRUPTED:
                raise Bug(f"the transfer is {transfer.info.state.value}, after its process was killed")
            self.stage.narrate(
                f"Ben's phone is back; {before / 1e6:.1f} MB had come, and the transfer goes on where it was"
            )
            await transfer.resume()
            await self._follow(ben, transfer)
            await self._check(transfer, original)

    async def _fetch(self, message: MessageId, original: Path) -> None:
        async with self.ben.client() as client:
            transfer = await self._begin(client, message)
            await self._follow(self.ben, transfer)
            await self._check(transfer, original)

    async def _look_at_thumbnail(self, message: MessageId) -> None:
        async with self.ben.client() as client:
            transfer = await self._begin(client, message, thumbnail=True)
            path = Path((await transfer.wait()).path)
        content = path.read_bytes()
        self.secrets += _slices(content)
        with Image.open(path) as small:
            width, height = small.size
        self.stage.narrate(f"on Ben's phone: a thumbnail of {width} by {height} pixels, {len(content) / 1e3:.1f} kB")

    async def _begin(self, client: Client, message: MessageId, *, thumbnail: bool = False) -> Transfer:
        chat = await client.chat(self.ana.number)
        (content,) = [view.content for view in await chat.messages() if view.message_id == message]
        if not isinstance(content, File):
            raise Bug("what arrived is no file")
        return await client.download(content, self._inbox(), thumbnail=thumbnail)

    def _inbox(self) -> Path:
        inbox = self.stage.folder / "received"
        inbox.mkdir(exist_ok=True)
        return inbox

    async def _check(self, transfer: Transfer, original: Path) -> None:
        info = await transfer.wait()
        self.verified += Path(info.path).read_bytes() == original.read_bytes() and Path(info.path).name == original.name

    async def _follow(self, phone: Phone, transfer: Transfer) -> None:
        async for info in transfer.progress():
            self._bar(phone, info.done, info.size)
        self.stage.print("", end="\n")

    def _bar(self, phone: Phone, done: int, size: int | None) -> None:
        # On a terminal one line that grows.
        self.stage.print(bar(phone.name, done, size), end="\r" if sys.stdout.isatty() else "\n")

    def _conceal(self, path: Path) -> None:
        self.secrets.append(path.name)
        self.secrets += _slices(path.read_bytes())


def _slices(content: bytes) -> list[str | bytes]:
    """Pieces of a file that stand for it in the search."""
    return [content[at : at + _SLICE] for at in (0, len(content) // 2, len(content) - _SLICE)]


def _draw(path: Path) -> None:
    """A picture of which a thumbnail can be made: a crane over water, with some noise so that it is not small."""
    width, height = 1_600, 1_200
    picture = Image.effect_noise((width, height), 24).convert("RGB")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 900, width, height), fill=(22, 74, 110))
    pen.line((400, 900, 400, 200), fill=(20, 60, 200), width=40)
    pen.line((300, 240, 1_300, 240), fill=(20, 60, 200), width=30)
    pen.line((1_200, 240, 1_200, 700), fill=(40, 40, 40), width=6)
    picture.save(path, "JPEG", quality=85)

"""The client of content servers: resumed anywhere, verified, and led nowhere by what peers and servers say."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import socket
import ssl
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from content.lab import (
    SETTINGS,
    SMALL,
    Liar,
    Pauses,
    Server,
    Wire,
    answer,
    client,
    content,
    downloading,
    fetch,
    forget,
    put,
    quiet,
    uploading,
)
from lab_certificate import write_lab_certificate
from letterlock.codec.addresses import is_public
from letterlock.codec.ft_http import FileDocument, RemoteFile, ResumeInfo, encode_file, encode_resume_info
from letterlock.errors import ContentError, InputError, LetterlockError, TransportError
from letterlock.transport.content.config import DownloadState

pytestmark = pytest.mark.anyio
SIZE = 150_000
DATA = content(SIZE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(DATA)
    return path


# --- lost connections ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cut", [0, 1, 100, 300, 700, 1200, 5000, 20_000, 66_000, 149_000, SIZE, SIZE + 900])
async def test_an_upload_goes_on_after_its_connection_was_cut(tmp_path: Path, source: Path, cut: int) -> None:
    """At the empty POST, in its head, in the form, in the file, behind the file, and again while it is resumed."""
    async with Server.running(tmp_path) as lab, Wire.to(lab.server.port) as wire:
        wire.up = [cut, cut, cut // 2]
        url = lab.url.replace(str(lab.server.port), str(wire.port))
        pauses = Pauses()
        async with client(url, pauses=pauses) as mine:
            # The server names itself, and only the server that was configured gets the rest: let them be one.
            lab.server._public_url = url.removesuffix("/upload")
            found = await mine.upload(uploading(source), quiet)
        wire.up = []
        assert Path((await fetch(url, downloading(tmp_path, found.file))).path).read_bytes() == DATA
        if cut < SIZE:
            assert pauses.seconds


@pytest.mark.parametrize("cut", [0, 100, 400, 1000, 5000, 30_000, 100_000, SIZE - 1])
async def test_a_download_goes_on_after_its_connection_was_cut(tmp_path: Path, source: Path, cut: int) -> None:
    async with Server.running(tmp_path) as lab, Wire.to(lab.server.port) as wire:
        lab.server._public_url = f"http://127.0.0.1:{wire.port}"
        found = (await put(lab.url, source)).file
        wire.down = [cut, cut // 2, cut]
        got = await fetch(f"http://127.0.0.1:{wire.port}/upload", downloading(tmp_path, found))
        assert Path(got.path).read_bytes() == DATA and got.checked
        assert sorted(path.name for path in tmp_path.iterdir()) == ["got.bin", "server", "source.bin"]


async def test_transfers_are_resumed_and_not_begun_again(tmp_path: Path, source: Path) -> None:
    """What had arrived before the cut is not sent a second time."""
    async with Server.running(tmp_path) as lab, Wire.to(lab.server.port) as wire:
        url = lab.url.replace(str(lab.server.port), str(wire.port))
        lab.server._public_url = url.removesuffix("/upload")
        wire.up = [120_000]
        seen: list[int] = []
        async with client(url) as mine:
            await mine.upload(uploading(source), lambda done, total: seen.append(done))
        again = seen.index(max(n for n in seen[: seen.index(SIZE)] if n < 120_000)) + 1
        assert seen[again] > 60_000


async def test_an_attempt_without_progress_counts_and_one_with_progress_does_not(tmp_path: Path, source: Path) -> None:
    settings = dataclasses.replace(SETTINGS, attempts=3, progress=8192)
    async with Server.running(tmp_path) as lab, Wire.to(lab.server.port) as wire:
        lab.server._public_url = f"http://127.0.0.1:{wire.port}"
        found = (await put(lab.url, source)).file
        home = f"http://127.0.0.1:{wire.port}/upload"
        wire.down = [20_000] * 6  # each moves more than `progress`: six failures in a row are no reason to end
        assert (await fetch(home, downloading(tmp_path, found), settings=settings)).checked
        wire.down = [700] * 9
        pauses = Pauses()
        with pytest.raises(TransportError):
            await fetch(home, downloading(tmp_path, found, part=str(tmp_path / "p2")), settings=settings, pauses=pauses)
        assert len(pauses.seconds) == 2 and 1 <= pauses.seconds[0] < pauses.seconds[1]


async def test_a_download_goes_on_in_another_client(tmp_path: Path, source: Path) -> None:
    """After a restart of the process: the state that was kept and the part on the disk are enough."""
    async with Server.running(tmp_path) as lab, Wire.to(lab.server.port) as wire:
        lab.server._public_url = f"http://127.0.0.1:{wire.port}"
        found = (await put(lab.url, source)).file
        home = f"http://127.0.0.1:{wire.port}/upload"
        kept: list[DownloadState] = []

        async def keep(state: DownloadState) -> None:
            kept.append(state)

        wire.down = [60_000]
        settings = dataclasses.replace(SETTINGS, attempts=1)
        async with client(home, settings=settings) as mine:
            with pytest.raises(LetterlockError):
                await mine.download(downloading(tmp_path, found), quiet, keep)
        part = tmp_path / ".got.part"
        assert 40_000 < part.stat().st_size < 60_000 and not (tmp_path / "got.bin").exists()
        assert part.stat().st_mode & 0o777 == 0o600
        seen: list[int] = []
        async with client(home) as mine:
            got = await mine.download(kept[-1], lambda done, total: seen.append(done), forget)
        assert Path(got.path).read_bytes() == DATA and seen[0] > 40_000


async def test_damage_on_the_disk_is_found_and_the_file_fetched_again(tmp_path: Path, source: Path) -> None:
    """A power cut may leave zeros at the end of the part."""
    async with Server.running(tmp_path) as lab:
        found = (await put(lab.url, source)).file
        digest = hashlib.sha256(DATA).digest()
        for kept in (100_000, SIZE, SIZE + 5):
            (tmp_path / ".got.part").write_bytes(DATA[:50_000] + bytes(kept - 50_000))
            got = await fetch(lab.url, downloading(tmp_path, found, sha256=digest))
            assert Path(got.path).read_bytes() == DATA
            os.unlink(got.path)


async def test_a_program_that_ended_between_naming_the_file_and_saying_so(tmp_path: Path, source: Path) -> None:
    """It is found under its name and not fetched a second time, unless it is another file."""
    async with Server.running(tmp_path) as lab:
        found = (await put(lab.url, source)).file
        state = downloading(tmp_path, found, announced=hashlib.sha256(DATA).digest())
        (tmp_path / "got.bin").write_bytes(DATA)
        got = await fetch(lab.url, dataclasses.replace(state, url="https://nobody.example.test/x"))
        assert got.path == state.target and got.checked and got.size == SIZE
        (tmp_path / "got.bin").write_bytes(DATA[:-1] + b"x")
        assert (await fetch(lab.url, state)).path == str(tmp_path / "got (2).bin")
        os.unlink(tmp_path / "got.bin")
        os.mkfifo(tmp_path / "got.bin")
        assert (await fetch(lab.url, state)).path == str(tmp_path / "got (3).bin")


async def test_pausing_is_cancelling(tmp_path: Path, source: Path) -> None:
    async with Server.running(tmp_path) as lab:
        half = asyncio.Event()
        async with client(lab.url) as mine:
            task = asyncio.ensure_future(
                mine.upload(uploading(source), lambda done, total: half.set() if done > 60_000 else None)
            )
            await half.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            found = await mine.upload(uploading(source, begun=True), quiet)
        assert Path((await fetch(lab.url, downloading(tmp_path, found.file))).path).read_bytes() == DATA


@pytest.mark.parametrize("size", [0, 1, 4096])
async def test_the_answer_was_lost_and_the_upload_is_there(tmp_path: Path, size: int) -> None:
    source = tmp_path / "small"
    source.write_bytes(DATA[:size])
    async with Server.running(tmp_path) as lab:
        first = await put(lab.url, source)
        again = await put(lab.url, source, begun=True)
        assert first.file.url == again.file.url
        assert Path((await fetch(lab.url, downloading(tmp_path, first.file))).path).read_bytes() == DATA[:size]


async def test_a_server_that_is_restarted_meanwhile(tmp_path: Path, source: Path) -> None:
    async with Server.running(tmp_path) as lab:
        restarted = False

        async def restart() -> None:
            nonlocal restarted
            if not restarted:
                restarted = True
                await lab.restart()

        task: asyncio.Task[None] | None = None

        def progress(done: int, total: int | None) -> None:
            nonlocal task
            if done > 60_000 and task is None:
                task = asyncio.ensure_future(restart())

        async def restarted_by_then() -> None:
            assert task is not None
            await task

        async with client(lab.url, pauses=Pauses(restarted_by_then)) as mine:
            found = await mine.upload(uploading(source), progress)
        assert restarted
        assert Path((await fetch(lab.url, downloading(tmp_path, found.file))).path).read_bytes() == DATA


async def test_retry_after_is_honoured_and_bounded(tmp_path: Path, source: Path) -> None:
    date = "Mon, 21 Sep 2026 14:13:40 GMT"  # twenty seconds after the clock of these tests
    for text, least, most in (("7", 7, 8), (date, 20, 21), ("soon", 1, 2), ("-5", 1, 2)):
        pauses = Pauses()
        busy = answer("503 Busy", Retry_After=text)
        async with Liar.telling(busy) as liar:
            with pytest.raises(ContentError) as caught:
                async with client(
                    f"{liar.url}/upload", pauses=pauses, settings=dataclasses.replace(SETTINGS, attempts=2)
                ) as mine:
                    await mine.upload(uploading(source), quiet)
        assert caught.value.status == 503 and least <= pauses.seconds[0] < most, (text, pauses.seconds)
    pauses = Pauses()
    async with (
        Liar.telling(answer("503 Busy", Retry_After="999999999")) as liar,
        client(f"{liar.url}/upload", pauses=pauses) as mine,
    ):
        with pytest.raises(ContentError):
            await mine.upload(uploading(source), quiet)
    assert pauses.seconds == []


# --- the local end ---------------------------------------------------------------------------------------------
async def test_a_source_that_changed_is_not_continued(tmp_path: Path, source: Path) -> None:
    async with Server.running(tmp_path) as lab, client(lab.url) as mine:
        state = uploading(source)
        source.write_bytes(DATA + b"x")
        with pytest.raises(InputError) as caught:
            await mine.upload(state, quiet)
        assert caught.value.code == "transfer.changed"


async def test_a_source_that_changes_while_it_is_sent(tmp_path: Path, source: Path) -> None:
    """Not even one that is cut short under our hands makes a file of half old and half new bytes."""
    async with Server.running(tmp_path) as lab, client(lab.url) as mine:

        def shrink(done: int, total: int | None) -> None:
            if done > 40_000:
                os.truncate(source, 45_000)

        with pytest.raises(InputError) as caught:
            await mine.upload(uploading(source), shrink)
        assert caught.value.code == "transfer.changed"
        with pytest.raises(InputError) as caught:
            await mine.upload(dataclasses.replace(uploading(source), path="/nowhere/x"), quiet)
        assert caught.value.code == "transfer.file"


async def test_nothing_is_overwritten_and_no_link_followed(tmp_path: Path, source: Path) -> None:
    """SR-14: not the user's file of that name, and not what a link in the place of the part leads to."""
    async with Server.running(tmp_path) as lab:
        found = (await put(lab.url, source)).file
        (tmp_path / "got.bin").write_bytes(b"mine")
        got = await fetch(lab.url, downloading(tmp_path, found))
        assert Path(got.path).name == "got (2).bin" and Path(got.path).read_bytes() == DATA
        assert (tmp_path / "got.bin").read_bytes() == b"mine"
        (tmp_path / "precious").write_bytes(b"precious")
        (tmp_path / ".got.part").symlink_to(tmp_path / "precious")
        with pytest.raises(InputError):
            await fetch(lab.url, downloading(tmp_path, found))
        assert (tmp_path / "precious").read_bytes() == b"precious"
        (tmp_path / ".got.part").unlink()
        with pytest.raises(InputError) as caught:
            await fetch(lab.url, downloading(tmp_path, found, part=str(tmp_path / "no" / "folder")))
        assert caught.value.code == "transfer.file"


# --- servers that lie ------------------------------------------------------------------------------------------
WHOLE = b"0123456789"
RIGHT = "sha-256=hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII="


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (answer("200 OK", b"012345678"), "content.size"),
        (answer("200 OK", b"0123456789x"), "content.size"),
        (answer("200 OK", b"01234", Content_Length="10"), "transport.content"),
        (answer("200 OK", b"9876543210", Digest=RIGHT), "content.digest"),
        (answer("200 OK", b"9876543210", Repr_Digest=RIGHT.replace("=h", "=:h") + ":"), "content.digest"),
        (answer("206 Part", WHOLE, Content_Range="bytes 0-9/11"), "content.range"),
        (answer("206 Part", WHOLE, Content_Range="bytes 5-9/10"), "content.range"),
        (answer("206 Part", WHOLE), "content.range"),
        (answer("206 Part", WHOLE, Content_Range="bytes 0-99/100"), "content.size"),
        (answer("200 OK", WHOLE, Content_Encoding="gzip"), "content.encoding"),
        (answer("204 Nothing"), "content.refused"),
        (answer("404 Gone", b'{"code":"content.unknown","message":"gone"}'), "content.unknown"),
        (answer("302 There", Location="http://127.0.0.1:9/other"), "transport.content"),
        (answer("302 There", Location="http://files.example.test/x"), "content.redirect"),
        (answer("302 There", Location="file:///etc/passwd"), "content.redirect"),
        (answer("302 There", Location="SELF/round"), "content.redirect"),
        (answer("302 There"), "content.redirect"),
        (b"garbage\r\n\r\n", "transport.content"),
        (answer("200 OK", b"X: " + b"y" * 20_000), "content.size"),
        (answer("200 OK", b"5\r\n01234\r\n9\r\n567890123\r\n0\r\n\r\n", Transfer_Encoding="chunked"), "content.size"),
        (answer("200 OK", b"zz\r\n", Transfer_Encoding="chunked"), "transport.content"),
    ],
)
async def test_sr14_a_server_that_lies_about_a_file(tmp_path: Path, said: bytes, code: str) -> None:
    """SR-14, SR-15: one documented error, and nothing appears under the file's name."""
    async with Liar.telling(said) as liar:
        state = downloading(tmp_path, RemoteFile(10, "image/png", f"{liar.url}/files/x"))
        with pytest.raises(LetterlockError) as caught:
            await fetch(f"{liar.url}/upload", state, settings=dataclasses.replace(SETTINGS, attempts=2))
        assert caught.value.code == code
    assert not (tmp_path / "got.bin").exists()


async def test_sr14_a_body_without_end(tmp_path: Path) -> None:
    """SR-14: cut at the size that was announced; without one, at what this device takes."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    settings = dataclasses.replace(SETTINGS, max_file=1_000_000)
    for size in (10, None):
        async with Liar.telling(head, endless=True) as liar:
            state = downloading(tmp_path, RemoteFile(10, "image/png", f"{liar.url}/files/x"), size=size)
            with pytest.raises(ContentError) as caught:
                await fetch(f"{liar.url}/upload", state, settings=settings)
            assert caught.value.code == "content.size"
        assert (tmp_path / ".got.part").stat().st_size <= 1_000_000


async def test_another_version_behind_our_beginning(tmp_path: Path) -> None:
    """A server that ignores If-Range and has no digest to give is given away by the sender's digest."""
    (tmp_path / ".got.part").write_bytes(b"abcde")
    part = answer("206 Part", b"56789", Content_Range="bytes 5-9/10")
    async with Liar.telling(part, answer("200 OK", WHOLE)) as liar:
        state = downloading(
            tmp_path,
            RemoteFile(10, "image/png", f"{liar.url}/files/x"),
            sha256=hashlib.sha256(WHOLE).digest(),
            tag='"v1"',
        )
        got = await fetch(f"{liar.url}/upload", state)
        assert Path(got.path).read_bytes() == WHOLE
        assert b'If-Range: "v1"' in liar.requests[0] and b"Range: bytes=5-" in liar.requests[0]
        assert b"Range" not in liar.requests[1]


async def test_without_a_tag_or_digest_a_beginning_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / ".got.part").write_bytes(b"abcde")
    async with Liar.telling(answer("200 OK", WHOLE)) as liar:
        got = await fetch(f"{liar.url}/upload", downloading(tmp_path, RemoteFile(10, "x/y", f"{liar.url}/f")))
        assert Path(got.path).read_bytes() == WHOLE and not got.checked
        assert b"Range: bytes" not in liar.requests[0]


def told(size: int, url: str = "SELF/files/x") -> bytes:
    return encode_file(FileDocument(RemoteFile(size, "image/jpeg", url)))


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ((answer("204 OK"), answer("200 OK", told(SIZE - 1))), "content.size"),
        ((answer("204 OK"), answer("200 OK", told(SIZE), Digest=RIGHT)), "content.digest"),
        ((answer("204 OK"), answer("200 OK", b"<file/>")), "content.answer"),
        ((answer("204 OK"), answer("200 OK", b"x" * 100_000)), "content.answer"),
        ((answer("204 OK"), answer("200 OK", told(SIZE, "gopher://x/"))), "content.answer"),
        ((answer("401 Who"),), "content.auth"),
        ((answer("401 Who", WWW_Authenticate='Basic realm="x"'),), "content.auth"),
        (
            (answer("401 Who", WWW_Authenticate='Digest realm="r", nonce="n", qop="auth", algorithm=MD5'),),
            "content.auth",
        ),
        ((answer("507 Full", b'{"code":"content.full","message":"no room"}'),), "content.full"),
        ((answer("301 There", Location="https://elsewhere.example.test/"),), "content.refused"),
    ],
)
async def test_a_server_that_lies_about_an_upload(source: Path, answers: tuple[bytes, ...], code: str) -> None:
    async with Liar.telling(*answers) as liar, client(f"{liar.url}/upload") as mine:
        with pytest.raises(LetterlockError) as caught:
            await mine.upload(uploading(source), quiet)
        assert caught.value.code == code


async def test_a_server_that_takes_a_file_before_it_came(source: Path) -> None:
    said = (answer("204 OK"), answer("200 OK", told(SIZE)))
    async with Liar.telling(*said, early=True) as liar, client(f"{liar.url}/upload") as mine:
        with pytest.raises(LetterlockError) as caught:
            await mine.upload(uploading(source), quiet)
        assert caught.value.code in ("content.early", "transport.content")


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (encode_resume_info(ResumeInfo(0, SIZE, "SELF/u")), "content.size"),
        (encode_resume_info(ResumeInfo(7, 100, "SELF/u")), "content.range"),
        (encode_resume_info(ResumeInfo(0, 100, "https://elsewhere.example.test/u")), "content.redirect"),
        (encode_resume_info(ResumeInfo(0, 100, "http://127.0.0.1:9/u")), "transfer.address"),
        (b"<nonsense/>", "content.answer"),
    ],
)
async def test_sr14_a_server_that_lies_about_how_far_we_got(source: Path, info: bytes, code: str) -> None:
    """SR-14: the rest of a file and our credentials go to the configured server alone."""
    async with Liar.telling(answer("200 OK", info)) as liar, client(f"{liar.url}/upload") as mine:
        with pytest.raises(LetterlockError) as caught:
            await mine.upload(uploading(source, begun=True), quiet)
        assert caught.value.code == code


async def test_an_upload_to_a_server_that_takes_nothing(source: Path) -> None:
    """It reads the head and then no byte more."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"Content-Length: 0" in head or b"multipart" not in head:
            writer.write(answer("204 OK"))
            writer.close()
            return
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    big = source.with_name("big")
    with open(big, "wb") as file:
        file.truncate(50_000_000)
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = dataclasses.replace(SETTINGS, stall_s=0.3, attempts=1)
    try:
        async with client(f"http://127.0.0.1:{port}/upload", settings=settings) as mine:
            with pytest.raises(ContentError) as caught:
                await mine.upload(uploading(big), quiet)
        assert caught.value.code == "content.stalled"
    finally:
        for writer in held:
            writer.transport.abort()
        server.close()


# --- addresses that peers choose (SR-14) -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[fd00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[64:ff9b::a01:203]/x",
        "https://[2002:7f00:1::]/x",
        "https://224.0.0.1/x",
        "https://127.1/x",
        "http://files.example.test/x",
        "https://user:secret@files.example.test/x",
        "https://files.example.test:99999/x",
        "ftp://files.example.test/x",
        "https:///x",
        "",
    ],
)
async def test_sr14_addresses_that_are_not_fetched(tmp_path: Path, url: str) -> None:
    """SR-14, SR-19: nothing inside our machine or network, nothing in the clear, no passwords."""
    with pytest.raises(InputError) as caught:
        await fetch(
            "https://content.example.test/upload", DownloadState(url, str(tmp_path / "g"), str(tmp_path / "p"), 1)
        )
    assert caught.value.code == "transfer.address"


class Names(AbstractResolver):
    """A resolver of a stranger's domain."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_sr14_names_that_mean_private_addresses(tmp_path: Path, address: str) -> None:
    """SR-14: checked where the name becomes an address, so that it cannot become another one afterwards."""
    state = DownloadState("https://innocent.example.test/x", str(tmp_path / "g"), str(tmp_path / "p"), 1)
    with pytest.raises(InputError) as caught:
        await fetch("https://content.example.test/upload", state, resolver=Names(address))
    assert caught.value.code == "transfer.address"


def test_public_addresses() -> None:
    assert all(is_public(address) for address in ("8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"))
    assert not any(is_public(address) for address in ("", "x", "255.255.255.255", "::", "ff02::1", "198.18.0.1"))


@pytest.mark.parametrize(
    "url", ["http://content.example.test/u", "ftp://x/", "https://u:p@x/", "https://x/?a=1", "", "https://x:99999/"]
)
async def test_sr19_the_configured_server(url: str) -> None:
    """SR-19: in the clear on this machine only."""
    with pytest.raises(InputError):
        async with client(url):
            pass


async def test_sr19_a_certificate_nobody_vouches_for(tmp_path: Path, source: Path) -> None:
    """SR-19: refused at once, and not tried again."""
    made = write_lab_certificate(tmp_path)
    client_tls = ssl.create_default_context(cafile=str(made.authority))
    async with Server.running(tmp_path, SMALL, tls=made.server_context()) as lab:
        pauses = Pauses()
        async with client(lab.url, pauses=pauses) as mine:
            with pytest.raises(TransportError) as caught:
                await mine.upload(uploading(source), quiet)
            assert caught.value.code == "transport.tls" and pauses.seconds == []
        async with client(lab.url, tls=client_tls) as mine:
            found = await mine.upload(uploading(source), quiet)
            state = downloading(tmp_path, found.file)
            assert Path((await mine.download(state, quiet, forget)).path).read_bytes() == DATA

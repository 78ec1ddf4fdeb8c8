"""Downloads that are sent on to another server: where they may go, what goes with them, and what holds all the way."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from content.lab import SETTINGS, Liar, answer, client, content, downloading, fetch, quiet, uploading
from lab_certificate import write_lab_certificate
from letterlock.codec.ft_http import RemoteFile
from letterlock.errors import ContentError, InputError
from letterlock.net.guarded_resolver import ForbiddenAddress, GuardedResolver
from letterlock.transport.content.config import DownloadState

pytestmark = pytest.mark.anyio
DATA = content(5000)
DIGEST = f"sha-256={base64.b64encode(hashlib.sha256(DATA).digest()).decode()}"
ONCE = dataclasses.replace(SETTINGS, attempts=1)


def sent_to(address: str, status: str = "307 There", **headers: str) -> bytes:
    return answer(status, Location=address, **headers)


def state(folder: Path, url: str, **changes: object) -> DownloadState:
    return downloading(folder, RemoteFile(len(DATA), "image/png", url), **changes)


class Names(AbstractResolver):
    """A resolver in which each name means, one look after another, what a stranger wants; the last for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


def left(folder: Path) -> Iterator[bytes]:
    """What a refused download left on the disk."""
    return (path.read_bytes() for path in folder.iterdir() if path.name in ("got.bin", ".got.part"))


async def test_a_download_goes_where_its_server_sends_it(tmp_path: Path) -> None:
    async with Liar.telling(answer("200 OK", DATA, ETag='"s3"')) as bucket:
        there = f"{bucket.url}/files/a%2Fb?X-Amz-Credential=a%2Fb%2Fs3&X-Amz-Signature=00"
        async with Liar.telling(sent_to(there, Digest=DIGEST)) as home:
            found = await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"))
    assert found.checked and Path(found.path).read_bytes() == DATA
    target = bucket.requests[0].split(b"\r\n")[0]
    assert target == b"GET /files/a%2Fb?X-Amz-Credential=a%2Fb%2Fs3&X-Amz-Signature=00 HTTP/1.1", (
        "signed as it is written"
    )


async def test_sr19_nothing_of_ours_goes_along(tmp_path: Path) -> None:
    """SR-19: no credentials, no cookies, no digest; the range alone."""
    there = answer("206 Part", DATA[100:], Content_Range=f"bytes 100-4999/{len(DATA)}", ETag='"s3"')
    async with Liar.telling(there) as bucket:
        sends = sent_to(f"{bucket.url}/b", Digest=DIGEST, Set_Cookie="a=b")
        async with Liar.telling(sends) as home:
            (tmp_path / ".got.part").write_bytes(DATA[:100])
            found = await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x", tag='"s3"'))
    assert Path(found.path).read_bytes() == DATA
    lines = bucket.requests[0].lower().split(b"\r\n")[1:]
    names = {line.partition(b":")[0] for line in lines if line}
    assert names <= {b"host", b"accept", b"accept-encoding", b"user-agent", b"range", b"if-range", b"want-digest"}
    assert b"range: bytes=100-" in lines and b'if-range: "s3"' in lines


async def test_the_first_servers_digest_holds_all_the_way(tmp_path: Path) -> None:
    """SR-15: the bytes of another server are checked against what ours said."""
    wrong = DATA[:-1] + b"?"
    async with (
        Liar.telling(answer("200 OK", wrong, Digest="sha-256=AAAA")) as bucket,
        Liar.telling(sent_to(f"{bucket.url}/b", Digest=DIGEST)) as home,
    ):
        with pytest.raises(ContentError) as caught:
            await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"), settings=ONCE)
    assert caught.value.code == "content.digest" and list(left(tmp_path)) in ([], [b""])


async def test_another_version_behind_our_beginning_from_a_server_without_if_range(tmp_path: Path) -> None:
    """As SeaweedFS: 206 whatever If-Range says. The tag beside it tells; then all of it is fetched."""
    part = answer("206 Part", DATA[100:], Content_Range=f"bytes 100-4999/{len(DATA)}", ETag='"new"')
    async with (
        Liar.telling(part, answer("200 OK", DATA, ETag='"new"')) as bucket,
        Liar.telling(sent_to(f"{bucket.url}/b", Digest=DIGEST)) as home,
    ):
        (tmp_path / ".got.part").write_bytes(b"?" * 100)
        found = await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x", tag='"old"'))
    assert Path(found.path).read_bytes() == DATA and len(bucket.requests) == 2


async def test_an_address_that_expired_on_the_way_is_asked_for_again(tmp_path: Path) -> None:
    async with (
        Liar.telling(answer("403 Expired"), answer("200 OK", DATA)) as bucket,
        Liar.telling(sent_to(f"{bucket.url}/b", Digest=DIGEST)) as home,
    ):
        found = await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"))
        assert Path(found.path).read_bytes() == DATA and len(home.requests) == 2


@pytest.mark.parametrize(
    "address",
    [
        "https://10.1.2.3/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://[fe80::1]/x",
        "https://[fd00::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[64:ff9b::a01:203]/x",
        "https://[2002:a00:1::]/x",
        "https://224.0.0.1/x",
        "https://127.1/x",
        "https://localhost/x",
        "http://localhost/x",
        "http://files.example.test/x",
        "https://user:secret@files.example.test/x",
        "https://files.example.test:99999/x",
        "https://files.example.test/\u00e9",
        "https://files.example.test/ x",
        "https://files.example.test/" + "x" * 5000,
        "ftp://files.example.test/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "data:,x",
        "https:///x",
    ],
)
async def test_sr14_redirects_that_are_not_followed(tmp_path: Path, address: str) -> None:
    """SR-14, SR-19: one error, and nothing is written; of a server on this machine, too."""
    said = sent_to(address.encode().decode("latin-1"), Digest=DIGEST)
    async with Liar.telling(said) as home:
        with pytest.raises(ContentError) as caught:
            await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"), resolver=Names("127.0.0.1"))
        assert caught.value.code == "content.redirect" and len(home.requests) == 1
    assert list(left(tmp_path)) in ([], [b""])


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_sr14_redirects_to_names_that_mean_private_addresses(tmp_path: Path, address: str) -> None:
    """SR-14: looked at where the name becomes an address."""
    async with Liar.telling(sent_to("https://innocent.example.test/x")) as home:
        with pytest.raises(ContentError) as caught:
            await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"), resolver=Names(address))
        assert caught.value.code == "content.redirect"
    assert list(left(tmp_path)) in ([], [b""])


async def test_sr14_a_name_that_was_public_a_moment_ago() -> None:
    """SR-14: each connection takes the address that was checked for it, and no earlier answer counts for it."""
    guarded = GuardedResolver(Names("8.8.8.8", "127.0.0.1"), ())
    assert [found["host"] for found in await guarded.resolve("rebinding.example.test", 443)] == ["8.8.8.8"]
    with pytest.raises(ForbiddenAddress):
        await guarded.resolve("rebinding.example.test", 443)


async def test_sr19_never_from_https_to_http(tmp_path: Path) -> None:
    """SR-19: also where both are on this machine, which may speak in the clear otherwise."""
    made = write_lab_certificate(tmp_path)
    trusts = ssl.create_default_context(cafile=str(made.authority))
    async with (
        Liar.telling(answer("200 OK", DATA)) as bucket,
        Liar.telling(sent_to(f"{bucket.url}/b", Digest=DIGEST), tls=made.server_context()) as home,
    ):
        with pytest.raises(ContentError) as caught:
            await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"), tls=trusts)
        assert caught.value.code == "content.redirect" and not bucket.requests
    async with (
        Liar.telling(answer("200 OK", DATA), tls=made.server_context()) as bucket,
        Liar.telling(sent_to(f"{bucket.url}/b", Digest=DIGEST), tls=made.server_context()) as home,
    ):
        found = await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"), tls=trusts)
        assert Path(found.path).read_bytes() == DATA


async def test_sr14_a_stranger_does_not_send_us_into_this_machine(tmp_path: Path) -> None:
    """SR-14: only the configured server may, when it is here itself; not one that it sent us to."""
    async with (
        Liar.telling(answer("200 OK", DATA)) as inside,
        Liar.telling(sent_to(f"{inside.url}/x")) as bucket,
    ):
        async with Liar.telling(sent_to(f"{bucket.url}/b")) as home:
            with pytest.raises(ContentError) as caught:
                await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"))
            assert caught.value.code == "content.redirect" and not inside.requests
        with pytest.raises(InputError):
            await fetch("https://content.example.test/upload", state(tmp_path, f"{inside.url}/x"))


async def test_sr14_no_password_in_an_address_of_our_own_server_either(tmp_path: Path) -> None:
    """SR-14: it would become credentials of our request."""
    async with Liar.telling(answer("200 OK", DATA)) as bucket:
        there = bucket.url.replace("//", "//user:secret@")
        async with Liar.telling(sent_to(f"{there}/x")) as home:
            with pytest.raises(ContentError) as caught:
                await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"))
            assert caught.value.code == "content.redirect" and not bucket.requests


async def test_redirects_are_counted(tmp_path: Path) -> None:
    async with Liar.telling(sent_to("SELF/again")) as home:
        with pytest.raises(ContentError) as caught:
            await fetch(f"{home.url}/upload", state(tmp_path, f"{home.url}/files/x"))
        assert caught.value.code == "content.redirect" and len(home.requests) == SETTINGS.redirects + 1


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
async def test_sr14_uploads_are_not_sent_on(tmp_path: Path, status: str) -> None:
    """SR-14: neither our questions nor a file go to another server than the one that was configured."""
    (tmp_path / "a").write_bytes(DATA)
    async with (
        Liar.telling(answer("204 OK")) as other,
        Liar.telling(sent_to(f"{other.url}/upload", status)) as home,
    ):
        for begun in (False, True):
            async with client(f"{home.url}/upload", settings=ONCE) as mine:
                with pytest.raises(ContentError):
                    await mine.upload(uploading(tmp_path / "a", begun=begun), quiet)
        assert not other.requests

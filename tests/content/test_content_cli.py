"""`letterlock content`, `upload` and `download` as their users type them."""

from __future__ import annotations

import hashlib
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.terminals import Running, Town, User, clean_environment
from content.lab import content
from letterlock.services.content.s3.settings import BucketSettings
from letterlock.services.credentials import derived_passwords

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user whose profile has an account at a content server that runs."""
    folder = tmp_path_factory.mktemp("content")
    secret = str(folder / "secret")
    town = Town(folder)
    town.open()
    with Running(
        ("-o", "json", "content", "--port", "0", "--secret-file", secret), clean_environment(folder)
    ) as server:
        url = server.record('"content"')["content"]
        password = derived_passwords((folder / "secret").read_bytes().strip(), "content")("+15550100")
        town_user = town.stranger
        town.stranger = lambda name, number, **more: town_user(  # type: ignore[method-assign]
            name, number, LETTERLOCK_CONTENT=url, LETTERLOCK_CONTENT_PASSWORD=password or "", **more
        )
        try:
            yield town.user("ana", "+15550100")
        finally:
            town.close()


def test_a_file_up_and_down(ana: User, tmp_path: Path) -> None:
    data = content(200_000)
    (tmp_path / "a.bin").write_bytes(data)
    sent = ana.run("-o", "json", "upload", str(tmp_path / "a.bin"), "--type", "image/png").ok().records[-1]
    assert sent["size"] == 200_000 and sent["name"] == "a.bin"
    there = tmp_path / "there"
    there.mkdir()
    sha256 = hashlib.sha256(data).hexdigest()
    options = ["--to", str(there), "--size", "200000", "--name", "../x.png", "--sha256", sha256]
    got = ana.run("-o", "json", "download", sent["url"], *options).ok().records[-1]
    assert got["path"] == str(there / "x.png") and got["checked"] and got["sha256"] == sha256
    assert (there / "x.png").read_bytes() == data
    text = ana.run("upload", str(tmp_path / "a.bin")).ok().out.splitlines()
    assert text[0].startswith("http://") and text[1].startswith("200000 bytes, until 20")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("upload", "/no/such/file"), 1, "transfer.file"),
        (("upload",), 1, "input.transfer"),
        (("upload", "x", "--resume"), 1, "input.transfer"),
        (("download", "https://10.0.0.1/x"), 1, "transfer.address"),
        (("download", "nonsense"), 1, "transfer.address"),
        (("download", "https://h.test/x", "--sha256", "12"), 1, "input.sha256"),
        (("download", "https://h.test/x", "--name", "n"), 1, "input.transfer"),
        (("content", "--lifetime-days", "0"), 1, "input.usage"),
        (("content", "--host", "192.0.2.1"), 1, "content.tls"),
        (("content", "--certificate", "x"), 1, "input.tls"),
        (("content", "--blobs", "gs://files"), 1, "input.blobs"),
        (("content", "--blobs", "s3://files"), 1, "input.s3_key"),
        (("content", "--blobs", "s3://files", "--s3-key-file", "/no/such"), 1, "input.s3_key"),
        (("content", "--presign", "60"), 1, "input.presign"),
        (("content", "--presign", "0"), 1, "input.usage"),
    ],
)
def test_what_goes_wrong_is_said(ana: User, tmp_path: Path, arguments: tuple[str, ...], code: int, error: str) -> None:
    done = ana.run("-o", "json", *arguments, seconds=60)
    assert (done.code, done.error["error"]) == (code, error)


def test_resume_without_anything_to_resume(ana: User) -> None:
    for verb in ("upload", "download"):
        assert "nothing to resume" in ana.run(verb, "--resume").ok().err


def test_ctrl_c_pauses_and_resume_goes_on(ana: User, tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as file:
        file.truncate(1_500_000_000)
    with ana.start("-o", "json", "upload", str(tmp_path / "big")) as upload:
        upload.note(r"\"done\":[1-4]\d{8},")
        assert upload.stop(signal.SIGINT) == 130
    assert any("upload --resume" in line for line in upload.seen)
    assert ana.run("-o", "json", "upload", "--resume", seconds=120).ok().records[-1]["size"] == 1_500_000_000


def test_an_operators_secret_is_nobody_elses(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 64)
    secret.chmod(0o644)
    user = User("op", "", clean_environment(tmp_path))
    done = user.run("-o", "json", "content", "--port", "0", "--secret-file", str(secret))
    assert done.error["error"] == "input.secret"
    secret.chmod(0o600)
    secret.write_bytes(b"short")
    done = user.run("-o", "json", "content", "--port", "0", "--secret-file", str(secret))
    assert done.error["error"] == "input.secret"


def test_a_server_on_a_bucket(tmp_path: Path, bucket: BucketSettings) -> None:
    """It comes up, and says in one line what is wrong when it cannot."""
    key = tmp_path / "key"
    key.write_text(f"aws_access_key_id = {bucket.key.id}\naws_secret_access_key = {'x' * 8}\n")
    key.chmod(0o600)
    user = User("op", "", clean_environment(tmp_path))
    options = ["--port", "0", "--s3-endpoint", bucket.origin, "--s3-key-file", str(key)]
    refused = user.run("-o", "json", "content", "--blobs", f"s3://{bucket.bucket}/{bucket.prefix}", *options)
    assert (refused.code, refused.error["error"]) == (3, "content.bucket_key")
    refused = user.run(
        "-o", "json", "content", "--blobs", "s3://files", *options, "--s3-endpoint", "http://127.0.0.1:9"
    )
    assert refused.error["error"] == "content.bucket_unreachable"
    key.write_text(f"aws_access_key_id = {bucket.key.id}\naws_secret_access_key = {bucket.key.secret}\n")
    refused = user.run("-o", "json", "content", "--blobs", "s3://no-such-bucket", *options)
    assert refused.error["error"] == "content.bucket"
    arguments = (
        "-o",
        "json",
        "content",
        "--blobs",
        f"s3://{bucket.bucket}/{bucket.prefix}",
        *options,
        "--presign",
        "60",
    )
    with Running(arguments, clean_environment(tmp_path)) as server:
        assert server.record('"content"')["content"].startswith("http://127.0.0.1:")
        assert bucket.key.secret not in Path(f"/proc/{server.process.pid}/cmdline").read_text()


class Halting(BaseHTTPRequestHandler):
    """Gives whoever comes first one half of the file, and no more until it is let go; others get what they ask for."""

    data = content(400_000)
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.halfway: threading.Event = self.server.halfway  # type: ignore[attr-defined]
        self.let_go: threading.Event = self.server.let_go  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        body = self.data[start : int(found[2]) + 1 if found and found[2] else None]
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(self.data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not self.halfway.is_set():
            self.wfile.write(body[: len(body) // 2])
            self.halfway.set()
            self.let_go.wait(30)
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_sr06_the_owner_of_the_profile_is_killed_and_the_download_goes_on(tmp_path: Path) -> None:
    """The command runs its transfer in `listen`; when that is gone, it opens the profile itself and ends with all of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Halting)
    halfway, let_go = threading.Event(), threading.Event()
    server.halfway, server.let_go = halfway, let_go  # type: ignore[attr-defined]
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    town = Town(tmp_path)
    try:
        town.open()
        url = f"http://127.0.0.1:{server.server_port}"
        content_account = {"LETTERLOCK_CONTENT": url, "LETTERLOCK_CONTENT_PASSWORD": "secret"}
        key = str(tmp_path / "key")
        ben = town.stranger("ben", "+15550199", **content_account)
        with ben.start("-o", "json", "setup", ben.number, "--new-key-file", key) as setup:
            setup.type(town.code(ben.number))
            assert setup.wait() == 0
        ben.environment["LETTERLOCK_KEY_FILE"] = key
        with (
            ben.listen() as listen,
            ben.start("-o", "json", "download", f"{url}/x", "--to", str(tmp_path / "got")) as got,
        ):
            assert halfway.wait(20)
            assert not (tmp_path / "got").exists()
            listen.process.kill()
            listen.process.wait()
            let_go.set()
            assert got.record('"path"')["path"] == str(tmp_path / "got")
            assert got.wait() == 0, got.text
        assert (tmp_path / "got").read_bytes() == Halting.data
    finally:
        let_go.set()
        if hasattr(town, "directory"):
            town.close()
        server.shutdown()
        serving.join()
        server.server_close()

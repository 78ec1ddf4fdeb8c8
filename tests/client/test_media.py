"""Thumbnails, waveforms and what a file is: from honest files, from hostile ones, and from what is neither."""

from __future__ import annotations

import ctypes
import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from client.media_files import film, opus, picture, png_header, quadrants, voice
from letterlock.client.media import Kind, MediaInfo, describe, worker
from letterlock.client.media.sandbox import answer_of
from letterlock.client.media.sniff import disagreement, sniff
from letterlock.errors import InputError
from letterlock.files.pointer import MAX_THUMBNAIL, MAX_WAVEFORM


def described(folder: Path, name: str, data: bytes, content_type: str = "") -> MediaInfo:
    path = folder / name
    path.write_bytes(data)
    return describe(path, content_type)


def thumbnail(info: MediaInfo) -> Image.Image:
    assert info.thumbnail is not None, info.problem
    assert len(info.thumbnail.jpeg) <= MAX_THUMBNAIL
    found = Image.open(io.BytesIO(info.thumbnail.jpeg), formats=("JPEG",))
    assert found.size == (info.thumbnail.width, info.thumbnail.height)
    assert max(found.size) <= 320
    return found


def colours(image: Image.Image) -> list[str]:
    """Of the four quadrants, by the strongest of their channels."""
    width, height = image.size
    places = [(width // 4, height // 4), (3 * width // 4, height // 4), (width // 4, 3 * height // 4)]
    names = []
    for place in places:
        red, green, blue = image.convert("RGB").getpixel(place)  # type: ignore[misc]
        names.append("red" if red > green + blue else "green" if green > red + blue else "blue")
    return names


# --- pictures --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", worker.PICTURES)
def test_a_picture_of_every_kind(kind: str, tmp_path: Path) -> None:
    info = described(tmp_path, f"a.{kind.lower()}", picture(kind, quadrants(800, 600)))
    assert (info.kind, info.content_type) == (Kind.PICTURE, f"image/{kind.lower()}")
    assert (info.width, info.height) == (800, 600)
    assert thumbnail(info).size == (320, 240)
    assert colours(thumbnail(info)) == ["red", "green", "blue"]
    assert (info.problem, info.disagreement, info.duration_ms, info.waveform) == (None, None, None, b"")


def test_the_worker_keeps_to_what_a_pointer_takes() -> None:
    """It cannot import ours; its numbers are the same."""
    assert worker.MAX_JPEG == MAX_THUMBNAIL
    assert worker.LEVELS <= MAX_WAVEFORM


TURNED = {
    1: ["red", "green", "blue"],
    2: ["green", "red", "white"],
    3: ["white", "blue", "green"],
    4: ["blue", "white", "red"],
    5: ["red", "blue", "green"],
    6: ["blue", "red", "white"],
    7: ["white", "green", "blue"],
    8: ["green", "white", "red"],
}
"""What is seen of the quadrants at the top left, top right and bottom left when EXIF says how the camera was held."""


@pytest.mark.parametrize(("kind", "orientation"), [*(("JPEG", turned) for turned in TURNED), ("PNG", 6)])
def test_a_picture_is_turned_as_it_is_shown(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    info = described(tmp_path, "a", picture(kind, quadrants(800, 600), exif=exif))
    shown = thumbnail(info)
    expected = (600, 800) if orientation >= 5 else (800, 600)
    assert (info.width, info.height) == expected
    assert shown.size == (expected[0] * 320 // 800, expected[1] * 320 // 800)
    found = colours(shown)
    for place, colour in enumerate(TURNED[orientation]):
        if colour != "white":
            assert found[place] == colour


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_metadata_is_carried_over(kind: str, tmp_path: Path) -> None:
    """Where it was taken, with what and by whom is nobody's business."""
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    exif.get_ifd(0x8825)[1] = "SECRET place"
    more: dict[str, Any] = {"comment": b"SECRET comment"} if kind == "JPEG" else {}
    data = picture(kind, quadrants(800, 600), exif=exif, icc_profile=b"SECRET profile", **more)
    assert b"SECRET" in data
    info = described(tmp_path, "a", data)
    found = thumbnail(info)
    assert info.thumbnail is not None and b"SECRET" not in info.thumbnail.jpeg
    assert set(found.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not dict(found.getexif())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_colours_of_every_kind(mode: str, tmp_path: Path) -> None:
    image = quadrants(400, 400)
    converted = Image.new("I;16", (400, 400)) if mode == "I;16" else image.convert(mode)
    info = described(tmp_path, "a", picture("JPEG" if mode == "CMYK" else "PNG", converted))
    assert thumbnail(info).mode == "RGB"


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    info = described(tmp_path, "a.png", picture("PNG", Image.new("RGBA", (500, 500), (0, 0, 0, 0))))
    assert thumbnail(info).getpixel((100, 100)) == (255, 255, 255)


def test_of_a_moving_picture_the_first(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("blue", "red", "red")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = picture(kind, frames[0], save_all=True, append_images=frames[1:], duration=100)
        red, _, blue = thumbnail(described(tmp_path, "a", data)).getpixel((32, 32))  # type: ignore[misc]
        assert blue > red


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (320, 320), (321, 10)])
def test_pictures_of_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    info = described(tmp_path, "a.png", picture("PNG", Image.new("RGB", size, "red")))
    assert (info.width, info.height) == size
    assert max(thumbnail(info).size) == min(320, max(size))


def test_a_picture_of_noise_gets_small_enough(tmp_path: Path) -> None:
    noise = Image.frombytes("RGB", (600, 600), os.urandom(600 * 600 * 3))
    thumbnail(described(tmp_path, "a.png", picture("PNG", noise)))


def test_a_picture_of_a_large_camera(tmp_path: Path) -> None:
    """200 million pixels, which are never in memory at once."""
    big = described(tmp_path, "a.jpg", picture("JPEG", Image.new("L", (16_320, 12_240), "gray")))
    assert (big.width, big.height) == (16_320, 12_240)
    assert thumbnail(big).size == (320, 240)


# --- hostile pictures --------------------------------------------------------------------------------------------------
def refused(info: MediaInfo) -> str:
    assert info.thumbnail is None and info.waveform == b""
    assert isinstance(info.problem, InputError)
    return info.problem.code


def test_sr08_a_picture_of_fifty_thousand_by_fifty_thousand(tmp_path: Path) -> None:
    """SR-08: it is small as a file, and would be ten gigabytes in memory."""
    gif = picture("GIF", Image.new("P", (8, 8)))
    row = zlib.compressobj(1)
    line = bytes(50_000 * 4 + 1)
    pixels = b"".join(row.compress(line) for _ in range(500)) + row.flush()
    for data in (
        png_header(50_000, 50_000, pixels),
        gif[:6] + b"\x50\xc3\x50\xc3" + gif[10:],
    ):
        info = described(tmp_path, "bomb", data)
        assert refused(info) == "media.too_large"
        assert (info.width, info.height) == (50_000, 50_000)


def test_sr08_a_jpeg_of_fifty_thousand_by_fifty_thousand(tmp_path: Path) -> None:
    """SR-08: at an eighth of its size it could be held, and is refused all the same."""
    data = bytearray(picture("JPEG", Image.new("L", (64, 64))))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xc3\x50\xc3\x50"
    assert refused(described(tmp_path, "a.jpg", bytes(data))) == "media.too_large"


@pytest.mark.parametrize(
    ("width", "height"), [(16_384, 16_384), (8_193, 8_192), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)]
)
def test_sr08_more_pixels_than_are_held(width: int, height: int, tmp_path: Path) -> None:
    """SR-08."""
    assert refused(described(tmp_path, "a.png", png_header(width, height))) == "media.too_large"


def test_sr08_memory_that_only_decoding_takes(tmp_path: Path) -> None:
    """SR-08: a text of 128 megabytes, compressed, in a picture of one pixel."""
    packed = zlib.compress(bytes(1 << 27), 9)
    data = b"Comment\0\0" + packed
    honest = picture("PNG", Image.new("RGB", (1, 1)))
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    assert refused(described(tmp_path, "a.png", honest[:33] + chunk + honest[33:])) == "media.unreadable"


@pytest.mark.parametrize("kind", worker.PICTURES)
def test_pictures_that_were_cut(kind: str, tmp_path: Path) -> None:
    whole = picture(kind, quadrants(300, 200))
    for length in (12, len(whole) // 2):
        info = described(tmp_path, "a", whole[:length], f"image/{kind.lower()}")
        assert refused(info) == "media.unreadable"
        assert (info.width, info.height) in ((300, 200), (None, None))


def test_what_only_says_that_it_is_a_picture(tmp_path: Path) -> None:
    for data in (b"", b"\xff", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(5000)):
        info = described(tmp_path, "a.jpg", data)
        assert refused(info) == "media.unreadable"
        assert info.disagreement == "it says image/jpeg and does not begin as one"


def test_formats_that_nobody_asked_for_are_not_decoded(tmp_path: Path) -> None:
    """Pillow reads forty of them; a PostScript file would start a program."""
    for kind in ("TIFF", "EPS"):
        info = described(tmp_path, "a.jpg", picture(kind, quadrants(10, 10)))
        assert refused(info) == "media.unreadable"


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_picture_with_wrong_bytes_ends_in_one_way_or_the_other(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(worker.PICTURES))
    honest = bytearray(picture(kind, quadrants(40, 30)))
    for _ in range(data.draw(st.integers(1, 8))):
        honest[data.draw(st.integers(0, len(honest) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        info = described(Path(folder), "a", bytes(honest), f"image/{kind.lower()}")
    if info.thumbnail is None:
        assert info.problem is not None and info.problem.code in ("media.unreadable", "media.too_large")
    else:
        thumbnail(info)


# --- sounds ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1), (48_000, 1)])
def test_the_shape_of_a_voice(rate: int, channels: int, tmp_path: Path) -> None:
    info = described(tmp_path, "a.wav", voice(2.5, rate, channels))
    assert (info.kind, info.content_type) == (Kind.SOUND, "audio/wav")
    assert info.duration_ms == pytest.approx(2500, abs=20)
    assert len(info.waveform) == 64
    assert max(info.waveform[:31]) == 0
    assert all(118 <= level <= 136 for level in info.waveform[33:63])
    assert (info.width, info.thumbnail, info.problem, info.disagreement) == (None, None, None, None)


def test_a_very_short_voice(tmp_path: Path) -> None:
    assert len(described(tmp_path, "a.wav", voice(0.05)).waveform) == 64


def test_an_hour_is_the_end(tmp_path: Path) -> None:
    quiet = bytearray(voice(0.01, 8_000))
    longer = bytes(2 * 8_000 * 3_601)
    whole = len(longer).to_bytes(4, "little")
    data = bytes(quiet[:40]) + whole + longer
    assert refused(described(tmp_path, "a.wav", data)) == "media.too_long"


@pytest.mark.parametrize(
    "data", [voice(1)[:50], b"fLaC" + bytes(500), b"OggS" + bytes(500), b"ID3" + bytes(500), b"RIFF\0\0\0\0WAVE"]
)
def test_sounds_that_are_none(data: bytes, tmp_path: Path) -> None:
    assert refused(described(tmp_path, "a.mp3", data)) == "media.unreadable"


def test_a_sound_that_nothing_here_decodes_is_sent_all_the_same(tmp_path: Path) -> None:
    info = described(tmp_path, "a.amr", b"#!AMR\n" + bytes(100))
    assert (info.kind, info.content_type, info.problem, info.waveform) == (Kind.SOUND, "audio/amr", None, b"")


def test_the_length_of_an_opus_sound(tmp_path: Path) -> None:
    """As telephones record voices; there is no decoder for it here."""
    info = described(tmp_path, "a.opus", opus(61_250))
    assert (info.content_type, info.duration_ms, info.waveform, info.problem) == ("audio/ogg", 61_250, b"", None)
    for cut in (36, 47, 60, 5_000):
        assert described(tmp_path, "a.opus", opus(61_250)[:cut]).duration_ms is None


# --- films ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_size_and_length_of_a_film(late: bool, version: int, turned: bool, tmp_path: Path) -> None:
    info = described(tmp_path, "a.mp4", film(1920, 1080, 61_250, turned=turned, version=version, late=late))
    assert (info.kind, info.content_type) == (Kind.VIDEO, "video/mp4")
    assert (info.width, info.height) == ((1080, 1920) if turned else (1920, 1080))
    assert info.duration_ms == 61_250
    assert info.problem is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_film_with_wrong_bytes(data: st.DataObject) -> None:
    honest = bytearray(film(640, 480, 5000))
    for _ in range(data.draw(st.integers(1, 6))):
        honest[data.draw(st.integers(8, len(honest) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        info = described(Path(folder), "a.mp4", bytes(honest[: data.draw(st.integers(0, len(honest)))]))
    for value in (info.width, info.height, info.duration_ms):
        assert value is None or value > 0


def test_sr08_boxes_without_end(tmp_path: Path) -> None:
    """SR-08: a hundred thousand empty boxes, a box in itself, and one as long as there is."""
    head = film(1, 1, 1)[:24]
    for tail in (
        (b"\0\0\0\x08free") * 100_000,
        b"\0\0\0\x01moov" + b"\xff" * 8,
        b"\0\0\0\0moov" * 3,
        b"\0\0\0\x01moov",
    ):
        info = described(tmp_path, "a.mp4", head + tail)
        assert info.width is None and info.duration_ms is None


def test_sr08_boxes_in_boxes_are_bounded_together(tmp_path: Path) -> None:
    """SR-08: a few tracks of many boxes each; what comes behind as many as are looked at counts no more."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    honest = film(640, 480, 5000)
    at = honest.index(b"moov") - 4
    length = int.from_bytes(honest[at : at + 4], "big")
    for tracks, seen in ((3, 640), (5, None)):
        many = box(b"trak", box(b"free", b"") * 1_000) * tracks
        data = honest[:at] + box(b"moov", many + honest[at + 8 : at + length])
        assert described(tmp_path, "a.mp4", data).width == seen


# --- what a file is ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "data", "found", "says"),
    [
        ("a.jpg", b"MZ\x90\0", "application/x-executable", "it says image/jpeg and is application/x-executable"),
        ("a.pdf", b"\x7fELF", "application/x-executable", "it says application/pdf and is application/x-executable"),
        ("a.txt", b"%PDF-1.7", "application/pdf", "it says text/plain and is application/pdf"),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", "image/png", "it says image/jpeg and is image/png"),
        ("a.pdf", b"hello", "application/pdf", "it says application/pdf and does not begin as one"),
        ("a.docx", b"PK\x03\x04", "application/zip", None),
        ("a.m4a", b"\0\0\0\x20ftypM4A ", "audio/mp4", None),
        ("a.mov", b"\0\0\0\x20ftypqt  ", "video/quicktime", None),
        ("a.heic", b"\0\0\0\x20ftypheic", "image/heic", None),
        ("a.opus", b"OggS", "audio/ogg", None),
        ("a.txt", b"hello", "text/plain", None),
        ("a", b"hello", "application/octet-stream", None),
        ("a", b"\x1aE\xdf\xa3", "video/webm", None),
        ("a.sh", b"#!/bin/sh\n", "application/x-executable", None),
    ],
)
def test_sr14_what_a_name_and_the_bytes_say(
    name: str, data: bytes, found: str, says: str | None, tmp_path: Path
) -> None:
    """SR-14: a program that is called a picture is shown as what it is."""
    info = described(tmp_path, name, data)
    assert (info.content_type, info.disagreement) == (found, says)


def test_what_was_said_counts_more_than_a_name(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\xff\xd8\xff")
    assert describe(tmp_path / "blob", "image/jpeg; charset=x").disagreement is None
    assert describe(tmp_path / "blob", name="a.png").disagreement == "it says image/png and is image/jpeg"


@given(st.binary(max_size=64), st.text(max_size=40))
def test_any_bytes_are_something(head: bytes, said: str) -> None:
    disagreement(said, sniff(head))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "pipe", "."):
        with pytest.raises(InputError) as unread:
            describe(tmp_path / name)
        assert unread.value.code == "transfer.file"


# --- the worker --------------------------------------------------------------------------------------------------------
def test_the_worker_gives_up_what_it_does_not_need(tmp_path: Path) -> None:
    """It runs without our modules and environment, and its limits are those of a picture."""
    script = (
        "import sys, runpy, resource\n"
        f"give_up = runpy.run_path({worker.__file__!r})['_give_up']\n"
        "give_up()\n"
        "assert not any(name.startswith('letterlock') for name in sys.modules)\n"
        "for what in ('AS', 'CPU', 'FSIZE', 'NPROC', 'CORE', 'NOFILE'):\n"
        "    print(what, *resource.getrlimit(getattr(resource, 'RLIMIT_' + what)))\n"
        "try:\n"
        "    bytes(1 << 30)\n"
        "except MemoryError:\n"
        "    print('bounded')\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"AS {768 << 20} {768 << 20}",
        "CPU 10 10",
        "FSIZE 0 0",
        "NPROC 0 0",
        "CORE 0 0",
        "NOFILE 0 0",
        "bounded",
    ]


_WITHOUT_RIGHTS = """
import io, os, runpy, sys
from PIL import Image
work = runpy.run_path(sys.argv[1])
data = sys.stdin.buffer.read()
image = Image.open(io.BytesIO(data))
image.thumbnail((9, 9))  # what is imported on the way is readable now
image.convert("RGB").save(io.BytesIO(), "JPEG", optimize=True)
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
sys.stdin.close()
sys.stdin = io.TextIOWrapper(io.BytesIO(data))
told, small = work["_picture"]()
print(told, len(small))
"""


@pytest.mark.parametrize("kind", worker.PICTURES)
def test_no_decoder_needs_what_was_given_up(kind: str) -> None:
    """A limit of processes holds for whoever is not root, and there a decoder with threads fails."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_RIGHTS, worker.__file__],
        input=picture(kind, quadrants(2000, 1500)),
        capture_output=True,
        check=True,
    )
    assert b"'thumbnail_width': 320" in done.stdout, done.stdout


_TAKEN_OVER = """
import os, resource, runpy, signal, socket, sys
worker, folder, other, who, how = sys.argv[1:]
give_up = runpy.run_path(worker)["_give_up"]
if who == "nobody" and os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
if how == "given up":
    give_up()
name = os.path.join(folder, "file")
acts = {
    "read": lambda: open(name, "rb"),
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "pipe": os.pipe,
    "memory of another": lambda: open(f"/proc/{other}/mem", "rb"),
    "limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "truncate": lambda: os.truncate(name, 0),
    "rename": lambda: os.rename(name, name + "2"),
    "link": lambda: os.symlink("x", name),
    "delete": lambda: os.unlink(name),
    "folder": lambda: os.mkdir(name),
    "signal": lambda: os.kill(int(other), signal.SIGUSR1),
}
for what, act in acts.items():
    try:
        act()
        print(what)
    except (OSError, ValueError):
        pass
"""


@pytest.mark.skipif(
    sys.platform != "linux" or ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) < 6,
    reason="Landlock of this kernel refuses less",
)
@pytest.mark.parametrize("how", ["given up", "as before"])
@pytest.mark.parametrize("who", ["root", "nobody"])
def test_sr14_a_decoder_that_was_taken_over_can_do_nothing(who: str, how: str) -> None:
    """SR-14: no file, no socket, no other process, and no way to get it back; as root neither."""
    rights: dict[str, Any] = {}
    if who == "nobody" and os.geteuid() == 0:
        rights = {"user": 65534, "group": 65534, "extra_groups": []}
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(["/bin/sleep", "60"], **rights) as other:
        try:
            os.chmod(folder, 0o777)
            file = Path(folder) / "file"
            file.write_bytes(b"mine")
            file.chmod(0o666)
            arguments = (worker.__file__, folder, str(other.pid), who, how)
            done = subprocess.run(
                [sys.executable, "-I", "-c", _TAKEN_OVER, *arguments], capture_output=True, text=True, check=True
            )
            if how == "given up":
                assert (done.stdout, file.read_bytes()) == ("", b"mine")
            else:
                names = {"read", "socket", "pipe", "limit", "truncate", "rename", "link", "delete", "folder", "signal"}
                assert set(done.stdout.splitlines()) - {"memory of another"} == names
        finally:
            other.kill()


def test_who_holds_the_pipe_does_not_keep_us() -> None:
    """SR-08: the worker has ended and what it started has not; it is gone as well then."""
    script = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint('said', flush=True)"
    lives, held = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, pass_fds=[held], process_group=0
    )
    os.close(held)
    try:
        before = time.monotonic()
        assert answer_of(process, 1.0, lambda: False) == b"said\n"
        assert os.read(lives, 1) == b"", "nobody has the other end any more"
        assert time.monotonic() - before < 30
    finally:
        os.close(lives)


def test_a_worker_whose_answer_nobody_wants_any_more_is_ended() -> None:
    """Whoever stops an upload does not wait for a picture that takes its time."""
    script = "import sys, time\nsys.stdout.write('said'); sys.stdout.flush(); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, process_group=0)
    asked = iter((False, False, False))
    assert answer_of(process, 600.0, lambda: next(asked, True)) in (b"said", b"")
    assert process.returncode == -9


def test_who_says_too_much_is_not_heard_out() -> None:
    """SR-08."""
    script = "import sys\nwhile True: sys.stdout.write('x' * 100_000)"
    process = subprocess.Popen([sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, process_group=0)
    assert len(answer_of(process, 20.0, lambda: False)) == 40_000
    assert process.returncode == -9

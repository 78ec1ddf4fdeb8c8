"""Pictures, films and sounds as people send them, made by ffmpeg from its own test patterns."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 8

_FILM = ("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=15:duration={SECONDS}")
_TONE = ("-f", "lavfi", "-i", f"sine=frequency=330:duration={SECONDS}")
_H264 = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    *("-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr"),
)

_MADE = {
    # About 2 MB: a player that seeks has to ask for a range, it cannot have read everything by then.
    "front.mp4": (*_FILM, *_TONE, *_H264, "-movflags", "+faststart"),
    "end.mp4": (*_FILM, *_TONE, *_H264),
    "vp9.webm": (*_FILM, *_TONE, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "av1.mp4": (*_FILM, *_TONE, "-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    "hevc.mp4": (*_FILM, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-tag:v", "hvc1"),
    "picture.png": ("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=1:duration=1", "-frames:v", "1"),
    "tone.mp3": ("-f", "lavfi", "-i", "sine=frequency=330:duration=3", "-c:a", "libmp3lame"),
}


@dataclass(frozen=True)
class Samples:
    """`folder` holds them; `broken.mp4` begins like a film and goes on as noise."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def missing() -> str:
    """Why they cannot be made here, empty when they can."""
    return "" if shutil.which("ffmpeg") else "ffmpeg is not installed (apt-get install ffmpeg)"


def make(folder: Path) -> Samples:
    """All of them, in one folder. Raises CalledProcessError with what ffmpeg said."""
    for name, arguments in _MADE.items():
        command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments, str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    film = bytearray((folder / "front.mp4").read_bytes())
    at = film.index(b"mdat") + 4
    film[at:] = bytes(b ^ 0x5A for b in film[at:])
    (folder / "broken.mp4").write_bytes(film)
    return Samples(folder)

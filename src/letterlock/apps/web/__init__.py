"""The web page: static files that the daemon serves as they are. No build step, nothing from elsewhere.

The page is plain ES modules and custom elements; it speaks to the daemon alone (JSON-RPC and server-sent events).
Rules of the files: what a peer wrote is only ever text (SR-14), so no `innerHTML` and nothing evaluated; no inline
script or style, so that the Content Security Policy needs no exception (SR-16).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONTENT_TYPES", "INDEX", "STATIC", "files"]

STATIC = Path(__file__).parent / "static"
"""The folder. Served below `/static/`; `index.html` is `/`."""

INDEX = STATIC / "index.html"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""What is served, and as what; a file with another ending is no part of the page (LICENSE of a vendored module)."""


def files() -> dict[str, Path]:
    """Every file of the page by its path below `/static/`: a server looks names up here and joins no paths."""
    return {
        path.relative_to(STATIC).as_posix(): path
        for path in sorted(STATIC.rglob("*"))
        if path.is_file() and path.suffix in CONTENT_TYPES
    }

"""What every answer says to a browser (SR-16): nothing runs but our own modules, nothing is fetched from elsewhere,
nobody else may frame, read or keep it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FILE_POLICY", "SERVER", "page_policy", "security_headers"]

SERVER = "letterlock"
"""Not of which version of what."""

FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Of what somebody sent: opened as a page, it is one that can do nothing (SR-14)."""


def page_policy(frames: tuple[str, ...]) -> str:
    """The Content Security Policy of the page. `frames` are the origins that may show it in a frame."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {' '.join(frames) or chr(39) + 'none' + chr(39)}",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def security_headers(frames: tuple[str, ...]) -> Mapping[str, str]:
    """For every answer; one that says something itself keeps its word."""
    headers = {
        "Content-Security-Policy": page_policy(frames),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": _PERMISSIONS,
        "Cache-Control": "no-store",
    }
    if not frames:
        headers["X-Frame-Options"] = "DENY"
    return headers


_NOTHING_OF = (
    "accelerometer",
    "display-capture",
    "encrypted-media",
    "gyroscope",
    "hid",
    "magnetometer",
    "midi",
    "payment",
    "screen-wake-lock",
    "serial",
    "usb",
)
_PERMISSIONS = ", ".join(
    ("camera=(self)", "microphone=(self)", "geolocation=(self)", *(f"{name}=()" for name in _NOTHING_OF))
)

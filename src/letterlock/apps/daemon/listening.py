"""Where a daemon may listen: on this machine, and nowhere else (SR-16)."""

from __future__ import annotations

import ipaddress

from ...errors import InputError

__all__ = ["listen_address", "loopback_origin"]


def listen_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8440`, `[::1]:0`, `localhost:0`. Raises InputError, above all for an address that others could reach."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise InputError(
            f"not an address to listen on: {text[:60]!r}",
            code="input.listen",
            hint="127.0.0.1:PORT; port 0 takes a free one",
        )
    host = host.strip("[]")
    if host == "localhost":
        return "127.0.0.1", int(port)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        what = "everybody on the network" if address is not None and address.is_unspecified else "other machines"
        raise InputError(
            f"the daemon does not listen on {host or 'every address'}: {what} could reach it",
            code="input.listen",
            hint="127.0.0.1:PORT; from another machine, through ssh -L",
        )
    return str(address), int(port)


def loopback_origin(text: str) -> str:
    """An origin that may show the page in a frame: `http://127.0.0.1:PORT`. Raises InputError for another machine's."""
    scheme, _, rest = text.partition("://")
    host, port = "", ""
    if scheme == "http":
        host, _, port = rest.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]") or not (
        port.isascii() and port.isdecimal() and int(port) <= 65535
    ):
        raise InputError(
            f"not an origin of this machine: {text[:60]!r}", code="input.frame", hint="http://127.0.0.1:PORT"
        )
    return f"http://{host}:{int(port)}"

"""Who may speak in a dialog, without a table of dialogs (RFC 3261 section 16.6 step 4, section 16.12).

The Record-Route that we put into a request that begins a dialog names its two ends, the device or server that
sent it and the one that this copy went to, under a MAC over them, the Call-ID and the caller's tag. Whatever comes
back with it as Route is passed on, in the dialog's name, to the other of the two ends and to nobody else; a request
with a Route that was not made for its dialog, or from somebody who is at neither end, is refused. Ends are devices,
not connections: a phone that reconnects is still in its dialogs.

    user part of our Record-Route = "d." end "." end "." mac
    end = "n" digits "-" 12 hex (a device: its number, and the start of a MAC over its instance)
        / "s" index             (an application server)

A number is no secret between the ends of a dialog; the instance is kept from the other end.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TypeAlias

from ..codec.sip import Headers, NameAddr, Request, Uri
from ..errors import InputError
from ..ids import Number, number
from .location import Device, Locations

__all__ = ["DeviceEnd", "Dialogs", "End", "ServerEnd"]

_LABEL = b"\xff\x80letterlock/dialog-route/v1\x00"  # SR-23
_DEVICE_LABEL = b"\xff\x80letterlock/dialog-device/v1\x00"
_TOKEN = re.compile(
    r"d\.(n[0-9]{1,15}-[0-9a-f]{12}|s[0-9]{1,4})\.(n[0-9]{1,15}-[0-9a-f]{12}|s[0-9]{1,4})\.([0-9a-f]{32})"
)


@dataclass(frozen=True, slots=True)
class DeviceEnd:
    """A device at the end of a dialog."""

    number: Number
    mark: str

    def encode(self) -> str:
        return f"n{self.number[1:]}-{self.mark}"


@dataclass(frozen=True, slots=True)
class ServerEnd:
    """An application server at the end of a dialog, by its place in the list."""

    index: int

    def encode(self) -> str:
        return f"s{self.index}"


End: TypeAlias = DeviceEnd | ServerEnd


class Dialogs:
    """Makes routes and reads them. `own` is our address as a route; `key` lives as long as the process."""

    def __init__(self, own: Uri, key: bytes) -> None:
        self._own = own
        self._key = key

    def device_end(self, device: Device) -> DeviceEnd:
        mac = hmac.digest(self._key, _DEVICE_LABEL + f"{device.number}\n{device.name}".encode(), hashlib.sha256)
        return DeviceEnd(device.number, mac[:6].hex())

    def device_at(self, end: DeviceEnd, locations: Locations) -> Device | None:
        """The device, bound or away; None when it is not known any more."""
        return next((device for device in locations.of(end.number) if self.device_end(device) == end), None)

    def record_route(self, request: Request, caller: End, callee: End) -> str:
        """The Record-Route for one copy of a request that begins a dialog."""
        call_id, tag = request.headers.get("Call-ID") or "", _tag(request.headers, "From")
        ends = f"{caller.encode()}.{callee.encode()}"
        user = f"d.{ends}.{self._mac(ends, call_id, tag)}"
        scheme = "sips" if request.uri.lower().startswith("sips:") else "sip"
        return f"<{Uri(scheme, user, self._own.host, self._own.port, self._own.params).encode()}>"

    def ends(self, user: str, headers: Headers) -> tuple[tuple[End, End], ...]:
        """(sender, receiver) of a request with this route, empty when it was not made for the request's dialog.

        The caller's tag is in From when the caller speaks and in To when the callee does. Two pairs come back when
        both tags are the same: then the connection tells who it is.
        """
        match = _TOKEN.fullmatch(user)
        if match is None:
            return ()
        try:
            caller, callee = _end(match[1]), _end(match[2])
        except InputError:
            return ()
        call_id, ends = headers.get("Call-ID") or "", f"{match[1]}.{match[2]}"
        pairs: list[tuple[End, End]] = []
        for name, pair in (("From", (caller, callee)), ("To", (callee, caller))):
            mac = self._mac(ends, call_id, _tag(headers, name))
            if hmac.compare_digest(mac, match[3]):
                pairs.append(pair)
        return tuple(pairs)

    def _mac(self, ends: str, call_id: str, tag: str) -> str:
        # The lengths keep what a peer chose apart from what it did not.
        text = f"{ends}\n{len(call_id)}\n{call_id}\n{tag}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, _LABEL + text, hashlib.sha256)[:16].hex()


def _end(text: str) -> End:
    if text.startswith("s"):
        return ServerEnd(int(text[1:]))
    digits, _, mark = text[1:].partition("-")
    return DeviceEnd(number(f"+{digits}"), mark)


def _tag(headers: Headers, name: str) -> str:
    return NameAddr.parse(headers.get(name) or "").tag or ""

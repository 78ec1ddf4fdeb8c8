"""Which addresses are fetched, and where a server may send us on.

An address in a message was chosen by its sender. It is fetched over TLS only, and from public addresses only (SR-14,
SR-19). The one exception is the server that the user configured: it may be on this machine or in this network.

A download may be sent on to another server, as content servers do that keep their files in a bucket: over TLS, to
public addresses. A configured server on this machine may send to others on this machine, which is a lab. Everything
else that is not the same server is refused (`content.redirect`). What a name means is looked at when it is used
(`net.guarded_resolver`).
"""

from __future__ import annotations

import re
from urllib.parse import urljoin

from yarl import URL

from ...codec.addresses import is_loopback, is_public
from ...errors import ContentError, InputError

__all__ = ["Addresses", "not_followed", "private"]

_ADDRESS = re.compile(r"[!-~]+", re.ASCII)


class Addresses:
    """The rules, for a device with this content server, or none."""

    def __init__(self, server: str | None, max_url: int) -> None:
        self.home = None if server is None else _home(server)
        self._max_url = max_url

    def checked(self, address: str, *, encoded: bool = False) -> URL:
        """An address that may be fetched; `encoded` leaves it as it is written. Raises InputError."""
        try:
            url = URL(address, encoded=encoded)
            port = url.port
        except ValueError as error:
            raise _forbidden("this is no address") from error
        if url.scheme not in ("http", "https") or not url.host or not port or url.user or url.password:
            raise _forbidden("files are fetched from https addresses", "an address begins with https:// and a host")
        if self.is_home(url):
            return url
        if url.scheme != "https":
            raise _forbidden(
                "files are fetched over https only", "ask the sender for an https address, or for the file another way"
            )
        if is_loopback(url.host) or (_is_ip(url.host) and not is_public(url.host)):
            raise private()
        return url

    def is_home(self, url: URL) -> bool:
        """Whether this is the configured server."""
        return self.home is not None and url.origin() == self.home.origin()

    def sent_on(self, url: URL, location: str) -> URL:
        """Where an answer from this address sends us, if we may go there. Raises ContentError."""
        address = urljoin(str(url), location).partition("#")[0]
        if not _ADDRESS.fullmatch(address) or len(address) > self._max_url:
            raise not_followed("to what is no address")
        try:
            # As it was written: a signature in it is over every character.
            target = URL(address, encoded=True)
            plain = target.scheme in ("http", "https") and not target.user and not target.password
            if not plain or target.host is None or URL(address).host != target.host:
                raise not_followed("to what is no address")
            if target.origin() == url.origin():
                return target
            if url.scheme == "https" and target.scheme != "https":
                raise not_followed("from https to where it can be read")
            if self.is_home(target):
                return target
            if self.is_home(url) and _on_this_machine(url.host) and _on_this_machine(target.host):
                return target
            return self.checked(address, encoded=True)
        except ValueError as error:
            raise not_followed("to what is no address") from error
        except InputError as error:
            raise not_followed(f"elsewhere; {error}") from error


def _home(address: str) -> URL:
    try:
        url = URL(address)
        port = url.port
    except ValueError as error:
        raise InputError("not the address of a content server", code="input.content") from error
    if url.scheme not in ("http", "https") or not url.host or not port or url.user or url.query_string or url.fragment:
        raise InputError("not the address of a content server", code="input.content")
    if url.scheme == "http" and not is_loopback(url.host):
        raise InputError("a content server on another machine needs https", code="content.tls", hint="write https://")
    return url


def _is_ip(host: str) -> bool:
    return ":" in host or re.fullmatch(r"[0-9.]+", host, re.ASCII) is not None


def _on_this_machine(host: str | None) -> bool:
    """By its literal address: what a name means is the resolver's to say, and it says only public ones."""
    return host is not None and _is_ip(host) and is_loopback(host)


def not_followed(where: str) -> ContentError:
    return ContentError(
        f"the content server sends us {where}",
        code="content.redirect",
        hint="it was not followed; tell the operator of that server",
    )


def private() -> InputError:
    return _forbidden("the address is inside a private network")


def _forbidden(reason: str, hint: str = "") -> InputError:
    return InputError(f"not fetched: {reason}", code="transfer.address", hint=hint)

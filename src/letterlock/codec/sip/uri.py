"""SIP, SIPS and tel addresses, and addresses with a name around them (RFC 3261 sections 19.1 and 20.10, RFC 3966)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

from ...errors import DecodeError, InputError
from ...ids import Number, number
from .grammar import EMPTY, Params, decimal, quote, split_list, unquote

__all__ = ["NameAddr", "Uri", "host_port"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]*)|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+", re.ASCII)
_PASSWORD = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*", re.ASCII)
_OPAQUE = re.compile(r"[^\s<>\"\x00-\x20\x7f]+")
_VISUAL = re.compile(r"[\-.()]")
_URI_PARAM = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+", re.ASCII)
_TEL = re.compile(r"\+?[0-9A-Fa-f*#\-.()]+", re.ASCII)
_URI_HEADERS = re.compile(r"[^\s<>\"\x00-\x20\x7f]*")


@dataclass(frozen=True, slots=True)
class Uri:
    """An address. For `tel` the number is `user` and `host` is empty; for a scheme we do not know
    everything behind the colon is `user`. Schemes and hosts are lower case, the rest is as written.
    """

    scheme: str
    user: str | None
    host: str = ""
    port: int | None = None
    params: Params = field(default=EMPTY)
    headers: str = ""
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Raises DecodeError."""
        # A handful of addresses makes up nearly all of a connection's traffic; long ones are not worth keeping.
        return _parse_kept(text) if len(text) <= _KEPT_LENGTH else _parse(text)

    @classmethod
    def of_number(cls, phone: Number, domain: str | None = None) -> Uri:
        """`tel:` of a number, or `sip:number@domain;user=phone` when a domain is given."""
        if domain is None:
            return cls("tel", phone)
        return cls("sip", phone, domain, params=Params((("user", "phone"),)))

    @property
    def number(self) -> Number | None:
        """The E.164 number that this address names by itself, or None. A claim like any other text from outside."""
        if self.user is None or self.scheme not in ("tel", "sip", "sips"):
            return None
        digits = _VISUAL.sub("", self.user.partition(";")[0])
        try:
            return number(digits)
        except InputError:
            return None

    @property
    def address(self) -> str:
        """`scheme:user@host:port` without parameters and headers: what two addresses are compared by."""
        return self._encode(with_params=False)

    def encode(self) -> str:
        return self._encode(with_params=True)

    def _encode(self, *, with_params: bool) -> str:
        text = f"{self.scheme}:"
        if self.scheme not in ("sip", "sips"):
            return text + (self.user or "") + (self.params.encode() if with_params else "")
        if self.user is not None:
            text += self.user if self.password is None else f"{self.user}:{self.password}"
            text += "@"
        text += self.host if self.port is None else f"{self.host}:{self.port}"
        if with_params:
            text += self.params.encode()
            if self.headers:
                text += f"?{self.headers}"
        return text


def _parse(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise DecodeError("not an address", code="sip.uri")
    scheme = scheme.lower()
    if scheme == "tel":
        digits, semicolon, params = rest.partition(";")
        if not _TEL.fullmatch(digits):
            raise DecodeError("not a telephone number", code="sip.uri")
        return Uri(scheme, digits, params=_uri_params(semicolon + params))
    if scheme not in ("sip", "sips"):
        if not _OPAQUE.fullmatch(rest):
            raise DecodeError("not an address", code="sip.uri")
        return Uri(scheme, rest)
    # The user part may hold ; and ?, so the @ is looked for first (RFC 3261 section 19.1.1).
    user_part, at, server = rest.rpartition("@")
    user: str | None = None
    password: str | None = None
    if at:
        user, secret, password = _split_user(user_part)
        if not secret:
            password = None
    hostport, mark, headers = server.partition("?")
    if not _URI_HEADERS.fullmatch(headers) or (mark and not headers):
        raise DecodeError("not an address", code="sip.uri")
    hostport, semicolon, params = hostport.partition(";")
    host, port = host_port(hostport)
    return Uri(scheme, user, host, port, _uri_params(semicolon + params), headers, password)


_KEPT_LENGTH = 256
_parse_kept = functools.lru_cache(maxsize=256)(_parse)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """An address with an optional display name and header parameters: From, To, Contact, Route, P-Asserted-Identity."""

    uri: Uri
    display: str = ""
    params: Params = field(default=EMPTY)

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """One element (split lists first). Raises DecodeError."""
        text = text.strip()
        display = ""
        rest = text
        if text.startswith('"'):
            end = _closing_quote(text)
            display = unquote(text[: end + 1])
            rest = text[end + 1 :].lstrip()
            if not rest.startswith("<"):
                raise DecodeError("a quoted name without an address", code="sip.name_addr")
        if "<" not in rest or (";" in rest and rest.index(";") < rest.index("<")):
            # addr-spec: what follows a semicolon belongs to the header, not to the address (RFC 3261 section 20).
            bare, semicolon, params = rest.partition(";")
            if "?" in bare or "," in bare:
                raise DecodeError("this address needs angle brackets", code="sip.name_addr")
            return cls(Uri.parse(bare.strip()), "", Params.parse(semicolon + params))
        before, _, rest = rest.partition("<")
        before = before.strip()
        if before:
            # RFC 3261: *(token LWS); other characters are seen in the wild and do no harm, quotes and commas do.
            if '"' in before or "," in before or ":" in before:
                raise DecodeError("a display name needs quotes", code="sip.name_addr")
            display = before
        inside, close, params = rest.partition(">")
        if not close:
            raise DecodeError("unbalanced bracket", code="sip.name_addr")
        return cls(Uri.parse(inside.strip()), display, Params.parse(params.strip()))

    @property
    def tag(self) -> str | None:
        """The dialog tag of From and To."""
        return self.params.get("tag")

    def with_param(self, name: str, value: str | None) -> NameAddr:
        return NameAddr(self.uri, self.display, self.params.with_(name, value))

    def encode(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri.encode()}>{self.params.encode()}"


def host_port(text: str) -> tuple[str, int | None]:
    """A host in lower case and its port. Raises DecodeError."""
    host, port_text = text.strip(), ""
    if host.startswith("["):
        close = host.find("]")
        after = host[close + 1 :].strip()
        host = host[: close + 1]
        if after:
            if not after.startswith(":"):
                raise DecodeError("not a host", code="sip.host")
            port_text = after[1:].strip()
            if not port_text:
                raise DecodeError("not a port", code="sip.host")
    elif ":" in host:
        host, _, port_text = host.partition(":")
        host, port_text = host.rstrip(), port_text.strip()
        if not port_text:
            raise DecodeError("not a port", code="sip.host")
    if len(host) > 255 or not _HOST.fullmatch(host):
        raise DecodeError("not a host", code="sip.host")
    return host.lower(), decimal(port_text, "port", at_most=65535) if port_text else None


def _split_user(text: str) -> tuple[str, str, str]:
    user, colon, password = text.partition(":")
    if not _USER.fullmatch(user) or not _PASSWORD.fullmatch(password):
        raise DecodeError("not a user part", code="sip.uri")
    return user, colon, password


def _uri_params(text: str) -> Params:
    if not text:
        return EMPTY
    items: list[tuple[str, str | None]] = []
    for part in split_list(text, ";")[1:]:
        name, equals, value = part.partition("=")
        if not _URI_PARAM.fullmatch(name) or (equals and not _URI_PARAM.fullmatch(value)):
            # An empty value (`;transport=`) is refused with the rest: nobody can know what it means.
            raise DecodeError("not an address parameter", code="sip.uri")
        items.append((name, value if equals else None))
    return Params(items)


def _closing_quote(text: str) -> int:
    i = 1
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == '"':
            return i
        i += 1
    raise DecodeError("unbalanced quote", code="sip.quote")

"""Capabilities by SIP: the feature tags of RCS in Contact, and OPTIONS that ask for them (RFC 3840, rcs.md 2.2).

Tags are hints of the carrier: they may pick a delivery mode, never an encryption (SR-02).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from ..codec.sip import Headers, NameAddr, Params, Request, Response, Uri
from ..errors import DecodeError

__all__ = [
    "ALLOW",
    "BOT_VERSION",
    "CHATBOT",
    "CHATBOT_STANDALONE",
    "CPM_FILE_TRANSFER",
    "CPM_GROUP",
    "CPM_LARGE",
    "CPM_MESSAGE",
    "CPM_SESSION",
    "FILE_TRANSFER_HTTP",
    "FULL_GROUP_CHAT",
    "GEOLOCATION_PUSH",
    "LETTERLOCK_FEATURES",
    "PAGER_LARGE",
    "FeatureTags",
    "bot_contact",
    "features_of",
    "icsi_value",
    "options_headers",
    "response_headers",
]

_ICSI_PREFIX = "urn:urn-7:3gpp-service.ims.icsi."
_IARI_PREFIX = "urn:urn-7:3gpp-application.ims.iari."
_ICSI = "+g.3gpp.icsi-ref"
_IARI = "+g.3gpp.iari-ref"
_MAX_TAGS = 128

ALLOW = "INVITE, ACK, CANCEL, BYE, UPDATE, MESSAGE, NOTIFY, OPTIONS"
"""The methods that a client of ours understands."""

# ICSI: services.
CPM_MESSAGE = "oma.cpm.msg"
CPM_LARGE = "oma.cpm.largemsg"
CPM_SESSION = "oma.cpm.session"
CPM_GROUP = "oma.cpm.session.group"
CPM_FILE_TRANSFER = "oma.cpm.filetransfer"
# IARI: applications of them.
FILE_TRANSFER_HTTP = "rcs.fthttp"
FULL_GROUP_CHAT = "rcs.fullsfgroupchat"
GEOLOCATION_PUSH = "rcs.geopush"
CHATBOT = "rcs.chatbot"
CHATBOT_STANDALONE = "rcs.chatbot.sa"
PAGER_LARGE = "+g.gsma.rcs.cpm.pager-large"
BOT_VERSION = ("+g.gsma.rcs.botversion", "#=1,#=2")
"""The versions of chatbots that a client understands (rcs.md 2.2)."""


@dataclass(frozen=True, slots=True)
class FeatureTags:
    """`icsi` and `iari` hold the names behind the URN prefixes; `bare` the other tags with their values."""

    icsi: frozenset[str] = frozenset()
    iari: frozenset[str] = frozenset()
    bare: tuple[tuple[str, str], ...] = ()

    def has(self, tag: str) -> bool:
        """Whether a bare tag is present."""
        return any(name.lower() == tag.lower() for name, _ in self.bare)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them by name, without values, in a fixed order."""
        return tuple(sorted({*self.icsi, *self.iari, *(name for name, _ in self.bare)}))

    def params(self) -> Params:
        """As Contact parameters. One parameter with a comma list: a repeated one loses values (rcs.md 2.1)."""
        out = Params()
        if self.icsi:
            out = out.with_quoted(_ICSI, ",".join(_escaped(_ICSI_PREFIX, name) for name in sorted(self.icsi)))
        if self.iari:
            out = out.with_quoted(_IARI, ",".join(_escaped(_IARI_PREFIX, name) for name in sorted(self.iari)))
        for name, value in self.bare:
            out = out.with_quoted(name, value) if value else out.with_(name, None)
        return out

    @classmethod
    def of_params(cls, params: Params) -> FeatureTags:
        """From the parameters of a Contact. Unknown ones that start with `+` are kept in `bare`."""
        bare = tuple(
            (name, params.get(name) or "")
            for name, _ in params
            if name.startswith("+") and name.lower() not in (_ICSI, _IARI, "+sip.instance")
        )
        return cls(_names(params.get(_ICSI), _ICSI_PREFIX), _names(params.get(_IARI), _IARI_PREFIX), bare[:_MAX_TAGS])


LETTERLOCK_FEATURES = FeatureTags(
    icsi=frozenset({CPM_MESSAGE, CPM_LARGE, CPM_SESSION, CPM_GROUP}),
    iari=frozenset({FILE_TRANSFER_HTTP, FULL_GROUP_CHAT, GEOLOCATION_PUSH, CHATBOT, CHATBOT_STANDALONE}),
    bare=((PAGER_LARGE, ""), BOT_VERSION),
)
"""What this client does: messages small and large, sessions, groups, files by HTTP, locations, chatbots."""


def icsi_value(name: str) -> str:
    """The percent-encoded URN of a service, as it stands in Accept-Contact."""
    return _escaped(_ICSI_PREFIX, name)


def bot_contact(application: str) -> str:
    """The Accept-Contact of a request to a chatbot: by this application, in versions that we understand (rcs.md 2.3)."""
    params = Params().with_quoted(_IARI, _escaped(_IARI_PREFIX, application)).with_quoted(*BOT_VERSION)
    return "*" + params.encode()


def features_of(message: Request | Response) -> FeatureTags | None:
    """The tags on the Contacts of a message, joined; None when it has no readable Contact."""
    found: list[FeatureTags] = []
    for text in message.headers.listed("Contact")[:8]:
        try:
            found.append(FeatureTags.of_params(NameAddr.parse(text).params))
        except DecodeError:
            continue
    if not found:
        return None
    return FeatureTags(
        frozenset().union(*(tags.icsi for tags in found)),
        frozenset().union(*(tags.iari for tags in found)),
        tuple(dict(pair for tags in found for pair in tags.bare).items())[:_MAX_TAGS],
    )


def options_headers(contact: Uri, tags: FeatureTags) -> Headers:
    """The headers of an OPTIONS that asks a peer for its capabilities and tells ours."""
    params = tags.params()
    return Headers(
        [
            ("Contact", NameAddr(contact, params=params).encode()),
            ("Accept-Contact", "*" + params.encode()),
            ("Accept", "application/sdp"),
            ("Allow", ALLOW),
        ]
    )


def response_headers(contact: Uri, tags: FeatureTags) -> tuple[tuple[str, str], ...]:
    """The headers of our 200 to an OPTIONS (RFC 3261 section 11.2)."""
    return (
        ("Contact", NameAddr(contact, params=tags.params()).encode()),
        ("Allow", ALLOW),
        ("Accept", "application/sdp, message/cpim"),
        ("Accept-Encoding", "deflate"),
        ("Supported", "path, gruu, outbound, timer"),
    )


def _escaped(prefix: str, name: str) -> str:
    return quote(prefix + name, safe="")


def _names(value: str | None, prefix: str) -> frozenset[str]:
    if not value:
        return frozenset()
    names = set()
    for part in value.split(",")[:_MAX_TAGS]:
        urn = unquote(part.strip(), errors="replace")
        if urn.lower().startswith(prefix):
            names.add(urn[len(prefix) :])
    return frozenset(names)

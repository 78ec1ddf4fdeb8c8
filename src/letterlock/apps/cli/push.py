"""`letterlock push ...`, and the options of every service that wakes devices: `add_push_options`, `pushes_from`."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from pathlib import Path

from yarl import URL

from ...codec import push_subscription
from ...codec.addresses import is_loopback
from ...crypto.key_files_pyca import FileKey, generate_key, read_key
from ...errors import DecodeError, InputError, PushError, TransportError
from ...services.database import is_url
from ...services.push import Provider, Pushes, PushKind, PushLimits
from ...services.push.apns import APNS_HOST, APNS_SANDBOX, Apns, ApnsSettings
from ...services.push.fcm import FCM_URL, Fcm, FcmSettings, read_service_account
from ...services.push.outcome import Gone, Later, Reason, Refused, Sent, Unknown
from ...services.push.web import WebPush, WebPushSettings
from .terminal import Terminal

__all__ = ["add_parsers", "add_push_options", "pushes_from"]

_MAX_FILE = 65_536


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    push = commands.add_parser(
        "push",
        help="wake devices: the operator's keys, and a test",
        description="How devices are woken: through endpoints that they choose (UnifiedPush, Web Push), Apple's push service, or "
        "Google's. The options are those of the gateway.",
    )
    verbs = push.add_subparsers(metavar="VERB", required=True, dest="push_verb")

    key = verbs.add_parser("key", help="print the public key that apps register with; made if there is none")
    _add_web_key(key)
    key.set_defaults(run=run_key)

    test = verbs.add_parser(
        "test",
        help="wake one device, and say what its push service answered",
        description="Wake one device with these keys, once, and say what its push service answered. An endpoint in a private "
        "network, or on this machine, needs --push-allow HOST:PORT.",
    )
    test.add_argument("subscription", metavar="FILE", help="what the device registered, in JSON; - for standard input")
    add_push_options(test)
    test.set_defaults(run=run_test)


def add_push_options(parser: argparse.ArgumentParser) -> None:
    """How this service wakes devices: `pushes_from` reads them."""
    group = parser.add_argument_group(
        "push", "how devices are woken that are away; endpoints of the web need no set-up"
    )
    _add_web_key(group)
    group.add_argument(
        "--push-contact", default="", metavar="ADDRESS", help="mailto: or https:, where endpoints reach you"
    )
    group.add_argument(
        "--push-allow", action="append", default=[], metavar="HOST:PORT",
        help="a distributor that may be in a private network, such as your own; may be repeated",
    )  # fmt: skip
    group.add_argument("--push-ca", metavar="FILE", help="PEM of the authority of a lab's push services")
    group.add_argument(
        "--push-window", type=_seconds, default=PushLimits().window_ms // 1000, metavar="SECONDS",
        help="wake a device at most once in this time (default %(default)s)",
    )  # fmt: skip
    group.add_argument("--push-database", metavar="FILE|URL", help="default: push.db in the data directory")
    group.add_argument(
        "--apns-key", metavar="FILE", help="Apple's .p8; with --apns-key-id, --apns-team and --apns-topic"
    )
    group.add_argument("--apns-key-id", metavar="ID", default="", help="that of the key")
    group.add_argument("--apns-team", metavar="ID", default="", help="that of the developer account")
    group.add_argument("--apns-topic", action="append", default=[], metavar="BUNDLE", help="the app; may be repeated")
    group.add_argument("--apns-sandbox", action="store_true", help="for apps built for development")
    group.add_argument(
        "--apns-alert", action="store_true", help='show "New message" instead of waking in the background'
    )
    group.add_argument("--apns-server", metavar="HOST:PORT", help="instead of Apple's")
    group.add_argument(
        "--fcm-account", metavar="FILE", help="the JSON file of a service account of your Firebase project"
    )
    group.add_argument("--fcm-url", default=FCM_URL, metavar="URL", help="default %(default)s")


def pushes_from(arguments: argparse.Namespace) -> Pushes:
    """The push service of these options, not started. Raises InputError."""
    given = arguments.push_database
    if given and is_url(given):
        database = str(given)
    else:
        path = Path(given.removeprefix("sqlite:")) if given else arguments.data_dir / "push.db"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = str(path)
    return Pushes(database, _providers(arguments), limits=PushLimits(window_ms=arguments.push_window * 1000))


async def run_key(arguments: argparse.Namespace, terminal: Terminal) -> int:
    key = WebPush(WebPushSettings(_web_key(arguments))).application_server_key
    terminal.data({"application_server_key": key}, key)
    return 0


async def run_test(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.subscription == "-":
        data = sys.stdin.buffer.read(push_subscription.MAX_SUBSCRIPTION + 1)
    else:
        data = _read(arguments.subscription, "subscription", secret=False)
    try:
        subscription = push_subscription.decode(data.strip())
    except DecodeError as error:
        raise InputError(str(error), code="input.push", hint="give what the device registered: docs/push.md") from error
    providers = _providers(arguments)
    try:
        found = [provider for provider in providers if subscription.kind in provider.kinds]
        if not found:
            raise InputError(
                f"{subscription.kind.value} is not set up", code="input.push", hint=_SET_UP[subscription.kind]
            )
        provider = found[0]
        try:
            provider.target(subscription)
        except PushError as error:
            if error.code != "push.address":
                raise
            raise InputError(
                str(error), code="push.address", hint="is it your own? then name it: --push-allow HOST:PORT"
            ) from error
        outcome = await provider.send(subscription, "letterlock-push-test")
    finally:
        for provider in providers:
            await provider.close()
    kind = subscription.kind.value
    if not isinstance(outcome, Sent):
        hint = _HINTS[type(outcome)]
        if outcome.reason is Reason.FORBIDDEN:
            hint = "is it your own? then name it: --push-allow HOST:PORT"
        raise TransportError(f"{kind}: {_WORDS[outcome.reason]}", code="transport.push", hint=hint)
    terminal.data({"kind": kind, "outcome": "sent"}, f"{kind}: the push service has taken it")
    return 0


_SET_UP = {
    PushKind.APNS: "give --apns-key, --apns-key-id, --apns-team and --apns-topic",
    PushKind.FCM: "give --fcm-account",
    PushKind.WEB_PUSH: "",
    PushKind.UNIFIED_PUSH: "",
}
_WORDS = {
    Reason.UNREGISTERED: "the push service knows this device no more",
    Reason.EXPIRED: "the subscription has ended",
    Reason.CONNECTION: "the push service could not be reached",
    Reason.FORBIDDEN: "the endpoint is in a private network",
    Reason.NO_ANSWER: "the push service was asked, and did not answer",
    Reason.TOO_MANY: "the push service has had too many requests",
    Reason.FAILED: "the push service has trouble of its own",
    Reason.CREDENTIALS: "the push service does not take the operator's key for this device",
    Reason.TOO_LARGE: "the push service finds the request too large",
    Reason.REFUSED: "the push service refused",
}
_HINTS = {
    Gone: "the device is no longer registered there: register it anew",
    Later: "another try may succeed; check keys and network",
    Unknown: "the device may have been woken; look whether it was",
    Refused: "another try would not help: does the subscription belong to these keys?",
}


def _providers(arguments: argparse.Namespace) -> list[Provider]:
    tls = _tls(arguments.push_ca)
    trusted = [_place(text, "--push-allow") for text in arguments.push_allow]
    web = WebPushSettings(_web_key(arguments), _contact(arguments.push_contact), trusted, tls=tls)
    providers: list[Provider] = [WebPush(web)]
    if arguments.apns_key:
        providers.append(Apns(_apns(arguments, _tls(arguments.push_ca))))
    if arguments.fcm_account:
        account = read_service_account(_read(arguments.fcm_account, "service account", secret=True))
        providers.append(Fcm(FcmSettings(account, tls, _https(arguments.fcm_url, "--fcm-url"))))
    return providers


def _apns(arguments: argparse.Namespace, tls: ssl.SSLContext) -> ApnsSettings:
    if not (arguments.apns_key_id and arguments.apns_team and arguments.apns_topic):
        raise InputError(
            "Apple's key goes with its id, the team and the app", code="input.push", hint=_SET_UP[PushKind.APNS]
        )
    host, port = APNS_SANDBOX if arguments.apns_sandbox else APNS_HOST, 443
    if arguments.apns_server:
        host, port = _place(arguments.apns_server, "--apns-server")
    return ApnsSettings(
        frozenset(arguments.apns_topic),
        arguments.apns_team,
        arguments.apns_key_id,
        read_key(_read(arguments.apns_key, "key", secret=True), None),
        tls,
        host,
        port,
        alert=arguments.apns_alert,
    )


def _add_web_key(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--push-key",
        metavar="FILE",
        help="PEM key that endpoints know you by (default: push.pem in the data directory; made)",
    )


def _web_key(arguments: argparse.Namespace) -> FileKey:
    """In the clear: a service reads it at its start. Whoever has it can wake devices of which he has the endpoints, no more."""
    path = Path(arguments.push_key) if arguments.push_key else arguments.data_dir / "push.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(generate_key(None))
    return read_key(_read(str(path), "key", secret=True), None)


def _read(path: str, what: str, *, secret: bool) -> bytes:
    try:
        with open(path, "rb") as file:
            if secret and os.fstat(file.fileno()).st_mode & 0o077:
                raise InputError(f"others can read {path}", code="input.secret", hint=f"chmod 600 {path}")
            return file.read(_MAX_FILE)
    except OSError as error:
        raise InputError(f"the {what} {path} cannot be read: {error.strerror}", code="input.file") from error


def _tls(authority: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"the authority cannot be used: {error}", code="input.tls") from error


def _place(text: str, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"not an address: {text!r}", code="input.push", hint=f"{option} HOST:PORT")
    return host.strip("[]").lower(), int(port)


def _https(text: str, option: str) -> str:
    """The address of a server that gets our credentials: not in the clear, but for this machine (SR-19)."""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host))):
        raise InputError(f"not an https address: {text!r}", code="input.push", hint=f"{option} https://HOST")
    return text


def _contact(text: str) -> str:
    if text and not text.startswith(("mailto:", "https:")):
        raise InputError(
            "not a contact", code="input.push", hint="--push-contact mailto:YOU@HOST, or an https: address"
        )
    return text


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= 3600:
        raise argparse.ArgumentTypeError("1 to 3600 seconds")
    return int(text)

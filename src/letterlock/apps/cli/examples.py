"""What each verb's help shows of its use: whole command lines, as somebody would type them.

A verb of two words has its own. Those of the verbs that programs have in the same form stand in their table (`apps/verbs`);
here are those of the others, and of verbs that can do something else at a terminal. A test parses every one.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verbs import Example, Param

__all__ = ["EXAMPLES", "WHOLE_NAME", "ExampleFormatter", "dress", "every_parser", "examples_of"]

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "demo": ("letterlock demo", "letterlock demo --headless --log wire.log   # what the carrier saw, to look through"),
    "network": ("letterlock network", "letterlock network --folder ~/lab --log wire.log"),
    "carrier": (
        "letterlock carrier",
        "letterlock carrier --tls ~/lab/tls --msrp-port 2855",
        "letterlock carrier --application-server 'conference-factory,conf-*@127.0.0.1:5070'   # with a focus for groups",
    ),
    "directory": (
        "letterlock directory",
        "letterlock directory --host 192.0.2.10 --certificate keys.pem --key keys.key --database postgresql://keys@db/keys",
    ),
    "content": (
        "letterlock content",
        "letterlock content --secret-file operator.secret --blobs s3://rcs-files/prod --s3-key-file s3.ini",
    ),
    "upload": (
        "letterlock upload brochure.pdf   # as it is: whoever has the address can read it",
        "letterlock upload --resume",
        "letterlock send +15550199 --file holiday.jpg   # encrypted: this is for everything that is not public",
    ),
    "download": (
        "letterlock download --chat +15550199 --message 0a1b2c3d --to .",
        "letterlock download --chat +15550199 --message 0a1b2c3d --to - | less",
        "letterlock download --resume",
    ),
    "provisioning": (
        "letterlock provisioning --secret-file operator.secret --content http://127.0.0.1:8470",
        "letterlock provisioning --secret-file operator.secret --state +15550199:disabled",
    ),
    "mailbox": (
        "letterlock mailbox",
        "letterlock mailbox --proxy 127.0.0.1:5090 --database postgresql://mailbox@db/mailbox",
    ),
    "push key": ("letterlock push key",),
    "push test": (
        "letterlock push test subscription.json",
        "letterlock push test subscription.json --push-allow ntfy.lan:443   # your own distributor",
    ),
    "gateway": (
        "letterlock gateway",
        "letterlock gateway --carrier sips:sip.example.net --domain example.net --secret-file operator.secret "
        "--certificate gw.pem --key gw.key",
    ),
    "focus": (
        "letterlock focus",
        "letterlock focus --mls-anchor root.pem   # also orders groups that are encrypted by RCC.16",
    ),
    "kds init": ("letterlock kds init --folder kds --passphrase-file kds.pass",),
    "kds run": (
        "letterlock kds run --folder kds --passphrase-file kds.pass",
        "letterlock kds run --folder kds --peer other.json --route +4930:3",
    ),
    "kds peer": ("letterlock kds peer --folder kds --url https://kds.example.net > us.json",),
    "setup": (
        "letterlock setup +15550100 --profile ana --provisioning http://127.0.0.1:8480   # beside: letterlock network",
        "letterlock setup +15550100 --profile ana --directory https://keys.example.net --carrier sips:sip.example.net",
        "letterlock setup --join ll-offer-... --profile tablet --name tablet   # a second device",
    ),
    "devices": (
        "letterlock devices",
        "letterlock devices offer   # on the first device; then on the new one: letterlock setup --join OFFER",
        "letterlock devices add ll-request-...",
        "letterlock devices remove 2",
    ),
    "send": (
        'letterlock send +15550199 "hi ben" --wait 10',
        "git log -1 | letterlock send Picnic -   # to a group, what standard input holds",
        "letterlock send +15550199 --file holiday.jpg",
        "letterlock send +15550199 -- -1   # a text that begins with a dash",
    ),
    "listen": (
        "letterlock listen --profile ana",
        "letterlock -o json listen --consumer archive >> events.ndjson",
        "letterlock listen --after 0   # everything once more",
    ),
    "chats": ("letterlock chats", "letterlock chats +15550199 --limit 10"),
    "answer": (
        "letterlock chats sip:shop@bots.example.com   # what it suggests, with numbers",
        "letterlock answer sip:shop@bots.example.com 0a1b2c3d 2",
    ),
    "group create": (
        "letterlock group create Picnic +15550100 +15550142",
        "letterlock group create Works +15550100 --protocol rcc16",
    ),
    "cache": ("letterlock cache", "letterlock cache prune --to 300M", "letterlock cache budget 2G"),
    "verify": (
        "letterlock verify +15550199",
        "letterlock verify +15550199 --last-group 40713   # the last five digits that they read out",
        "letterlock verify +15550199 --no-qr",
    ),
    "security": ("letterlock security +15550199", "letterlock security Picnic"),
    "export": (
        "letterlock export +15550199 --to ben.md --format markdown",
        "letterlock export --to everything.ndjson",
        "letterlock export Picnic --to - | jq -r .text",
    ),
    "sms": ("letterlock sms", "letterlock sms --smsc smpps://user@smsc.example.net", "letterlock sms --off"),
    "doctor": ("letterlock doctor --profile ana", "letterlock -o json doctor"),
    "rpc": (
        """echo '{"jsonrpc":"2.0","id":1,"method":"chats"}' | letterlock rpc --profile ana""",
        "letterlock rpc --profile ana   # a program writes calls to it, a line each, and reads answers",
    ),
    "completion": (
        "mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc   # a new account has neither",
        "letterlock completion bash > ~/.local/share/bash-completion/completions/letterlock",
        "letterlock completion zsh > ~/.zfunc/_letterlock   # with fpath+=~/.zfunc before compinit",
        "letterlock completion tcsh >> ~/.tcshrc",
    ),
}


class ExampleFormatter(argparse.HelpFormatter):
    """Descriptions are filled, lines that are indented stay as they are: examples are to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)


def dress(top: argparse.ArgumentParser) -> None:
    """Give every verb below its name for `examples_of` and, where it has none, its summary as description."""
    for name, verb, summary in every_parser(top):
        verb.formatter_class = ExampleFormatter
        verb.description = verb.description or f"{summary[:1].upper()}{summary[1:]}."
        verb.set_defaults(**{WHOLE_NAME: name})


WHOLE_NAME = "verb_whole_name"


def examples_of(verb: argparse.ArgumentParser) -> str:
    """What stands below the help of a verb; found when somebody asks, because the table is not wanted otherwise."""
    name = verb.get_default(WHOLE_NAME)
    if verb.epilog or name is None:
        return verb.epilog or ""
    lines = EXAMPLES.get(name) or _in_table(name)
    return "\n".join(("examples:", *(f"  {line}" for line in lines))) if lines else ""


def every_parser(top: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Each verb and verb of two words: its name, its parser, its summary in the list above it."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, verb in action.choices.items():
                whole = f"{before} {name}".strip()
                yield whole, verb, summaries.get(name, "")
                yield from every_parser(verb, whole)


def _in_table(name: str) -> tuple[str, ...]:
    """As somebody would type what the table has as parameters."""
    from ..verbs import VERBS

    verb = VERBS.get(name)
    if verb is None:
        return ()
    return tuple(_typed(name, verb.params, example) for example in verb.examples)


def _typed(name: str, params: tuple[Param, ...], example: Example) -> str:
    words = ["letterlock", *name.split()]
    options: list[str] = []
    for each in params:
        if each.name not in example.params or not each.terminal:
            continue
        value = example.params[each.name]
        values = [shlex.quote(str(one)) for one in (value if isinstance(value, list | tuple) else [value])]
        if each.positional:
            words += values
        elif isinstance(value, bool):
            options += [each.flag] * value
        else:
            options += [each.flag, *values]
    return f"{' '.join([*words, *options])}   # {example.summary}"

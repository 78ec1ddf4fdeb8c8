"""`letterlock --help`: the verbs by what they are for, so that a newcomer finds the first one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

__all__ = ["FIRST_STEPS", "SECTIONS", "overview"]

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "look first": ("demo", "doctor"),
    "begin": ("setup", "devices", "web", "daemon", "rpc", "me", "name", "completion"),
    "talk": (
        "send", "listen", "chats", "chat", "messages", "search", "reply", "react", "edit", "delete", "location", "answer",
        "resend", "displayed", "group",
    ),
    "files and history": ("download", "upload", "transfers", "transfer", "cache", "export"),
    "who can read it": (
        "verify", "withdraw", "accept-keys", "security", "encryption", "options", "keep", "release", "certificate",
        "capabilities", "sms",
    ),
    "run the network": (
        "network", "carrier", "directory", "kds", "focus", "content", "mailbox", "gateway", "push", "provisioning",
    ),
}  # fmt: skip
"""Headings, and the verbs under them. A verb that stands nowhere here is shown under "more"."""

FIRST_STEPS = """\
first steps:
  letterlock demo                                  # no account needed
  letterlock network                               # then, in another terminal, with the code that it prints:
  letterlock setup +15550100 --profile ana --provisioning http://127.0.0.1:8480
  letterlock web --profile ana                     # or: letterlock listen --profile ana
  letterlock VERB --help                           # options and examples of a verb

exit codes: 1 wrong input, 2 our bug, 3 network or store, 4 a human must decide about keys,
  5 too many requests, 7 it would have been sent unencrypted"""


def overview(top: argparse.ArgumentParser) -> str:
    """The help of the parser that has all verbs."""
    verbs = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {choice.dest: choice for choice in verbs._choices_actions}
    placed = {name for names in SECTIONS.values() for name in names}
    sections = {**SECTIONS, "more": tuple(name for name in summaries if name not in placed)}
    formatter = top._get_formatter()
    formatter.add_usage(None, [action for action in top._actions if action is not verbs], [], "usage: ")
    text = formatter.format_help().rstrip() + " VERB ...\n"
    formatter = top._get_formatter()
    formatter.add_text(top.description)
    for heading, names in sections.items():
        formatter.start_section(heading)
        formatter.add_arguments([summaries[name] for name in names if name in summaries])
        formatter.end_section()
    formatter.start_section("options")
    formatter.add_arguments([action for action in top._actions if action is not verbs])
    formatter.end_section()
    formatter.add_text(top.epilog)
    return text + "\n" + formatter.format_help()

"""`letterlock carrier`: how application servers are named on the command line."""

from __future__ import annotations

import pytest

from letterlock.apps.cli import parser
from letterlock.carrier import ApplicationServer
from letterlock.errors import InputError


def test_users_prefixes_and_an_address() -> None:
    given = ["carrier", "--application-server", "conference-factory,conf-*@127.0.0.1:5070"]
    arguments = parser().parse_args([*given, "--application-server", "echo@[::1]:5071", "--msrp-port", "0"])
    assert arguments.application_server == [
        ApplicationServer("127.0.0.1", 5070, frozenset({"conference-factory"}), ("conf-",)),
        ApplicationServer("::1", 5071, frozenset({"echo"})),
    ]
    assert arguments.server_port is None
    assert arguments.msrp_port == 0


@pytest.mark.parametrize("text", ["conf-*", "@127.0.0.1:1", "*@127.0.0.1:1", "a@127.0.0.1", "a@:1", "a@h:70000", ""])
def test_what_is_no_application_server_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="argument --application-server"):
        parser().parse_args(["carrier", "--application-server", text])

"""docs/provisioning.md: its document can be read, its shell lines name what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from letterlock.apps.cli import parser
from letterlock.client.provisioned import Provisioned, ProvisioningState, settings_of
from letterlock.codec.provisioning import decode_document
from letterlock.transport.provisioning_config import ProvisioningSettings
from provisioning.lab import ANA

PAGE = (Path(__file__).parents[2] / "docs" / "provisioning.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_document_is_one() -> None:
    (shown,) = [text for language, text in BLOCKS if language == "xml"]
    document = decode_document(shown.encode(), ProvisioningSettings().documents)
    source = Provisioned("https://config.example.net/", None, ProvisioningState.ACTIVE)
    settings = settings_of(document, ANA, source, "5b1c1d9e-7c3f-4a7b-9f57-0d9b9d7f9e11")
    assert settings.sip is not None and settings.content is not None and settings.sip.msrp_relay is not None


def test_shell_lines_are_understood() -> None:
    text = "".join(text for language, text in BLOCKS if language == "sh").replace("\\\n", " ")
    lines = text.splitlines()
    assert len(lines) == 4
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "letterlock"
        parser(arguments).parse_args(arguments)


def test_every_state_is_explained() -> None:
    for state in ProvisioningState:
        assert state is ProvisioningState.BEGUN or f"`{state.value}`" in PAGE

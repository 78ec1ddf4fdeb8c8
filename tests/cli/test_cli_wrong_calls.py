"""Wrong calls of every verb: one error that names what is wrong, a next step, exit code 1, and nothing half done."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from letterlock.apps.cli import main

WRONG = {
    "nonsense": "no such verb: 'nonsense'",
    "send": "required: CHAT",
    "send +15550199": "give a text, or --file",
    "send +15550199 hi --file t.txt": "give a text, or --file",
    "send +15550199 hi --wait soon": "--wait is a number, not 'soon'",
    "send +15550199 hi --profile nobody": "there is no profile 'nobody'",
    "chats --limit many": "--limit is a whole number, not 'many'",
    "messages": "required: CHAT",
    "messages +15550199 --limit 0": "'limit' of messages is a whole number from 1 to",
    "search": "required: WORDS",
    "search x --limit -3": "'limit' of search is a whole number from 1 to",
    "react +15550199 abc": "required: EMOJI",
    "reply +15550199": "required: MESSAGE, TEXT",
    "edit": "required: CHAT, MESSAGE, TEXT",
    "delete +15550199": "required: MESSAGE",
    "location +15550199 north 3": "LATITUDE is a number, not 'north'",
    "resend +15550199": "required: MESSAGE",
    "displayed +15550199": "required: MESSAGE",
    "name +15550199": "required: NAME",
    "answer +15550199": "required: MESSAGE, NUMBER",
    "listen --after x": "--after is a whole number, not 'x'",
    "group": "name a verb of group",
    "group creat X +15550100": "no such verb of group: 'creat'",
    "group create X": "required: NUMBER",
    "group remove": "required: GROUP, NUMBER",
    "cache grow": "invalid choice: 'grow'",
    "cache prune --to lots": "not a number of bytes: lots",
    "export --format pdf": "invalid choice: 'pdf'",
    "verify": "required: NUMBER",
    "withdraw": "required: NUMBER",
    "security": "required: CHAT",
    "encryption stop +15550199": "no such verb of encryption: 'stop'",
    "options": "required: CHAT",
    "keep": "required: CHAT",
    "release +15550199": "required: TOKEN",
    "certificate x": "certificate takes no such argument: x",
    "me x": "me takes no such argument: x",
    "sms --smsc http://x": "not the address of an SMSC",
    "daemon --listen 0.0.0.0:80": "the daemon does not listen on 0.0.0.0",
    "daemon --allow-frame https://evil.example": "not an origin of this machine",
    "web --listen 127.0.0.1": "not an address to listen on",
    "rpc --bad": "rpc takes no such argument: --bad",
    "doctor --profile .hidden": "not a profile name",
    "completion fish": "invalid choice: 'fish'",
    "setup": "name a number, or --join",
    "setup 123": "not a phone number",
    "setup +15550100 --carrier http://x": "the carrier is a sip: or sips: address",
    "setup +15550100 --carrier sip:far.example.net": "plaintext SIP beyond this machine",
    "setup --join nonsense": "not an offer of a device",
    "setup +15550100 --provisioning http://127.0.0.1:1 --gateway http://x": "--gateway cannot go with --provisioning",
    "setup +15550100 --provisioning http://127.0.0.1:1 --carrier-ca x --domain y": "--domain and --carrier-ca cannot go",
    "devices fly": "invalid choice: 'fly'",
    "devices add": "add and vouch take a request",
    "transfer pause": "required: TRANSFER",
    "download": "name URL, or --resume",
    "upload": "name FILE, or --resume",
    "network --port 1": "network takes no such argument: --port 1",
    "network --folder /dev/null/x": "the folder /dev/null/x cannot be made",
    "carrier --port 99999": "a port is a number from 0 to 65535",
    "carrier --account x": "not a phone number",
    "directory --certificate a": "a certificate and its key go together",
    "directory --database ftp://x": "not a database that this runs on",
    "provisioning": "required: --secret-file",
    "gateway --carrier x": "not a SIP address",
    "mailbox --proxy x": "not an address",
    "focus --port x": "a port is a number from 0 to 65535",
    "push test nowhere.json": "nowhere.json cannot be read",
    "kds run --folder nowhere": "cannot be read",
    "kds peer": "required: --url",
    "demo --say": "expected one argument",
    "-o yaml chats": "invalid choice: 'yaml'",
}


@pytest.mark.parametrize("call", WRONG)
def test_one_error_with_a_next_step(call: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(tmp_path), *shlex.split(call)]) == 1
    told = capsys.readouterr()
    errors = [line for line in told.err.splitlines() if line.startswith("letterlock: error: ")]
    assert len(errors) == 1 and WRONG[call] in errors[0]
    hints = [line for line in told.err.splitlines() if line.startswith("letterlock: hint: ")]
    assert len(hints) == 1 and len(hints[0]) > len("letterlock: hint: ")
    assert "Traceback" not in told.err and told.out == ""
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]

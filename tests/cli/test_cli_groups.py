"""`letterlock group ...`, and talking in a group with the verbs for chats."""

from __future__ import annotations

import pytest

from cli.terminals import User
from letterlock.apps.cli.group_words import group_event_words
from letterlock.apps.verbs.names import chat_label
from letterlock.apps.verbs.notices import notice_text
from letterlock.engine.events import event_to_json
from letterlock.engine.groups.events import (
    GroupCreated,
    GroupJoined,
    IconChanged,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    RosterMismatch,
    SubjectChanged,
)
from letterlock.engine.view import Notice
from letterlock.ids import GroupName, Number

NAME = GroupName("0123456789abcdef" * 2)
ANA, BEN = Number("+15550100"), Number("+15550199")


@pytest.mark.slow
def test_a_group_from_the_command_line(ana: User, ben: User) -> None:
    with ben.listen() as at_ben:
        made = ana.run("-o", "json", "group", "create", "Hikers from the shell", ben.number).ok().records[0]
        assert made["members"] == [ana.number, ben.number] and made["security"] == "encrypted"
        joined = at_ben.record('"group-joined"')
        assert (joined["chat"], joined["by"], joined["subject"]) == (made["chat"], ana.number, "Hikers from the shell")
        sent = ana.run("-o", "json", "send", made["chat"][:6], "up we go", "--wait", "20").ok().records
        assert sent[0]["chat"] == made["chat"] and sent[-1]["member"] == ben.number
        got = at_ben.record('"up we go"')
        assert (got["sender"], got["chat"]) == (ana.number, made["chat"])
        ben.run("react", "Hikers from the shell", got["message_id"][:8], "\N{THUMBS UP SIGN}").ok()
        ana.run("group", "subject", made["chat"], "Climbers").ok()
        assert at_ben.record('"subject-changed"')["subject"] == "Climbers"
    members = ana.run("group", "members", "Climbers").ok().out.splitlines()
    assert members[0].startswith(f"{ana.number}  you") and members[1].endswith("removable")
    listed = ana.run("group", "list").ok().out
    assert f"{made['chat']}  Climbers  2 members" in listed
    history = ana.run("chats", made["chat"]).ok().out
    assert "up we go" in history and "You created the group “Hikers from the shell”" in history
    refused = ben.run("group", "remove", made["chat"], ana.number)
    assert refused.code == 1 and "who is higher" in refused.err
    ana.run("group", "remove", made["chat"], ben.number).ok()
    ana.run("group", "leave", made["chat"]).ok()
    assert "you are not in it" in ana.run("group", "list").ok().out
    assert ana.run("send", made["chat"], "still here?").code == 1
    unknown = ana.run("group", "members", "nothing of the kind")
    assert unknown.code == 1 and "no group is called" in unknown.err


@pytest.mark.parametrize(
    ("event", "text", "notice"),
    [
        (
            GroupCreated(NAME, ANA, "Hikers", (ANA, BEN), ""),
            "created 'Hikers' with +15550199",
            "You created the group “Hikers”",
        ),
        (
            GroupJoined(NAME, BEN, "Hikers", (BEN, ANA), ""),
            "+15550199 added you to 'Hikers' of 2",
            "Ben added you to “Hikers”",
        ),
        (MemberAdded(NAME, BEN, "", ANA, ""), "+15550100 added +15550199", "You added Ben"),
        (MemberRemoved(NAME, BEN, "", ANA, ""), "+15550100 removed +15550199", "You removed Ben"),
        (MemberLeft(NAME, BEN, "", ""), "+15550199 left", "Ben left"),
        (
            SubjectChanged(NAME, "Climbers", ANA, ""),
            "+15550100 called it 'Climbers'",
            "You called the group “Climbers”",
        ),
        (IconChanged(NAME, "", "", ANA, ""), "+15550100 took away the picture", "You took the picture away"),
        (
            RosterMismatch(NAME, "ghost", "sip:conf-1@x", (BEN,), ""),
            "the carrier's conference lists +15550199, whom no member has added; nothing is sent there",
            "The carrier lists Ben, whom no member has added; nothing is sent there",
        ),
    ],
)
def test_events_of_groups_read_as_sentences(event: MemberAdded, text: str, notice: str) -> None:
    assert group_event_words(event) == f"group 01234567: {text}"
    record = event_to_json(event)
    kept = Notice(record["kind"], {name: value for name, value in record.items() if name not in ("kind", "chat")})
    assert notice_text(NAME, kept, {BEN: "Ben"}.get, ANA) == notice  # type: ignore[arg-type]
    assert notice_text(NAME, Notice("of-a-later-version", {})) == "Something changed here"
    assert chat_label(NAME) == "group 01234567" and chat_label(ANA) == ANA

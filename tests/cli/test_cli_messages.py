"""reply, react, edit, delete, location at two terminals, and how `chats` and `listen` show them."""

from __future__ import annotations

import pytest

from cli.terminals import Town, User

pytestmark = pytest.mark.slow


def test_everything_that_is_done_to_messages(town: Town) -> None:
    eva, finn = town.user("eva", "+15550400"), town.user("finn", "+15550401")
    with eva.listen() as at_eva, finn.listen() as at_finn:
        first = eva.run("-o", "json", "send", finn.number, "helo", "--wait", "20").ok().records[0]["message_id"]
        at_finn.record('"helo"')
        finn.run("reply", eva.number, first[:6], "hi yourself", "--wait", "20").ok()
        assert at_eva.record('"hi yourself"')["reply_to"] == first
        finn.run("react", eva.number, first, "👍", "--wait", "20").ok()
        assert at_eva.record('"reaction-changed"')["removed"] is False
        eva.run("edit", finn.number, first[:8], "-", "--wait", "20", typed="hello\n").ok()
        assert at_finn.record('"message-edited"')["text"] == "hello"
        oops = eva.run("-o", "json", "send", finn.number, "wrong window").ok().records[0]["message_id"]
        eva.run("delete", finn.number, oops, "--wait", "20").ok()
        assert at_finn.record('"message-deleted"')["message_id"] == oops
        eva.run("location", finn.number, "48.8584", "-2.5", "--label", "meet\u202e here", "--wait", "20").ok()
        assert at_finn.record('"location"')["content"]["label"] == "meet\u202e here"
        finn.run("react", eva.number, first, "👍", "--remove", "--wait", "20").ok()
        finn.run("react", eva.number, first, "🎉", "--wait", "20").ok()

        shown = finn.run("chats", eva.number).ok().out.splitlines()
        lines = [line.split(maxsplit=2) for line in shown]  # no divider: it was encrypted from its first message on
        assert [who for _, who, _ in lines] == [eva.number, "me", eva.number, eva.number]
        assert [text for _, _, text in lines] == [
            "hello  [edited]  🎉",
            "[to: hello] hi yourself",
            "(deleted)",
            "(place: 48.858400, -2.500000, meet\\u202e here)",
        ]
        assert lines[0][0] == first[:8]
        records = eva.run("-o", "json", "chats", finn.number).ok().records
        assert [(r["text"], r["original"], r["deleted"]) for r in records] == [
            ("hello", "helo", False),
            ("hi yourself", None, False),
            (None, None, True),
            (None, None, False),
        ]
        assert records[0]["reactions"] == [{"sender": finn.number, "mine": False, "emoji": "🎉"}]
        assert records[1]["reply_to"] == first
        assert records[3]["location"]["latitude"] == 48.8584

        mistakes = {
            "input.not_author": ("edit", eva.number, first, "never said"),
            "input.target": ("react", eva.number, "nothing", "👍"),
            "input.emoji": ("react", eva.number, first, "far more than one emoji " * 9),
            "input.deleted": ("reply", eva.number, oops, "x"),
            "input.location": ("location", eva.number, "91", "0"),
        }
        for code, arguments in mistakes.items():
            done = finn.run("-o", "json", *arguments)
            if code == "input.deleted":
                assert done.code == 0, "a deleted message can be answered"
            else:
                assert (done.code, done.error["error"]) == (1, code)


def test_nothing_is_done_in_the_clear_without_a_decision(town: Town) -> None:
    """SR-01: exit code 7 and the token of the refusal, as for a text."""
    gina: User = town.user("gina", "+15550402")
    with gina.listen():
        done = gina.run("-o", "json", "location", "+15550499", "1", "2")
        assert done.code == 7
        token = done.error["options"][0]["allow"]
        gina.run("location", "+15550499", "1", "2", "--allow", token).ok()
        shown = gina.run("chats", "+15550499").ok().out
        assert "(place: 1.000000, 2.000000)  [not encrypted]" in shown
        text = gina.run("-o", "json", "chats", "+15550499").ok().records[-1]
        message = text["message_id"]
        gina.run("react", "+15550499", message, "👍").ok()
        gina.run("delete", "+15550499", message).ok()
        assert "(deleted)" in gina.run("chats", "+15550499").ok().out

"""Two people and the network side, each in processes of their own, as the README tells them."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import pytest

from cli.terminals import Town, User, command

pytestmark = pytest.mark.slow


def test_both_directions_with_listen_and_send_on_the_same_profiles(ana: User, ben: User) -> None:
    with ana.listen() as at_ana, ben.listen() as at_ben:
        sent = ana.run("-o", "json", "send", ben.number, "hi from ana", "--wait", "20").ok()
        assert sent.records[0]["security"] == "encrypted"
        assert sent.records[-1]["kind"] == "message-delivered"
        assert sent.records[-1]["message_id"] == sent.records[0]["message_id"]
        got = at_ben.record('"hi from ana"')
        assert (got["kind"], got["chat"], got["encrypted"]) == ("message-received", ana.number, True)
        assert got["message_id"] == sent.records[0]["message_id"]

        ben.run("send", ana.number, "-", typed="two\nlines\n").ok()
        assert at_ana.record(r'"two\\nlines"')["kind"] == "message-received"
        assert at_ana.stop(signal.SIGTERM) == 0
        assert at_ben.stop(signal.SIGINT) == 0


def test_the_state_is_shown_in_words(ana: User, ben: User) -> None:
    with ben.listen():
        done = ana.run("send", ben.number, "in words", "--wait", "20").ok()
    first, *_, last = done.out.splitlines()
    assert first.endswith(("  Encrypted", "  Encrypted, verified"))
    assert last.endswith(f"delivered to {ben.number}")


def test_a_message_to_somebody_who_is_away_arrives_when_they_come_back(ana: User, ben: User) -> None:
    with ben.listen():
        pass
    ana.run("send", ben.number, "for later").ok()
    with ben.listen() as back:
        assert back.record('"for later"')["kind"] == "message-received"


def test_listen_goes_on_where_it_was_and_each_consumer_has_a_place(ana: User, ben: User) -> None:
    with ana.listen():
        with ben.listen() as first:
            ana.run("send", ben.number, "once").ok()
            mark = first.record('"once"')["cursor"]
            assert first.stop() == 0
        with ben.listen() as second:
            ana.run("send", ben.number, "after that").ok()
            second.line('"after that"')
            assert second.stop() == 0
        assert '"once"' not in second.text
        with ben.listen("--after", str(mark - 1)) as third:
            third.line('"once"')
            third.line('"after that"')
        with ben.listen("--consumer", "another") as fourth:
            fourth.line('"once"')


def test_a_listener_without_the_key_works_through_the_owner(ana: User, ben: User) -> None:
    """Nobody is asked for what unlocks a profile while another process has it open."""
    with ana.listen(), ben.listen():
        done = ana.run("send", ben.number, "no key needed", LETTERLOCK_KEY_FILE="")
        assert done.code == 0, done.err
    done = ana.run("send", ben.number, "now it is", LETTERLOCK_KEY_FILE="")
    assert done.code == 1
    assert "letterlock: error: nothing to unlock the profile with" in done.err


def test_chats_lists_states_and_messages(ana: User, ben: User) -> None:
    with ana.listen(), ben.listen():
        ana.run("send", ben.number, "on the list", "--wait", "20").ok()
    listed = ana.run("-o", "json", "chats").ok().records
    states = {each["chat"]: each["security"]["state"] for each in listed}
    assert states[ben.number] in ("encrypted", "verified")
    last = ana.run("-o", "json", "chats", ben.number, "--limit", "1").ok().records
    assert [(m["text"], m["mine"], m["encrypted"]) for m in last] == [("on the list", True, True)]
    assert "on the list" in ben.run("chats", ana.number).ok().out


def test_both_compare_codes_and_both_are_verified(town: Town) -> None:
    carla, dora = town.user("carla", "+15550300"), town.user("dora", "+15550301")
    with carla.listen(), dora.listen():
        carla.run("send", dora.number, "shall we compare?", "--wait", "20").ok()
        shown = {
            user.name: user.run("-o", "json", "verify", other.number).ok().records
            for user, other in ((carla, dora), (dora, carla))
        }
        digits = shown["carla"][0]["digits"]
        assert digits == shown["dora"][0]["digits"]
        assert len(digits) == 60
        assert shown["carla"][-1]["security"] == "encrypted"

        wrong = f"{(int(digits[-5:]) + 1) % 100_000:05d}"
        refused = carla.run("-o", "json", "verify", dora.number, "--last-group", wrong)
        assert refused.code == 4
        assert refused.error["error"] == "trust.code_differs"

        for user, other in ((carla, dora), (dora, carla)):
            done = user.run("verify", other.number, "--last-group", digits[-5:]).ok()
            assert done.out.splitlines()[-1].startswith("Encrypted, verified: You compared security codes with")
            (listed,) = user.run("-o", "json", "chats").ok().records
            assert (listed["chat"], listed["security"]["state"]) == (other.number, "verified")


def test_a_second_device_is_added_and_reads_what_comes(town: Town, ben: User) -> None:
    emma = town.user("emma", "+15550400")
    offer = emma.run("-o", "json", "devices", "offer").ok().records[0]["offer"]
    tablet = town.stranger("tablet", emma.number)
    key_file = str(town.folder / "tablet-key")
    joined = tablet.run("-o", "json", "setup", "--join", offer, "--name", "tablet", "--new-key-file", key_file).ok()
    tablet.environment["LETTERLOCK_KEY_FILE"] = key_file

    early = tablet.run("listen")
    assert early.code == 1
    assert "has not added this one yet" in early.err
    assert "letterlock: hint: carry the request to it" in early.err

    assert emma.run("devices", "add", joined.records[0]["request"]).ok().out == "device 2 is listed\n"
    listed = emma.run("-o", "json", "devices").ok().records
    assert [(d["device"], d["name"], d["this"]) for d in listed] == [(1, "emma", True), (2, "tablet", False)]

    with emma.listen() as at_emma, tablet.listen() as at_tablet, ben.listen():
        ben.run("send", emma.number, "to both of you").ok()
        assert at_emma.record('"to both of you"')["message_id"] == at_tablet.record('"to both of you"')["message_id"]
        tablet.run("send", ben.number, "from the tablet").ok()
        assert at_emma.record('"from the tablet"')["kind"] == "message-sent"
    emma.run("devices", "remove", "2").ok()
    assert len(emma.run("-o", "json", "devices", "list").ok().records) == 1


def test_sr01_a_number_without_keys_is_refused_and_its_token_works_once_in_its_chat(ana: User) -> None:
    """SR-01: exit code 7, nothing sent; the token is for one chat and one decision."""
    with ana.listen() as listening:
        first = ana.run("-o", "json", "send", "+15559901", "secret?")
        other = ana.run("-o", "json", "send", "+15559902", "secret?")
        for refused in (first, other):
            assert refused.code == 7
            assert refused.out == ""
            assert refused.error["reason"] == "no-keys-found"
            assert refused.error["exit"] == 7
        token, of_other = (refused.error["options"][0]["allow"] for refused in (first, other))

        text = ana.run("send", "+15559901", "secret?")
        assert text.code == 7
        assert "letterlock: error: not sent: no keys found" in text.err
        assert f"letterlock: hint: to send it unencrypted, readable for the carriers: --allow {token}" in text.err

        for wrong in (of_other, "plain-rcs.0." + "00" * 16, "yes"):
            done = ana.run("-o", "json", "send", "+15559901", "x", "--allow", wrong)
            assert (done.code, done.error["error"]) == (1, "input.allow")

        allowed = ana.run("-o", "json", "send", "+15559901", "in the open", "--allow", token).ok()
        assert allowed.records[0]["security"] == "plain-rcs"
        sent = listening.record('"message-sent"')
        assert (sent["text"], sent["encrypted"]) == ("in the open", False)
        again = ana.run("-o", "json", "send", "+15559901", "x", "--allow", token)
        assert (again.code, again.error["error"]) == (1, "input.allow")
        # The other chat has not been decided.
        assert ana.run("send", "+15559902", "secret?").code == 7


def test_sr14_control_characters_of_a_peer_are_made_visible(ana: User, ben: User) -> None:
    """SR-14: a message cannot move the cursor, fake a line, or turn the reading direction."""
    nasty = "a\x1b[2Jb\x9bc\rd\u202ee\ng"
    with ana.listen(), ben.start("listen") as in_text, ben.listen("--consumer", "json") as in_json:
        in_text.note("listening")
        ana.run("send", ben.number, "-", typed=nasty).ok()
        line = in_text.line("2Jb")
        assert line.endswith(r"a\x1b[2Jb\x9bc\rd\u202ee\ng")
        raw = in_json.line("2Jb")
        assert raw.isascii()
        assert raw.isprintable()
    shown = ben.run("chats", ana.number, "--limit", "1").ok().out
    assert shown.rstrip("\n").isprintable()


def test_a_reader_who_goes_away_is_no_error(ana: User, ben: User) -> None:
    with ana.listen():
        ben.run("send", ana.number, "one").ok()
        ben.run("send", ana.number, "two").ok()
    with contextlib.ExitStack() as stack:
        listen = stack.enter_context(
            subprocess.Popen(
                command("listen", "--after", "0"), env=ana.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        assert listen.stdout is not None and listen.stderr is not None
        listen.stdout.readline()
        listen.stdout.close()
        with ben.listen():
            ben.run("send", ana.number, "nobody reads this any more").ok()
        assert listen.wait(30) == 0
        assert b"Traceback" not in listen.stderr.read()


def test_every_line_is_json_where_json_is_asked_for(ana: User, ben: User) -> None:
    for arguments in (
        ("chats",),
        ("chats", ben.number),
        ("devices",),
        ("doctor",),
        ("send", ben.number, "as json"),
        ("verify", ben.number),
        ("send", "12", "no number"),
        ("chats", "--limit", "x"),
        ("nonsense",),
    ):
        done = ana.run("-o", "json", *arguments)
        assert done.records is not None
        if done.code:
            assert {"error", "message", "hint", "exit"} <= set(done.error)
            assert done.error["exit"] == done.code
    # Behind the verb, and from the environment, it means the same.
    for same in (ana.run("chats", "-o", "json"), ana.run("chats", LETTERLOCK_OUTPUT="json")):
        assert same.ok().records == ana.run("-o", "json", "chats").records

"""What the page says came of an attack: by what the phones said, and by nothing else."""

from __future__ import annotations

from typing import Any

from letterlock.apps.demo.trial import Trial

ANA, BEN = "+15550100", "+15550199"


def trial(attack: str) -> Trial:
    return Trial(attack, 1_000, ANA, BEN)


def saying(kind: str, phone: str = BEN, message_id: str = "m", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "phone": phone, "message_id": message_id, "at": 2_000, **more}


def struck(attack: str) -> Trial:
    followed = trial(attack)
    followed.heard(saying("message-sent", ANA, text="as written"))
    followed.struck("m", ANA, 2_000)
    return followed


def test_it_arrived_when_the_text_is_there_once_as_it_was_written_and_its_sender_knows() -> None:
    followed = struck("tamper")
    followed.heard(saying("message-received", encrypted=True, text="as written"))
    assert followed.verdict == "received"
    followed.heard(saying("message-delivered", ANA, authenticated=True))
    assert followed.verdict == "arrived"


def test_what_was_believed_doubled_or_forged_is_said() -> None:
    altered = struck("tamper")
    altered.heard(saying("message-received", encrypted=True, text="as altered"))
    assert altered.verdict == "believed"
    doubled = struck("duplicate")
    for _ in range(2):
        doubled.heard(saying("message-received", encrypted=True, text="as written"))
    assert doubled.verdict == "doubled"
    forged = struck("forge")
    forged.heard(saying("message-delivered", ANA, authenticated=False))
    assert forged.verdict == "believed"


def test_much_that_is_said_hides_no_end() -> None:
    followed = struck("drop")
    for _ in range(100):
        followed.heard(saying("message-missing", message_id=""))
    followed.heard(saying("message-received", encrypted=True, text="as written"))
    followed.heard(saying("message-delivered", ANA, authenticated=True))
    assert followed.verdict == "arrived"
    assert len(followed.steps) <= 24
    assert followed.steps[-1]["kind"] == "message-delivered"


def test_what_the_sender_cannot_read_is_not_about_what_was_hit() -> None:
    followed = struck("rename")
    assert not followed.heard(saying("message-unreadable", ANA, "another"))
    assert followed.verdict == "hit"
    assert followed.heard(saying("message-unreadable", BEN, "another"))
    assert followed.verdict == "unread"


def test_an_impostor_who_is_known_has_not_come_to_nothing() -> None:
    for again, verdict in ((False, "unchanged"), (True, "known")):
        followed = trial("impostor")
        followed.settled(again)
        assert followed.verdict == verdict
    followed.heard(saying("keys-changed", ANA, chat=BEN))
    assert followed.verdict == "noticed"


def test_hidden_keys_have_worked_when_the_chat_is_plain_and_not_when_it_says_anything_else() -> None:
    followed = trial("hide")
    followed.settled()
    followed.heard(saying("security-changed", ANA, chat=BEN, state="keys-new"))
    assert followed.verdict == "unchanged"
    followed.heard(saying("security-changed", ANA, chat=BEN, state="plain-rcs"))
    assert followed.verdict == "accepted"

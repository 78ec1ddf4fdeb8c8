"""Who is let in: pure, with the clock as a number (SR-16)."""

from __future__ import annotations

import itertools

from letterlock.apps.daemon.sessions import Session, Sessions


class Counted:
    """Random bytes that are different each time."""

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def __call__(self, size: int) -> bytes:
        return next(self._next).to_bytes(size, "big")


def sessions(instance: str = "ana", most_sessions: int = 3, most_logins: int = 3) -> Sessions:
    return Sessions(
        instance, rng=Counted(), login_s=120, session_s=3600, most_sessions=most_sessions, most_logins=most_logins
    )


def entered(who: Sessions) -> str:
    """The cookie of somebody who has just logged in."""
    told = who.login(who.offer(0), 0)
    assert told is not None
    return told.cookie


def test_a_login_token_works_once() -> None:
    """SR-16: whoever finds the address later, in a history or a screenshot, finds nothing."""
    who = sessions()
    token = who.offer(0)
    told = who.login(token, 1)
    assert told is not None and who.of_cookies(f"{who.cookie}={told.cookie}", 2) is not None
    assert who.login(token, 3) is None


def test_a_login_token_ends_after_two_minutes() -> None:
    who = sessions()
    early, late = who.offer(0), who.offer(0)
    assert who.login(early, 119.9) is not None
    assert who.login(late, 120) is None


def test_a_token_that_came_too_late_does_not_come_back() -> None:
    who = sessions()
    token = who.offer(0)
    assert who.login(token, 121) is None
    assert who.login(token, 1) is None


def test_wrong_tokens_are_none() -> None:
    who = sessions()
    token = who.offer(0)
    assert [who.login(wrong, 0) for wrong in ("", "x", token[:-1], token + "0", token.upper() + "\udcff")] == [None] * 5
    assert who.login(token, 0) is not None


def test_only_so_many_tokens_stand_and_the_oldest_goes() -> None:
    who = sessions()
    tokens = [who.offer(0) for _ in range(4)]
    assert who.login(tokens[0], 0) is None
    assert all(who.login(token, 0) for token in tokens[1:])


def test_only_so_many_browsers_are_logged_in_and_the_oldest_goes() -> None:
    who, ended = sessions(most_sessions=2), list[Session]()
    who.ended = ended.append
    values = [entered(who) for _ in range(3)]
    known = [who.of_cookies(f"{who.cookie}={value}", 0) for value in values]
    assert known[0] is None and known[1] is not None and known[2] is not None
    assert len(ended) == 1


def test_a_session_that_says_nothing_ends_and_one_that_asks_goes_on() -> None:
    who, ended = sessions(), list[Session]()
    who.ended = ended.append
    quiet, busy = (f"{who.cookie}={entered(who)}" for _ in range(2))
    assert who.of_cookies(busy, 3000) is not None
    assert who.of_cookies(quiet, 3600) is None
    assert who.of_cookies(busy, 6000) is not None
    assert len(ended) == 1


def test_a_page_that_is_open_stays_logged_in() -> None:
    who = sessions()
    cookie = f"{who.cookie}={entered(who)}"
    session = who.of_cookies(cookie, 0)
    assert session is not None
    who.alive(session, 3599)
    assert who.of_cookies(cookie, 7000) is session
    who.end(session)
    who.alive(session, 7001)
    assert who.of_cookies(cookie, 7002) is None


def test_a_cookie_of_another_daemon_is_none_here() -> None:
    """SR-16: cookies ignore ports, so both daemons get both cookies."""
    ana, ben = sessions("ana"), sessions("ben")
    mine, theirs = entered(ana), entered(ben)
    # The same random bytes, so that only the name of the cookie tells them apart.
    assert mine == theirs
    assert ben.of_cookies(f"{ana.cookie}={mine}", 0) is None
    assert ben.of_cookies(f"{ana.cookie}={mine}; {ben.cookie}={theirs}", 0) is not None


def test_a_cookie_that_another_port_set_beside_ours_does_not_hide_it() -> None:
    who = sessions()
    value = entered(who)
    assert who.of_cookies(f"{who.cookie}=planted; {who.cookie}={value}", 0) is not None
    assert who.of_cookies(f"{who.cookie}=planted", 0) is None
    assert who.of_cookies(f"x{who.cookie}={value}; {who.cookie}x={value}; {value}; =", 0) is None


def test_the_bearer_token_is_of_this_start_alone() -> None:
    who = sessions()
    assert who.of_authorization("Bearer ") is None and who.of_authorization("") is None
    first = who.bearer()
    found = who.of_authorization(f"bearer {first}")
    assert found is not None and not found.browser
    assert who.of_authorization(f"Basic {first}") is None
    second = who.bearer()
    assert who.of_authorization(f"Bearer {first}") is None
    assert who.of_authorization(f"Bearer {second}") is not None
    who.end_all()
    assert who.of_authorization(f"Bearer {second}") is None and who.of_authorization("Bearer ") is None


def test_no_secret_is_kept_or_shown() -> None:
    """SR-10: only hashes are kept, so that nothing that prints an object prints a way in."""
    who = sessions()
    token, bearer = who.offer(0), who.bearer()
    told = who.login(who.offer(0), 0)
    assert told is not None
    kept = repr([getattr(who, name) for name in vars(who)]) + repr(told)
    assert not any(secret in kept for secret in (token, bearer, told.cookie, told.proof))

"""Digest authentication, both sides: the RFCs' examples, what is refused, replay and ageing."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.sip import Challenge, Credentials, Headers, Request, Response
from letterlock.errors import ProtocolError
from letterlock.sip.authenticator import Attempt, Authenticator
from letterlock.sip.digest import DigestClient, blank_credentials, digest_response, ha1
from letterlock.sip.digest_server import DigestServer, Outcome

REALM = "ims.example.test"
URI = "sip:ims.example.test"


def counting_rng() -> Callable[[int], bytes]:
    counter = itertools.count()
    return lambda n: hashlib.shake_256(next(counter).to_bytes(8, "big")).digest(n)


def server(**options: object) -> DigestServer:
    passwords = {"ana": "correct horse"}
    return DigestServer(REALM, b"k" * 32, passwords.get, **options)  # type: ignore[arg-type]


# --- the RFCs' own numbers -------------------------------------------------------------------------
def test_rfc2617_section_3_5() -> None:
    assert (
        digest_response(
            algorithm=None,
            ha1_hex=ha1(None, "Mufasa", "testrealm@host.com", "Circle Of Life"),
            method="GET",
            uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop="auth",
            nc=1,
            cnonce="0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc7616_section_3_9_1(algorithm: str, response: str) -> None:
    assert (
        digest_response(
            algorithm=algorithm,
            ha1_hex=ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life"),
            method="GET",
            uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop="auth",
            nc=1,
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        == response
    )


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_without_qop_it_is_the_rfc2069_form() -> None:
    client = DigestClient("ana", "pw", counting_rng())
    client.accept(['Digest realm="r", nonce="n"'])
    given_ = Credentials.parse(client.credentials("REGISTER", "sip:r"))
    assert (given_.qop, given_.cnonce, given_.nc, given_.algorithm) == (None, None, None, None)
    assert given_.response == md5(f"{md5('ana:r:pw')}:n:{md5('REGISTER:sip:r')}")


def test_session_variant_and_auth_int_by_hand() -> None:
    client = DigestClient("ana", "pw", counting_rng())
    client.accept(['Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth-int"'])
    given_ = Credentials.parse(client.credentials("MESSAGE", "sip:r", b"body"))
    inner = md5(f"{md5('ana:r:pw')}:n:{given_.cnonce}")
    outer = md5(f"MESSAGE:sip:r:{md5('body')}")
    assert given_.response == md5(f"{inner}:n:00000001:{given_.cnonce}:auth-int:{outer}")


# --- the client ------------------------------------------------------------------------------------
def test_the_strongest_known_challenge_is_taken() -> None:
    client = DigestClient("ana", "pw", counting_rng())
    taken = client.accept(
        [
            "NoSuchScheme x=y",
            'Digest realm="r", nonce="a", algorithm=SHA-512-256, qop="auth"',
            'Digest realm="r", nonce="b", algorithm=MD5, qop="auth"',
            'Digest realm="r", nonce="c", algorithm=SHA-256, qop="auth"',
            'Digest realm="r", nonce="d", algorithm=SHA-256, qop="unknown"',
        ]
    )
    assert taken.nonce == "c"
    strict = DigestClient("ana", "pw", counting_rng(), algorithms=("SHA-256",))
    with pytest.raises(ProtocolError):
        strict.accept(['Digest realm="r", nonce="b", algorithm=MD5'])
    with pytest.raises(ProtocolError):
        strict.accept([])


def test_the_nonce_count_rises_and_starts_anew() -> None:
    client = DigestClient("ana", "pw", counting_rng())
    client.accept(['Digest realm="r", nonce="n", qop="auth"'])
    assert [Credentials.parse(client.credentials("A", "sip:r")).nc for _ in range(3)] == [1, 2, 3]
    client.accept(['Digest realm="r", nonce="m", qop="auth"'])
    assert Credentials.parse(client.credentials("A", "sip:r")).nc == 1


def test_the_password_is_in_no_repr() -> None:
    """SR-10."""
    assert "hunter2" not in repr(DigestClient("ana", "hunter2", counting_rng()))
    assert "hunter2" not in repr(Authenticator("ana", "hunter2", counting_rng()))


# --- the server --------------------------------------------------------------------------------------
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [("auth",), ("auth", "auth-int"), ()])
def test_client_and_server_agree(algorithm: str, qop: tuple[str, ...]) -> None:
    judge = server(algorithms=(algorithm,), qop=qop)
    client = DigestClient("ana", "correct horse", counting_rng())
    client.accept(judge.challenge(1000, counting_rng()))
    for now in (1000, 2000, 3000):
        verdict = judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, now)
        assert (verdict.outcome, verdict.username) == (Outcome.ACCEPTED, "ana")


def test_absent_and_blank_credentials_are_challenged() -> None:
    judge = server()
    assert judge.verify([], "REGISTER", URI, 0).outcome is Outcome.ABSENT
    blank = blank_credentials("ana", REALM, URI)
    assert Credentials.parse(blank).nonce == ""
    assert judge.verify([blank, "Basic x", "Digest junk"], "REGISTER", URI, 0).outcome is Outcome.ABSENT


def test_replay_is_stale() -> None:
    judge = server()
    client = DigestClient("ana", "correct horse", counting_rng())
    client.accept(judge.challenge(1000, counting_rng()))
    first, second = (client.credentials("REGISTER", URI) for _ in range(2))
    assert judge.verify([second], "REGISTER", URI, 1001).outcome is Outcome.ACCEPTED
    assert judge.verify([second], "REGISTER", URI, 1002).outcome is Outcome.STALE
    assert judge.verify([first], "REGISTER", URI, 1003).outcome is Outcome.STALE


def test_old_future_and_foreign_nonces_are_stale() -> None:
    judge = server(lifetime_ms=1000)
    for issued, now in ((1000, 2001), (5000, 4000)):
        client = DigestClient("ana", "correct horse", counting_rng())
        client.accept(judge.challenge(issued, counting_rng()))
        assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, now).outcome is Outcome.STALE
    other = DigestServer(REALM, b"x" * 32, {"ana": "correct horse"}.get)
    client = DigestClient("ana", "correct horse", counting_rng())
    client.accept(other.challenge(1000, counting_rng()))
    assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, 1000).outcome is Outcome.STALE


def test_every_changed_nonce_character_is_noticed() -> None:
    judge = server()
    nonce = Challenge.parse(judge.challenge(1000, counting_rng())[0]).nonce
    for at in range(len(nonce)):
        changed = nonce[:at] + ("A" if nonce[at] != "A" else "B") + nonce[at + 1 :]
        client = DigestClient("ana", "correct horse", counting_rng())
        client.accept([Challenge(REALM, changed, "SHA-256", ("auth",)).encode()])
        assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, 1000).outcome is Outcome.STALE


def test_wrong_password_user_uri_method_and_missing_fields() -> None:
    judge = server()
    for username, password in (("ana", "wrong"), ("ana", ""), ("nobody", "correct horse"), ("nobody", "")):
        client = DigestClient(username, password, counting_rng())
        client.accept(judge.challenge(1000, counting_rng()))
        assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, 1000).outcome is Outcome.WRONG
    client = DigestClient("ana", "correct horse", counting_rng())
    client.accept(judge.challenge(1000, counting_rng()))
    good = client.credentials("REGISTER", URI)
    assert judge.verify([good], "REGISTER", "sip:else", 1000).outcome is Outcome.WRONG
    assert judge.verify([good], "MESSAGE", URI, 1000).outcome is Outcome.WRONG
    nc_less = good.replace(", nc=00000001", "")
    assert nc_less != good
    assert judge.verify([nc_less], "REGISTER", URI, 1000).outcome is Outcome.WRONG
    # The weaker form must not be a way round the count.
    bare = Credentials.parse(good)
    plain = digest_response(
        algorithm="SHA-256",
        ha1_hex=ha1("SHA-256", "ana", REALM, "correct horse"),
        method="REGISTER",
        uri=URI,
        nonce=bare.nonce,
    )
    downgraded = Credentials("ana", REALM, bare.nonce, URI, plain, "SHA-256").encode()
    assert judge.verify([downgraded], "REGISTER", URI, 1000).outcome is Outcome.WRONG
    assert judge.verify([good], "REGISTER", URI, 1000).outcome is Outcome.ACCEPTED


def test_an_algorithm_that_was_not_offered_is_wrong() -> None:
    judge = server(algorithms=("SHA-256",))
    client = DigestClient("ana", "correct horse", counting_rng())
    nonce = Challenge.parse(judge.challenge(1000, counting_rng())[0]).nonce
    client.accept([Challenge(REALM, nonce, "MD5", ("auth",)).encode()])
    assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, 1000).outcome is Outcome.WRONG


def test_a_nonce_that_was_forgotten_does_not_come_back() -> None:
    """SR-08: the table is bounded; SR-05: and its bound opens no replay."""
    judge = server(tracked=2)
    rng = counting_rng()
    clients = []
    for issued in (1000, 1001, 1002):
        client = DigestClient("ana", "correct horse", rng)
        client.accept(judge.challenge(issued, rng))
        clients.append(client)
    first = clients[0].credentials("REGISTER", URI)
    assert judge.verify([first], "REGISTER", URI, 2000).outcome is Outcome.ACCEPTED
    for client in clients[1:]:
        assert judge.verify([client.credentials("REGISTER", URI)], "REGISTER", URI, 2000).outcome is Outcome.ACCEPTED
    assert judge.verify([first], "REGISTER", URI, 2001).outcome is Outcome.STALE


@given(st.text(max_size=100))
def test_any_header_gives_a_verdict(text: str) -> None:
    """SR-09."""
    judge = server()
    for prefix in ("", 'Digest username="ana", realm="ims.example.test", nonce="', "Digest "):
        assert judge.verify([prefix + text], "REGISTER", URI, 0).outcome is not Outcome.ACCEPTED


# --- 401 and 407 --------------------------------------------------------------------------------------------
def request(method: str = "MESSAGE") -> Request:
    return Request(method, URI, Headers([("CSeq", f"1 {method}")]))


def challenge(status: int, nonce: str, *, stale: bool = False) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    text = Challenge(REALM, nonce, "SHA-256", ("auth",), stale=stale).encode()
    return Response(status, "", Headers([(name, text)]))


def test_407_goes_to_proxy_authorization_and_later_requests_carry_it_at_once() -> None:
    auth = Authenticator("ana", "pw", counting_rng())
    first = auth.first(request())
    assert "Proxy-Authorization" not in first.request.headers
    second = auth.answer(first, challenge(407, "n1"))
    assert second is not None
    assert second.request.headers.get("CSeq") == "2 MESSAGE"
    assert "Authorization" not in second.request.headers
    assert "Proxy-Authorization" in second.request.headers
    again = auth.first(request())
    assert Credentials.parse(again.request.headers.get("Proxy-Authorization") or "").nc == 2
    # REGISTER goes to another server, which has given no nonce yet.
    assert "Proxy-Authorization" not in auth.first(request("REGISTER")).request.headers


def test_a_second_challenge_means_a_wrong_password_unless_stale() -> None:
    auth = Authenticator("ana", "pw", counting_rng())
    second = auth.answer(auth.first(request()), challenge(401, "n1"))
    assert second is not None
    assert auth.answer(second, challenge(401, "n2")) is None
    third = auth.answer(second, challenge(401, "n2", stale=True))
    assert third is not None
    assert auth.answer(third, challenge(401, "n3", stale=True)) is None  # for ever stale: no endless loop


def test_proxy_and_server_may_both_ask() -> None:
    auth = Authenticator("ana", "pw", counting_rng())
    second = auth.answer(auth.first(request()), challenge(407, "p"))
    assert second is not None
    third = auth.answer(second, challenge(401, "w"))
    assert third is not None
    assert "Authorization" in third.request.headers
    assert "Proxy-Authorization" in third.request.headers


def test_no_answer_to_what_is_no_challenge() -> None:
    auth = Authenticator("ana", "pw", counting_rng())
    for response in (Response(403, "", Headers()), Response(401, "", Headers()), challenge(407, "n" * 5000)):
        assert auth.answer(Attempt(request()), response) is None


def test_a_nonce_that_is_offered_again_goes_on_counting() -> None:
    """Two requests under way are challenged with one nonce: a count used twice would be a replay (RFC 7616 3.4)."""
    client = DigestClient("ana", "pw", counting_rng())
    for expected in (1, 2):
        client.accept(['Digest realm="r", nonce="n", qop="auth"'])
        assert Credentials.parse(client.credentials("MESSAGE", "sip:r")).nc == expected


@pytest.mark.parametrize("algorithm", ["MD5-\u017fESS", "\u017fHA-256"])
def test_an_algorithm_that_only_looks_like_one_is_passed_over(algorithm: str) -> None:
    """`upper()` folds letters of other scripts into ASCII ones; what comes out of a challenge must go back in."""
    with pytest.raises(ProtocolError):
        DigestClient("ana", "pw", counting_rng()).accept([f'Digest realm="r", nonce="n", algorithm="{algorithm}"'])

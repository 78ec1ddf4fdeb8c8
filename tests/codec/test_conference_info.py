"""application/conference-info+xml (RFC 4575): documents, and views put together from them (section 4.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance_cases import Case, load_cases
from letterlock.codec.conference_info import (
    ConferenceInfo,
    Disconnection,
    EncryptedDescription,
    Endpoint,
    EndpointStatus,
    Joining,
    State,
    User,
    decode_conference_info,
    encode_conference_info,
)
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError, LimitExceeded, ProtocolError
from letterlock.sip.conference_state import is_participant, updated

LIMITS = XmlLimits(max_size=1024 * 1024, max_depth=12, max_elements=20_000)
CASES = {case.id: case for case in load_cases("conference") if case.options["document"] == "roster"}
FOCUS = "sip:conf-1@rcs.example.test"


def read(data: bytes, max_users: int = 4000) -> ConferenceInfo:
    return decode_conference_info(data, LIMITS, max_users=max_users)


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_each_case_has_its_verdict(case: Case) -> None:
    if case.accepted:
        read(case.data)
        return
    with pytest.raises(DecodeError) as caught:
        read(case.data)
    assert caught.value.code == case.code


def test_what_the_examples_say() -> None:
    basic = read(CASES["roster-basic"].data)
    assert (basic.entity, basic.version, basic.state) == ("sips:conf233@example.com", 1, State.FULL)
    assert (basic.subject, basic.user_count) == ("Agenda: This month's goals", 33)
    bob, alice = basic.users or ()
    assert bob == User(
        "sip:bob@example.com",
        "Bob Hoskins",
        None,
        (
            Endpoint(
                "sip:bob@pc33.example.com",
                EndpointStatus.DISCONNECTED,
                disconnection=Disconnection.DEPARTED,
                removed_by="sip:mike@example.com",
            ),
        ),
    )
    assert alice.endpoints[0].joining is Joining.DIALED_OUT
    assert alice.endpoints[0].joined_by == "sip:mike@example.com"
    assert [is_participant(user) for user in (bob, alice)] == [False, True]

    rich = read(CASES["roster-rich"].data)
    assert (rich.state, rich.maximum_user_count, rich.active, rich.locked) == (State.PARTIAL, 100, True, False)
    assert rich.users is not None
    assert rich.users[0].roles == ("participant",)


def test_values_that_were_added_later_are_as_good_as_absent() -> None:
    data = (
        b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="c" version="1"><users>'
        b'<user entity="u"><endpoint entity="e"><status>dreaming</status></endpoint></user></users></conference-info>'
    )
    assert read(data).users == (User("u", endpoints=(Endpoint("e"),)),)


def test_section_4_4_what_a_deleted_user_holds_is_ignored() -> None:
    data = (
        b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="c" version="1" state="partial">'
        b'<users state="partial"><user entity="u" state="deleted"><display-text>still here</display-text>'
        b"</user></users></conference-info>"
    )
    assert read(data).users == (User("u", state=State.DELETED),)


def test_section_5_2_a_full_document_has_its_mandatory_children() -> None:
    data = encode_conference_info(ConferenceInfo(FOCUS, 1))
    assert b"<conference-description>" in data
    assert b"<users>" in data


def test_sr_08_the_number_of_users_is_bounded() -> None:
    def document(count: int) -> bytes:
        return encode_conference_info(ConferenceInfo(FOCUS, 1, users=tuple(User(f"sip:{i}@h") for i in range(count))))

    assert len(read(document(8), 8).users or ()) == 8
    with pytest.raises(LimitExceeded) as caught:
        read(document(9), 8)
    assert caught.value.code == "conference_info.limit"


# --- reading back ----------------------------------------------------------------------------------
TEXT = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)
MAYBE = st.none() | TEXT


def endpoints(states: list[State]) -> st.SearchStrategy[tuple[Endpoint, ...]]:
    one = st.builds(
        Endpoint,
        TEXT,
        st.none() | st.sampled_from(EndpointStatus),
        st.none() | st.sampled_from(Joining),
        MAYBE,
        st.none() | st.sampled_from(Disconnection),
        MAYBE,
        st.sampled_from(states),
    )
    return st.lists(one, max_size=3, unique_by=lambda item: item.entity).map(tuple)


ROLES = st.none() | st.lists(TEXT, min_size=1, max_size=2).map(tuple)
FULL_USER = st.builds(User, TEXT, MAYBE, ROLES, endpoints([State.FULL]))
PARTIAL_USER = st.builds(User, TEXT, MAYBE, ROLES, endpoints(list(State)), st.just(State.PARTIAL))
DELETED_USER = st.builds(User, TEXT, state=st.just(State.DELETED))


def documents(state: State, users_state: State, user: st.SearchStrategy[User]) -> st.SearchStrategy[ConferenceInfo]:
    number = st.none() | st.integers(0, 2**32 - 1)
    truth = st.none() | st.booleans()
    users = st.lists(user, max_size=5, unique_by=lambda item: item.entity).map(tuple)
    return st.builds(
        ConferenceInfo,
        st.just(FOCUS),
        st.integers(0, 2**32 - 1),
        st.just(state),
        MAYBE,
        MAYBE,
        number,
        number,
        truth,
        truth,
        users,
        st.just(users_state),
    )


FULL = documents(State.FULL, State.FULL, FULL_USER)
PARTIAL = documents(State.PARTIAL, State.PARTIAL, FULL_USER | PARTIAL_USER | DELETED_USER)


@given(FULL | PARTIAL)
def test_a_document_reads_back_as_it_was(info: ConferenceInfo) -> None:
    assert read(encode_conference_info(info)) == info


# --- putting together ------------------------------------------------------------------------------
def user(number: int, status: EndpointStatus = EndpointStatus.CONNECTED, **more: object) -> User:
    return User(f"sip:{number}@h", endpoints=(Endpoint("e", status, **more),))  # type: ignore[arg-type]


def test_the_first_document_must_be_whole() -> None:
    with pytest.raises(ProtocolError) as caught:
        updated(None, ConferenceInfo(FOCUS, 1, State.PARTIAL), max_users=9)
    assert caught.value.code == "conference.gap"


def test_a_missing_document_is_noticed() -> None:
    view = updated(None, ConferenceInfo(FOCUS, 4, users=(user(1),)), max_users=9)
    with pytest.raises(ProtocolError) as caught:
        updated(view, ConferenceInfo(FOCUS, 6, State.PARTIAL), max_users=9)
    assert caught.value.code == "conference.gap"


def test_old_news_changes_nothing() -> None:
    view = ConferenceInfo(FOCUS, 4, subject="new", users=(user(1),))
    for version in (3, 4):
        assert updated(view, ConferenceInfo(FOCUS, version, subject="old"), max_users=9) is view


def test_another_conference_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        updated(ConferenceInfo(FOCUS, 4), ConferenceInfo("sip:conf-2@h", 5), max_users=9)
    assert caught.value.code == "conference.entity"


def test_changes_are_applied_by_key() -> None:
    view = ConferenceInfo(FOCUS, 1, subject="lunch", users=(user(1), user(2), user(3)))
    gone = user(2, EndpointStatus.DISCONNECTED, disconnection=Disconnection.BOOTED)
    change = ConferenceInfo(
        FOCUS,
        2,
        State.PARTIAL,
        user_count=3,
        users=(
            gone,
            User("sip:3@h", state=State.DELETED),
            user(4, EndpointStatus.PENDING),
            User(
                "sip:1@h",
                "Ana",
                endpoints=(Endpoint("e", EndpointStatus.ON_HOLD, state=State.PARTIAL),),
                state=State.PARTIAL,
            ),
        ),
        users_state=State.PARTIAL,
    )
    after = updated(view, change, max_users=9)
    assert after.subject == "lunch"
    assert after.user_count == 3
    assert {item.entity: item.endpoints[0].status for item in after.users or ()} == {
        "sip:1@h": EndpointStatus.ON_HOLD,
        "sip:2@h": EndpointStatus.DISCONNECTED,
        "sip:4@h": EndpointStatus.PENDING,
    }
    assert [is_participant(item) for item in after.users or ()] == [True, False, True]


def test_sr_08_a_view_does_not_grow_without_bound() -> None:
    view = ConferenceInfo(FOCUS, 1, users=tuple(user(i) for i in range(8)))
    change = ConferenceInfo(FOCUS, 2, State.PARTIAL, users=(user(9),), users_state=State.PARTIAL)
    assert len(updated(view, change, max_users=9).users or ()) == 9
    with pytest.raises(LimitExceeded):
        updated(view, change, max_users=8)


@given(FULL, PARTIAL)
def test_any_change_leads_to_a_whole_view(view: ConferenceInfo, change: ConferenceInfo) -> None:
    """Applied as by the table of section 4.6, and what comes out could be sent as a full document."""
    view = replace(view, version=1)
    after = updated(view, replace(change, version=2), max_users=100)
    assert read(encode_conference_info(after)) == after
    expected = {item.entity for item in view.users or ()}
    for item in change.users or ():
        (expected.discard if item.state is State.DELETED else expected.add)(item.entity)
    assert {item.entity for item in after.users or ()} == expected


ENCRYPTED = ConferenceInfo(
    entity=FOCUS,
    version=3,
    state=State.PARTIAL,
    encrypted_subject=EncryptedDescription("4s4QaqWOQAY=", "tel:+15550100", "2026-11-23T10:00:00Z"),
    encrypted_icon=EncryptedDescription(""),
    mls_group_info=b"\x00\x01\x00\x04group",
)


def test_what_is_encrypted_for_the_members() -> None:
    """rcc16.md 2.6: empty text is a deletion, absence is no change."""
    assert read(encode_conference_info(ENCRYPTED)) == ENCRYPTED
    before = replace(ENCRYPTED, version=2, state=State.FULL, encrypted_icon=EncryptedDescription("https://c.test/i"))
    after = updated(before, ENCRYPTED, max_users=10)
    assert after.encrypted_icon == EncryptedDescription("")
    later = ConferenceInfo(entity=FOCUS, version=4, state=State.PARTIAL)
    kept = updated(after, later, max_users=10)
    assert (kept.encrypted_subject, kept.mls_group_info) == (ENCRYPTED.encrypted_subject, ENCRYPTED.mls_group_info)


def test_a_group_info_that_is_not_base64() -> None:
    data = encode_conference_info(ENCRYPTED).replace(b"AAEABGdyb3Vw", b"AAEABGdyb3V")
    with pytest.raises(DecodeError) as caught:
        read(data)
    assert caught.value.code == "conference_info.group_info"

"""application/resource-lists+xml (RFC 4826, 5364, 5366) and OMA's group data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance_cases import Case, load_cases
from letterlock.codec import group_data
from letterlock.codec.group_data import GroupData, GroupTarget
from letterlock.codec.resource_lists import CopyControl, ListEntry, decode_resource_list, encode_resource_list
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError, LimitExceeded

LIMITS = XmlLimits(max_size=256 * 1024, max_depth=8, max_elements=4096)
CASES = {case.id: case for case in load_cases("conference") if case.options["document"] == "list"}

TEXT = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1)
    .map(str.strip)
    .filter(bool)
)
ENTRIES = st.lists(
    st.builds(
        ListEntry, TEXT, st.sampled_from(CopyControl), st.booleans(), st.integers(1, 10**9 - 1), st.just("") | TEXT
    ),
    unique_by=lambda entry: entry.uri,
).map(tuple)


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_each_case_has_its_verdict(case: Case) -> None:
    if case.accepted:
        decode_resource_list(case.data, LIMITS, max_entries=8)
        return
    with pytest.raises(DecodeError) as caught:
        decode_resource_list(case.data, LIMITS, max_entries=8)
    assert caught.value.code == case.code


def test_what_the_examples_say() -> None:
    def read(name: str) -> tuple[ListEntry, ...]:
        return decode_resource_list(CASES[name].data, LIMITS, max_entries=8)

    assert read("list-copy-control") == (
        ListEntry("sip:bill@example.com", CopyControl.TO),
        ListEntry("sip:joe@example.org", CopyControl.CC),
        ListEntry("sip:ted@example.net", CopyControl.BCC),
    )
    assert read("list-other-spelling") == (
        ListEntry("sip:randy@example.net", CopyControl.TO, anonymize=True),
        ListEntry("sip:anonymous@anonymous.invalid", CopyControl.CC, count=2),
    )
    # RFC 5366 section 4: more than a flat list may be discarded; references are not followed (SR-14).
    assert read("list-hierarchical") == (
        ListEntry("sip:bill@example.com", display_name="Bill Doe"),
        ListEntry("sip:joe@example.com", display_name="Joe Smith"),
    )


def test_rfc_5364_section_4_without_a_copy_control_it_is_blind() -> None:
    data = b'<resource-lists><list><entry uri="sip:a@b"/></list></resource-lists>'
    assert decode_resource_list(data, LIMITS, max_entries=1)[0].copy is CopyControl.BCC


def test_rfc_5364_section_4_an_address_that_stands_twice_counts_once_with_the_highest_precedence() -> None:
    entries = [
        ListEntry("sip:a@b", CopyControl.BCC),
        ListEntry("sip:a@b", CopyControl.TO),
        ListEntry("sip:a@b", CopyControl.CC),
    ]
    assert decode_resource_list(encode_resource_list(entries), LIMITS, max_entries=1) == (
        ListEntry("sip:a@b", CopyControl.TO),
    )


def test_sr_08_the_number_of_entries_is_bounded() -> None:
    data = encode_resource_list(ListEntry(f"sip:{i}@b") for i in range(9))
    assert len(decode_resource_list(data, LIMITS, max_entries=9)) == 9
    with pytest.raises(LimitExceeded) as caught:
        decode_resource_list(data, LIMITS, max_entries=8)
    assert caught.value.code == "resource_lists.limit"


def test_a_thousand_entries_are_read() -> None:
    entries = tuple(ListEntry(f"sip:+1555{i:07}@rcs.example.test", CopyControl.TO) for i in range(1000))
    assert decode_resource_list(encode_resource_list(entries), LIMITS, max_entries=1000) == entries


@given(ENTRIES)
def test_a_list_reads_back_as_it_was(entries: tuple[ListEntry, ...]) -> None:
    assert decode_resource_list(encode_resource_list(entries), LIMITS, max_entries=1000) == entries


# --- group data ------------------------------------------------------------------------------------
@given(st.builds(GroupData, st.sampled_from(GroupTarget), st.none() | st.just("") | TEXT))
def test_a_change_reads_back_as_it_was(change: GroupData) -> None:
    assert group_data.decode_group_data(group_data.encode_group_data(change), LIMITS) == change


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<target-type>members</target-type><action-type>delete</action-type>", "group_data.target"),
        ("<action-type>delete</action-type>", "group_data.target"),
        ("<target-type>subject</target-type><action-type>shout</action-type>", "group_data.action"),
        ("<target-type>subject</target-type><action-type>set</action-type>", "group_data.data"),
        (
            "<target-type>subject</target-type><action-type>set</action-type><data><icon>x</icon></data>",
            "group_data.data",
        ),
    ],
)
def test_what_is_no_change_is_refused(inside: str, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        group_data.decode_group_data(f"<groupdata>{inside}</groupdata>".encode(), LIMITS)
    assert caught.value.code == code
    with pytest.raises(DecodeError) as caught:
        group_data.decode_group_data(b"<conference-info/>", LIMITS)
    assert caught.value.code == "group_data.root"

"""Values of RCC.16's wire for round trips and as honest examples: one of each kind, and strategies for many."""

from __future__ import annotations

from hypothesis import strategies as st

from letterlock.ids import Number
from letterlock.rcc16.wire.control import (
    Accepted,
    ClientMessage,
    CommitBundle,
    ControlLimits,
    ControlMessage,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    MetadataChange,
    MlsMessage,
    Operation,
    RosterChange,
    ServerMessage,
)
from letterlock.rcc16.wire.file_info import FileEncryptionInfo, FileInfo, FileMetadata

LIMITS = ControlLimits(max_size=1 << 20, max_roster=200, max_page=20)

_AUTHENTICATORS = st.binary(min_size=32, max_size=32)
_ERAS = st.integers(1, 0xFFFF_FFFF)
_IDS = st.from_regex(r"[A-Za-z0-9=-]{1,40}", fullmatch=True)
_MLS = st.binary(max_size=40).map(lambda tail: b"\x00\x01" + tail)
_NUMBERS = st.lists(st.integers(10**7, 10**9).map(lambda n: Number(f"+1{n}")), max_size=90).map(tuple)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

IDENTIFIERS = st.builds(EpochIdentifier, _ERAS, st.integers(0, 2**64 - 1), _AUTHENTICATORS)
ROSTERS = st.builds(RosterChange, _NUMBERS, _NUMBERS, st.booleans())
METADATA = st.builds(
    MetadataChange, st.none() | st.binary(max_size=40), st.none() | _TEXT, st.booleans(), st.booleans()
)
CLIENT_MESSAGES = st.builds(
    ClientMessage,
    operation=st.sampled_from(Operation),
    era=_ERAS,
    message_id=_IDS,
    commit=st.just(b"") | _MLS,
    proposal=st.just(b"") | _MLS,
    group_info=st.just(b"") | _MLS,
    ratchet_tree=st.binary(max_size=40),
    welcome=st.just(b"") | _MLS,
    base_epoch_authenticator=st.just(b"") | _AUTHENTICATORS,
    epoch_authenticator=st.just(b"") | _AUTHENTICATORS,
    key_delivery=st.just(b"") | _MLS,
    roster=st.none() | ROSTERS,
    metadata=st.none() | METADATA,
)
GROUP_INFOS = st.builds(GroupInfoMessage, _MLS, st.binary(min_size=1, max_size=40), _AUTHENTICATORS)
SERVER_MESSAGES: st.SearchStrategy[ServerMessage] = st.one_of(
    st.builds(MlsMessage, _MLS),
    st.builds(CommitBundle, _MLS, st.binary(max_size=40), st.just(b"") | _MLS, st.just(b"") | _AUTHENTICATORS),
    GROUP_INFOS,
    st.builds(Accepted, _IDS, st.none() | IDENTIFIERS),
)
PAGES = st.builds(
    EnhancedGroupInfo,
    IDENTIFIERS,
    GROUP_INFOS,
    st.lists(st.builds(ControlMessage, _IDS, SERVER_MESSAGES), max_size=6).map(tuple),
    st.none() | IDENTIFIERS,
)
_ENTRIES = st.builds(
    FileMetadata,
    _TEXT,
    _TEXT,
    st.builds(
        FileEncryptionInfo,
        _AUTHENTICATORS,
        st.binary(min_size=12, max_size=12),
        _AUTHENTICATORS,
        st.integers(0, 0xFFFF_FFFF),
    ),
)
FILE_INFOS = st.builds(FileInfo, *[st.none() | _ENTRIES] * 4)

IDENTIFIER = EpochIdentifier(7, 3, bytes(range(32)))
ENTRY = FileMetadata("a.jpg", "image/jpeg", FileEncryptionInfo(bytes(32), bytes(12), bytes(32), 15))
GROUP_INFO = GroupInfoMessage(b"\x00\x01\x00\x04info", b"\x02tree", bytes(32))
CLIENT_MESSAGE = ClientMessage(
    operation=Operation.COMMIT,
    era=7,
    message_id="m-1",
    commit=b"\x00\x01\x00\x01commit",
    group_info=b"\x00\x01\x00\x04info",
    ratchet_tree=b"tree",
    welcome=b"\x00\x01\x00\x03welcome",
    base_epoch_authenticator=bytes(32),
    epoch_authenticator=bytes(range(32)),
    key_delivery=b"\x00\x01\x00\x02keys",
    roster=RosterChange((Number("+15550100"),), (Number("+15550199"),), True),
    metadata=MetadataChange(b"subject", "https://c.test/1", False, True),
)
BUNDLE = CommitBundle(b"\x00\x01\x00\x01commit", b"tree", b"\x00\x01\x00\x02keys", bytes(32))
PAGE = EnhancedGroupInfo(
    IDENTIFIER,
    GROUP_INFO,
    (ControlMessage("m-1", BUNDLE), ControlMessage("m-2", MlsMessage(b"\x00\x01\x00\x01proposal"))),
    IDENTIFIER,
)

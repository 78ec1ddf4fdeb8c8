"""Writes vectors/rcc16/*.json: `PYTHONPATH=src:tests python -m rcc16.make_vectors`.

Always the same bytes from the same code, so that a test can compare what is committed with what would be written. Each
file has a description and cases; byte strings are lower-case hex. vectors/rcc16/recompute.py holds them against an
implementation of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from letterlock.codec.imdn import Disposition, Imdn, Status, encode_imdn
from letterlock.codec.tls import opaque
from letterlock.conversation_seam import PacketHeader
from letterlock.crypto.padme import padded_length
from letterlock.crypto.pyca import Pyca
from letterlock.ids import MessageId, Number
from letterlock.mls.wire.extensions import Extension, encode_extensions
from letterlock.mls.wire.proposals import CustomProposal, Proposal, SelfRemove, encode_proposal
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.files import SALT, SealedFile, seal_file
from letterlock.rcc16.identity_hash import identity_hash
from letterlock.rcc16.metadata import Slot, commitment, continuity_commitment
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.control import (
    Accepted,
    ClientMessage,
    CommitBundle,
    ControlMessage,
    EndReason,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    MetadataChange,
    MetadataKeys,
    MlsMessage,
    Operation,
    RosterChange,
    encode_client_message,
    encode_end_metadata,
    encode_enhanced_group_info,
    encode_epoch_identifier,
    encode_metadata_keys,
    encode_server_message,
)
from letterlock.rcc16.wire.derived_content import (
    Delivery,
    DeliveryStatus,
    DerivedContent,
    Display,
    DisplayStatus,
    Report,
    encode_derived_content,
    encode_report,
)
from letterlock.rcc16.wire.extensions import (
    END_MLS,
    ERA,
    EXTENSION_NAMES,
    ICON_COMMITMENT,
    Advance,
    end_mls_extension,
    era_extension,
    merge,
    metadata_keys_request_extension,
    next_era,
    opaque_extension,
)
from letterlock.rcc16.wire.file_info import FileInfo, FileMetadata, encode_file_info, encode_file_metadata
from letterlock.rcc16.wire.proposals import END_MLS_PROPOSAL, PROPOSAL_TYPES, RCS_SIGNATURE, SERVER_REMOVE
from letterlock.rcc16.wire.reasons import ClientReason, Reason, ServerReason, encode_negative_receipt, token_of
from letterlock.rcc16.wire.secret_payload import SecretPayload, encode_content, encode_secret_payload, text_entity

from .section11 import AAD, AUTHENTICATOR, IV, KEY, key_then_iv
from .vectors_certificates import certificates
from .vectors_group_life import group_life

__all__ = ["FOLDER", "VECTORS", "main", "text_of"]

FOLDER = Path(__file__).parents[2] / "vectors" / "rcc16"
_NUMBERS = OURS.control_numbers
_CRYPTO = Pyca()
_DIGEST = bytes(range(32))


def _authenticated_data() -> dict[str, Any]:
    return _file(
        "Authenticated data of messages and commits: u16 1 | opaque message_id<V> | u32 era | 00.",
        [
            {
                "message_id": message,
                "era": era,
                "source": "computed" if message.startswith("Mxg7") else "captured (rcc16.md 11.1)",
                "authenticated_data": encode_authenticated_data(MessageId(message), era).hex(),
            }
            for message, era in [*AAD, ("B1A6E0A4-7F4B-4C6F-9B1C-0C7C6E1D2F30", 0xFFFF_FFFF), ("m" * 64, 1)]
        ],
    )


def _secret_payload() -> dict[str, Any]:
    gsma, google = "http://www.gsma.com", "urn:rcs:message:reactions:"
    reaction = (
        PacketHeader(gsma, "Reference-ID", "mls-appmls-+15715550106-e6p3-2"),
        PacketHeader(gsma, "Reference-Type", "+Reaction"),
        PacketHeader(google, "Origin-Surface-Type", "1"),
    )
    bare = b"Content-Type: text/plain; charset=UTF-8\r\n\r\n"
    picture = b"Content-Type: image/png\r\nContent-Disposition: inline\r\nContent-Length: 4\r\n\r\n\x89PNG"
    cases: list[tuple[str, Sequence[PacketHeader], bytes, int, int]] = [
        ("a reaction, captured (rcc16.md 11.2)", reaction, bare + "\U0001f602".encode(), 3, 1),
        ("text without headers", (), text_entity("hello"), 2, 1),
        ("text of a length of two bytes", (), text_entity("é" * 40), 0, 1),
        ("a header that has to be escaped", (PacketHeader("urn:x", "A", "a\\b\tc"),), bare, 1, 1),
        ("binary content", (), picture, 0xFFFF_FFFF, 1),
        ("a type that nobody has seen", (), bare, 0, 4),
    ]
    return _file(
        "SecretPayload: u16 1 | u16 type | u32 generation | opaque content<V>; content is a block of CPIM headers with "
        "the declarations of its namespaces first, CRLF, and a MIME entity.",
        [
            {
                "what": what,
                "headers": [[one.namespace, one.name, one.value] for one in headers],
                "entity": entity.hex(),
                "generation": generation,
                "type": kind,
                "content": encode_content(headers, entity).hex(),
                "payload": encode_secret_payload(
                    SecretPayload(generation, encode_content(headers, entity), kind)
                ).hex(),
            }
            for what, headers, entity, generation, kind in cases
        ],
    )


def _receipts() -> dict[str, Any]:
    reports: list[tuple[str, Report]] = [
        (own, report)
        for own, reported in (("receipt-1", "abc"), ("Mx" + "r" * 22, "Mx" + "m" * 26))
        for report in (
            Delivery(DeliveryStatus.DELIVERED, MessageId(reported)),
            Delivery(DeliveryStatus.FAILED, MessageId(reported)),
            Delivery(DeliveryStatus.FAILED, MessageId(reported), ClientReason.FAILED_TO_DECRYPT),
            Delivery(DeliveryStatus.FORBIDDEN, MessageId(reported)),
            Delivery(DeliveryStatus.ERROR, MessageId(reported)),
            Display(DisplayStatus.DISPLAYED, MessageId(reported)),
            Display(DisplayStatus.FORBIDDEN, MessageId(reported)),
            Display(DisplayStatus.ERROR, MessageId(reported)),
        )
    ]
    reasons: list[Reason] = [*ClientReason, *ServerReason]
    when = "2026-11-23T05:00:00Z"
    shown = Imdn("m-1", when, Disposition.DISPLAY, Status.DISPLAYED)
    return _file(
        "Derived content, which a receipt's signature covers: u16 1 | opaque own_id<V> | u32 era | u8 type | inner | 00. "
        "Signed receipts stand in group-life.json. `documents` are the IMDN bodies of receipts.",
        [
            {
                "receipt_id": own,
                "era": 7,
                "type": 1 if isinstance(report, Delivery) else 2,
                "status": int(report.status),
                "message_id": report.message_id,
                **({"reason": report.reason} if isinstance(report, Delivery) else {}),
                "inner": encode_report(report).hex(),
                "derived_content": encode_derived_content(DerivedContent(MessageId(own), 7, report)).hex(),
            }
            for own, report in reports
        ],
        documents=[
            {
                "message_id": "m-1",
                "datetime": when,
                "arm": "client" if isinstance(reason, ClientReason) else "server",
                "number": int(reason),
                "name": token_of(reason),
                "document": encode_negative_receipt("m-1", when, reason).decode(),
            }
            for reason in reasons
        ],
        plain=[
            {"what": "failed without a reason", "document": encode_negative_receipt("m-1", when, None).decode()},
            {"what": "displayed", "document": encode_imdn(shown).decode()},
        ],
    )


def _extensions() -> dict[str, Any]:
    cases: list[tuple[str, Extension, str]] = [
        ("era 1, bare", era_extension(1), "00000001"),
        ("era 19, bare (published)", era_extension(19), "00000013"),
        ("end_mls of v3.0, bare text", end_mls_extension(EndReason.UNTRUSTED_ROOT, Revision.V3), b"end_mls".hex()),
        ("end_mls of v4.0, bare EndMlsMetadata", end_mls_extension(EndReason.UNTRUSTED_ROOT, Revision.V4), "0804"),
        ("a request for keys of v3.0, bare", metadata_keys_request_extension(Revision.V3), _REQUEST.hex()),
        ("a request for keys of v4.0, opaque", metadata_keys_request_extension(Revision.V4), _REQUEST.hex()),
        *(
            (f"{EXTENSION_NAMES[kind]}, opaque", opaque_extension(kind, _DIGEST), _DIGEST.hex())
            for kind in (0xF003, 0xF004, 0xF005, 0xF006, 0xF010, 0xF011)
        ),
    ]
    before = (Extension(0xABCD, b"unknown"), era_extension(3), end_mls_extension(EndReason.UNSET, Revision.V3))
    changes: dict[int, Extension | None] = {END_MLS: None, ICON_COMMITMENT: opaque_extension(ICON_COMMITMENT, _DIGEST)}
    ended = end_mls_extension(EndReason.INTERNAL_CLIENT_ERROR, Revision.V4)
    return _file(
        "Extensions: number, what is inside, extension_data, and the whole Extension; how a list changes. "
        "What is not named in a change stays byte for byte.",
        [
            {
                "what": what,
                "type": extension.extension_type,
                "bare": extension.extension_data == bytes.fromhex(inside),
                "inside": inside,
                "extension_data": extension.extension_data.hex(),
                "extension": extension.encode().hex(),
            }
            for what, extension, inside in cases
        ],
        lists=[
            {
                "what": what,
                "extensions": [[e.extension_type, e.extension_data.hex()] for e in listed],
                "encoded": encode_extensions(listed).hex(),
            }
            for what, listed in (
                ("a GroupContext before", before),
                ("without end_mls, with an icon commitment", merge(before, changes)),
                ("the next era", next_era(before, 4, Advance.NORMAL)),
                ("the next era, revived", next_era(before, 4, Advance.REVIVAL)),
                ("the next era, born ended", next_era(before[:2], 4, Advance.PHOENIX, end_mls=ended)),
            )
        ],
        era_extension=ERA,
    )


_REQUEST = b"group_metadata_keys_requested"


def _proposals() -> dict[str, Any]:
    cases: list[tuple[str, Proposal, bytes]] = [
        ("end_mls of v3.0: opaque", CustomProposal(END_MLS_PROPOSAL, b"reason"), opaque(b"reason")),
        ("rcs_signature: nothing", CustomProposal(RCS_SIGNATURE, b""), b""),
        ("self_remove: nothing", SelfRemove(), b""),
        ("server_remove: uint32, bare", CustomProposal(SERVER_REMOVE, bytes.fromhex("00000102")), b"\x00\x00\x01\x02"),
    ]
    numbers = (END_MLS_PROPOSAL, RCS_SIGNATURE, 0xF003, SERVER_REMOVE)
    return _file(
        "Proposals in RCC.16's number space: u16 type | body. Only end_mls has a length.",
        [
            {"what": what, "type": number, "body": body.hex(), "proposal": encode_proposal(value, PROPOSAL_TYPES).hex()}
            for (what, value, body), number in zip(cases, numbers, strict=True)
        ],
    )


def _control_messages() -> dict[str, Any]:
    identifier = EpochIdentifier(7, 3, AUTHENTICATOR)
    name = {"era": 7, "epoch": 3, "authenticator": AUTHENTICATOR.hex()}
    commit, info, welcome, keys = (bytes.fromhex(f"0001000{n}") + word for n, word in enumerate(_WORDS, 1))
    client = ClientMessage(
        operation=Operation.COMMIT,
        era=7,
        message_id="control-1",
        commit=commit,
        group_info=info,
        ratchet_tree=b"tree",
        welcome=welcome,
        base_epoch_authenticator=_DIGEST,
        epoch_authenticator=AUTHENTICATOR,
        key_delivery=keys,
        roster=RosterChange((Number("+15550101"), Number("+15550102")), (Number("+15550103"),), False),
        metadata=MetadataChange(b"subject", "https://content.example.test/1", False, True),
    )
    leaving = ClientMessage(
        operation=Operation.PROPOSAL, era=7, message_id="control-2", proposal=commit, roster=RosterChange(leave=True)
    )
    bundle = CommitBundle(commit, b"tree", keys, AUTHENTICATOR)
    group_info = GroupInfoMessage(info, b"tree", AUTHENTICATOR)
    page = EnhancedGroupInfo(
        identifier,
        group_info,
        (ControlMessage("control-1", bundle), ControlMessage("control-2", MlsMessage(commit))),
        EpochIdentifier(7, 1, _DIGEST),
    )
    sealed = _sealed("group_subject", b"a group subject")
    return _file(
        "Control messages, protobuf. `fields` is the message as a tree: [number, kind, value] with kinds varint, bytes (hex), "
        "text and message. The numbers of ClientMlsRcsMessage and of bundles are our choice (docs/rcc16.md).",
        [
            {"what": what, "fields": fields, "message": encoded.hex()}
            for what, fields, encoded in (
                (
                    "ClientMlsRcsMessage: a commit with everything",
                    [
                        [1, "bytes", commit.hex()],
                        [2, "bytes", info.hex()],
                        [3, "bytes", b"tree".hex()],
                        [4, "bytes", welcome.hex()],
                        [5, "bytes", _DIGEST.hex()],
                        [6, "bytes", AUTHENTICATOR.hex()],
                        [7, "varint", 7],
                        [8, "bytes", keys.hex()],
                        [9, "text", "control-1"],
                        [10, "message", [[1, "text", "+15550101"], [1, "text", "+15550102"], [2, "text", "+15550103"]]],
                        [
                            12,
                            "message",
                            [
                                [1, "bytes", b"subject".hex()],
                                [2, "text", "https://content.example.test/1"],
                                [4, "varint", 1],
                            ],
                        ],
                        [13, "varint", 3],
                    ],
                    encode_client_message(client, _NUMBERS),
                ),
                (
                    "ClientMlsRcsMessage: a leaver's proposal",
                    [
                        [7, "varint", 7],
                        [9, "text", "control-2"],
                        [10, "message", [[3, "varint", 1]]],
                        [11, "bytes", commit.hex()],
                        [13, "varint", 5],
                    ],
                    encode_client_message(leaving, _NUMBERS),
                ),
                (
                    "ServerMlsRcsMessage: a proposal",
                    [[1, "bytes", commit.hex()]],
                    encode_server_message(MlsMessage(commit), _NUMBERS),
                ),
                (
                    "ServerMlsRcsMessage: a bundle",
                    [[2, "message", _bundle_fields(bundle)]],
                    encode_server_message(bundle, _NUMBERS),
                ),
                (
                    "ServerMlsRcsMessage: a GroupInfo",
                    [[3, "message", _group_info_fields(group_info)]],
                    encode_server_message(group_info, _NUMBERS),
                ),
                (
                    "ServerMlsRcsMessage: accepted",
                    [[4, "message", [[1, "text", "control-1"], [2, "message", _identifier_fields(name)]]]],
                    encode_server_message(Accepted("control-1", identifier), _NUMBERS),
                ),
                (
                    "MlsEnhancedGroupInfo",
                    [
                        [2, "message", _identifier_fields(name)],
                        [3, "message", _group_info_fields(group_info)],
                        [
                            4,
                            "message",
                            [[1, "text", "control-1"], [2, "message", [[2, "message", _bundle_fields(bundle)]]]],
                        ],
                        [4, "message", [[1, "text", "control-2"], [2, "message", [[1, "bytes", commit.hex()]]]]],
                        [
                            5,
                            "message",
                            _identifier_fields({"era": 7, "epoch": 1, "authenticator": _DIGEST.hex()}),
                        ],
                    ],
                    encode_enhanced_group_info(page, _NUMBERS),
                ),
                (
                    "GroupMetadataKeys",
                    [
                        [1, "bytes", _DIGEST.hex()],
                        [2, "message", [[3, "bytes", encode_file_metadata(sealed.metadata).hex()]]],
                    ],
                    encode_metadata_keys(MetadataKeys(_DIGEST, FileInfo(subject=sealed.metadata))),
                ),
                *(
                    (
                        f"EndMlsMetadata: {reason.name.lower()}",
                        [[1, "varint", int(reason)]] if reason else [],
                        encode_end_metadata(reason),
                    )
                    for reason in EndReason
                ),
            )
        ],
    )


_WORDS = (b"commit", b"info", b"welcome", b"keys")


def _identifier_fields(name: dict[str, Any]) -> list[Any]:
    return [[1, "varint", name["era"]], [2, "varint", name["epoch"]], [3, "bytes", name["authenticator"]]]


def _bundle_fields(bundle: CommitBundle) -> list[Any]:
    parts = (bundle.handshake, bundle.ratchet_tree, bundle.key_delivery, bundle.epoch_authenticator)
    return [[number, "bytes", part.hex()] for number, part in enumerate(parts, 1)]


def _group_info_fields(info: GroupInfoMessage) -> list[Any]:
    parts = ((1, info.group_info), (2, info.ratchet_tree), (4, info.epoch_authenticator))
    return [[number, "bytes", part.hex()] for number, part in parts]


def _epoch_identifier() -> dict[str, Any]:
    return _file(
        "EpochIdentifier { 1 uint32 era, 2 uint64 epoch, 3 bytes authenticator }: also the body of a pull. An epoch of 0 is "
        "left out, as proto3 has it.",
        [
            {
                "era": era,
                "epoch": epoch,
                "authenticator": AUTHENTICATOR.hex(),
                "message": encode_epoch_identifier(EpochIdentifier(era, epoch, AUTHENTICATOR)).hex(),
            }
            for era, epoch in ((7, 3), (1, 0), (0xFFFF_FFFF, 2**64 - 1), (300, 128))
        ],
    )


def _sealed(name: str, content: bytes, content_type: str = "text/plain") -> SealedFile:
    return seal_file(content, name, content_type, crypto=_CRYPTO, rng=key_then_iv())


def _files() -> dict[str, Any]:
    cases = [
        ("group_subject", b"a group subject", "text/plain"),
        ("group_icon", b"same bytes", "image/png"),
        ("group_subject", b"same bytes", "text/plain"),
        ("holiday.jpg", b"x" * 100, "image/jpeg"),
        ("café ☕.txt", "größer".encode(), "text/plain"),
        ("empty", b"", "application/octet-stream"),
        ("one", b"1", "application/octet-stream"),
        ("large", bytes(n * n % 251 for n in range(4097)), "application/octet-stream"),
    ]
    sealed = [_sealed(name, content, kind) for name, content, kind in cases]
    return _file(
        "Files (Annex C.2): HKDF-SHA-256(salt, key, info = name) gives AES key and MAC key; content | zeros | u32 length | "
        "u32 zeros under AES-256-CTR with the counter block iv | 00000000; tag HMAC-SHA-256(iv | ciphertext). `padme` lists [shortest, longest, padded]: all lengths that are padded to one.",
        [
            {
                "name": name,
                "content_type": kind,
                "key_material": KEY.hex(),
                "iv": IV.hex(),
                "content": content.hex(),
                "padding": padded_length(len(content)) - len(content),
                "ciphertext": one.ciphertext.hex(),
                "tag": one.metadata.encryption.tag.hex(),
                "file_metadata": encode_file_metadata(one.metadata).hex(),
            }
            for (name, content, kind), one in zip(cases, sealed, strict=True)
        ],
        salt=SALT.hex(),
        file_info=[
            {
                "what": what,
                "entries": [[number, encode_file_metadata(entry).hex()] for number, entry in _numbered(info)],
                "message": encode_file_info(info).hex(),
            }
            for what, info in (
                ("a subject (rcc16.md 11.5)", FileInfo(subject=sealed[0].metadata)),
                ("a file and its thumbnail", FileInfo(file=sealed[3].metadata, thumbnail=sealed[1].metadata)),
                ("subject and icon", FileInfo(subject=sealed[0].metadata, icon=sealed[1].metadata)),
            )
        ],
        padme=[
            [min(lengths), max(lengths), padded]
            for padded in (1, 2, 10, 16, 18, 36, 64, 72, 104, 256, 272, 1024, 1280, 4352, 67584, 1015808)
            if (
                lengths := [
                    length for length in range(padded - padded // 8, padded + 1) if padded_length(length) == padded
                ]
            )
        ],
    )


def _numbered(info: FileInfo) -> list[tuple[int, FileMetadata]]:
    entries = ((1, info.file), (2, info.thumbnail), (3, info.subject), (4, info.icon))
    return [(number, entry) for number, entry in entries if entry is not None]


def _commitments() -> dict[str, Any]:
    subject, icon = _sealed("group_subject", b"a group subject"), _sealed("group_icon", b"same bytes", "image/png")
    slots = ((Slot.SUBJECT, subject, "subject_commitment"), (Slot.ICON, icon, "icon_commitment"))
    return _file(
        "Commitments (Annex C.1): SHA-256 over label and value, each behind its length. v3.0 commits to the key, v4.0 to the "
        "tag. `continuity` is RefHash over the token and the epoch authenticator, extension F011.",
        [
            {
                "revision": revision.value,
                "label": label if revision is Revision.V3 else slot.value,
                "value": (
                    sealed.metadata.encryption.key_material
                    if revision is Revision.V3
                    else sealed.metadata.encryption.tag
                ).hex(),
                "commitment": commitment(slot, sealed.metadata, revision).hex(),
            }
            for revision in Revision
            for slot, sealed, label in slots
        ],
        continuity=[
            {
                "token": token.hex(),
                "epoch_authenticator": AUTHENTICATOR.hex(),
                "commitment": continuity_commitment(token, AUTHENTICATOR).hex(),
            }
            for token in (b"\x5a" * 32, _DIGEST)
        ],
    )


def _identity_hash() -> dict[str, Any]:
    keys = bytes((7 * i + 3) & 255 for i in range(91)), bytes((11 * i + 5) & 255 for i in range(91))
    people = [("+15551110001", keys[0]), ("+15551110002", keys[1])]
    groups = (people, [*people, ("+4915550100", keys[0]), ("+15551110001", keys[1])], people[:1])
    return _file(
        "The hash under the verification code (Annex C.5): SHA-512 over opaque digits<V> | opaque SPKI<V> of each, sorted. How it "
        "becomes 80 digits is not known, and whether it is sorted up or down.",
        [
            {
                "participants": [[number, spki.hex()] for number, spki in group],
                "ascending": identity_hash([(Number(n), spki) for n, spki in group]).hex(),
                "descending": identity_hash([(Number(n), spki) for n, spki in group], descending=True).hex(),
            }
            for group in groups
        ],
    )


def _file(description: str, cases: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"description": description, "cases": list(cases), **more}


VECTORS: dict[str, Callable[[], dict[str, Any]]] = {
    "authenticated-data": _authenticated_data,
    "secret-payload": _secret_payload,
    "receipts": _receipts,
    "extensions": _extensions,
    "proposals": _proposals,
    "control-messages": _control_messages,
    "epoch-identifier": _epoch_identifier,
    "files": _files,
    "commitments": _commitments,
    "identity-hash": _identity_hash,
    "certificates": certificates,
    "group-life": group_life,
}


def text_of(name: str) -> str:
    """The file as it is written."""
    return json.dumps(VECTORS[name](), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in VECTORS:
        (FOLDER / f"{name}.json").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()

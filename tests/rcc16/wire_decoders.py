"""RCC.16's decoders for tests/decoders.py: what each reads, with honest examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec.cpim import CpimLimits
from letterlock.codec.protobuf import decode_repeated
from letterlock.codec.tls import u16, u32
from letterlock.codec.xml import XmlLimits
from letterlock.ids import MessageId
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.message import decode_message
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.wire.authenticated_data import decode_authenticated_data
from letterlock.rcc16.wire.control import (
    Accepted,
    EndReason,
    MetadataKeys,
    MlsMessage,
    decode_client_message,
    decode_end_metadata,
    decode_enhanced_group_info,
    decode_epoch_identifier,
    decode_metadata_keys,
    decode_server_message,
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
    decode_derived_content,
    encode_derived_content,
)
from letterlock.rcc16.wire.extensions import (
    CONTINUITY_COMMITMENT,
    CONTINUITY_TOKEN,
    END_MLS,
    ERA,
    SUBJECT_COMMITMENT,
    commitment_of,
    continuity_commitment_of,
    continuity_token_of,
    end_mls_extension,
    end_mls_of,
    era_of,
    opaque_extension,
)
from letterlock.rcc16.wire.file_info import (
    FileInfo,
    decode_file_info,
    decode_file_metadata,
    encode_file_info,
    encode_file_metadata,
)
from letterlock.rcc16.wire.icon_pointer import IconPointer, decode_icon_pointer, encode_icon_pointer
from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES
from letterlock.rcc16.wire.reasons import ClientReason, ServerReason, decode_receipt, encode_negative_receipt
from letterlock.rcc16.wire.secret_payload import decode_content, decode_secret_payload

from .section11 import AAD, REACTION, TEXT_PAYLOAD
from .wire_values import BUNDLE, CLIENT_MESSAGE, ENTRY, GROUP_INFO, IDENTIFIER, LIMITS, PAGE

__all__ = ["rcc16_wire_decoders"]

_NUMBERS = OURS.control_numbers
_CPIM = CpimLimits(65_536, 64, 8_192)
_XML = XmlLimits(16_384, 16, 256)


def rcc16_wire_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    """(name, function, examples) of each."""
    own, reported = MessageId("receipt"), MessageId("letter")
    derived = (
        DerivedContent(own, 7, Delivery(DeliveryStatus.FAILED, reported, 4)),
        DerivedContent(own, 7, Delivery(DeliveryStatus.DELIVERED, reported)),
        DerivedContent(own, 7, Display(DisplayStatus.DISPLAYED, reported)),
    )
    servers = (MlsMessage(b"\x00\x01\x00\x01proposal"), BUNDLE, GROUP_INFO, Accepted("m-1", IDENTIFIER))
    reasons = (None, ClientReason.FAILED_TO_DECRYPT, ServerReason.INCORRECT_EPOCH)
    contents = tuple(decode_secret_payload(payload).content for payload in (REACTION, TEXT_PAYLOAD))
    digest = bytes(range(32))
    return (
        (
            "rcc16 authenticated data",
            decode_authenticated_data,
            (*map(bytes.fromhex, AAD.values()), bytes.fromhex(next(iter(AAD.values())))[:-1] + b"\x02component"),
        ),
        ("rcc16 secret payload", decode_secret_payload, (REACTION, TEXT_PAYLOAD)),
        ("rcc16 content", lambda data: decode_content(data, _CPIM), contents),
        ("rcc16 derived content", decode_derived_content, tuple(map(encode_derived_content, derived))),
        (
            "rcc16 receipt document",
            lambda data: decode_receipt(data, _XML),
            tuple(encode_negative_receipt("m-1", "2026-11-23T10:00:00Z", reason) for reason in reasons),
        ),
        (
            "rcc16 client message",
            lambda data: decode_client_message(data, _NUMBERS, LIMITS),
            (encode_client_message(CLIENT_MESSAGE, _NUMBERS),),
        ),
        (
            "rcc16 server message",
            lambda data: decode_server_message(data, _NUMBERS, LIMITS),
            tuple(encode_server_message(message, _NUMBERS) for message in servers),
        ),
        (
            "rcc16 enhanced group info",
            lambda data: decode_enhanced_group_info(data, _NUMBERS, LIMITS),
            (encode_enhanced_group_info(PAGE, _NUMBERS),),
        ),
        ("rcc16 epoch identifier", decode_epoch_identifier, (encode_epoch_identifier(IDENTIFIER),)),
        (
            "rcc16 metadata keys",
            decode_metadata_keys,
            (encode_metadata_keys(MetadataKeys(digest, FileInfo(subject=ENTRY))),),
        ),
        ("rcc16 end metadata", decode_end_metadata, (encode_end_metadata(EndReason.UNTRUSTED_ROOT),)),
        ("rcc16 file info", decode_file_info, (encode_file_info(FileInfo(ENTRY, ENTRY, ENTRY, ENTRY)),)),
        ("rcc16 file metadata", decode_file_metadata, (encode_file_metadata(ENTRY),)),
        ("rcc16 era", lambda data: era_of([Extension(ERA, data)]), (u32(7),)),
        (
            "rcc16 end_mls",
            lambda data: end_mls_of([Extension(END_MLS, data)]),
            tuple(end_mls_extension(EndReason.UNTRUSTED_ROOT, one).extension_data for one in Revision),
        ),
        (
            "rcc16 commitment",
            lambda data: commitment_of([Extension(SUBJECT_COMMITMENT, data)], SUBJECT_COMMITMENT),
            (digest, opaque_extension(SUBJECT_COMMITMENT, digest).extension_data),
        ),
        (
            "rcc16 continuity token",
            lambda data: continuity_token_of([Extension(CONTINUITY_TOKEN, data)]),
            (digest, opaque_extension(CONTINUITY_TOKEN, digest).extension_data),
        ),
        (
            "rcc16 continuity commitment",
            lambda data: continuity_commitment_of([Extension(CONTINUITY_COMMITMENT, data)]),
            (opaque_extension(CONTINUITY_COMMITMENT, digest).extension_data,),
        ),
        (
            "rcc16 mls message",
            lambda data: decode_message(data, PROPOSAL_TYPES, 1 << 20),
            (_proposal(0xF001, b"\x04text"), _proposal(0xF002, b""), _proposal(0xF003, b""), _proposal(0xF004, u32(3))),
        ),
        (
            "rcc16 icon pointer",
            decode_icon_pointer,
            (encode_icon_pointer(IconPointer("https://content.example.net/1", ENTRY)),),
        ),
        ("protobuf repeated", lambda data: decode_repeated(data, 1, max_values=8), (b"\x0a\x01a\x12\x01b\x0a\x00",)),
    )


def _proposal(kind: int, body: bytes) -> bytes:
    """A PublicMessage of a member with this proposal, signature and tag left to the imagination."""
    head = bytes.fromhex("00010001") + b"\x05group" + bytes(8) + b"\x01" + u32(1) + b"\x00\x02"
    return head + u16(kind) + body + b"\x02si" + b"\x20" + bytes(32)

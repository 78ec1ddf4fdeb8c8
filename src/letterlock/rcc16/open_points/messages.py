"""What stands in messages: shapes, numbers, types and headers, and what a message is refused for."""

from __future__ import annotations

from typing import Final

from .choice import Choice

__all__ = ["MESSAGES"]

MESSAGES: Final[tuple[Choice, ...]] = (
    Choice(
        "revision",
        0,
        "which revision's shapes a peer expects; nothing on the wire says",
        "D 10",
        "v3.0, which is deployed, is written; v3.0 and v4.0 are read",
        "rcc16/metadata.py, rcc16/conversation/eras.py, rcc16/policy.py",
    ),
    Choice(
        "control_numbers",
        2,
        "field numbers of ClientMlsRcsMessage and of ServerCommitBundle",
        "N 2.6",
        "our own, one table",
        "rcc16/wire/control/client.py, rcc16/wire/control/server.py",
    ),
    Choice(
        "accept_resent",
        3,
        "the resent component of the authenticated data: tag, framing, meaning",
        "I 4.6",
        "never written; one that is there is kept as bytes, and the message holds if everything else does",
        "rcc16/conversation/letters.py, rcc16/wire/authenticated_data.py",
    ),
    Choice(
        "authenticated_data_required",
        11,
        "whether authenticated data that is empty or of another layout passes; the v4.0 layout is not known",
        "C 4.1",
        "refused: era and message id are there and equal those of the envelope",
        "rcc16/wire/authenticated_data.py",
    ),
    Choice(
        "generation_must_match",
        0,
        "whether a SecretPayload whose counter is not its key's generation is refused",
        "I 4.3",
        "refused",
        "rcc16/conversation/letters.py",
    ),
    Choice(
        "own_namespace",
        13,
        "headers of replies, edits and recalls",
        "N 8",
        "a namespace of our own inside the ciphertext; others pass it over",
        "rcc16/conversation/letters.py",
    ),
    Choice(
        "reaction_added",
        13,
        "Reference-Type of a reaction",
        "C W 8",
        "+Reaction, as captured",
        "engine/content/reaction.py",
    ),
    Choice(
        "reaction_removed", 13, "Reference-Type of one taken back", "I 8", "-Reaction", "engine/content/reaction.py"
    ),
    Choice(
        "encrypted_typing",
        14,
        "whether typing is sent encrypted",
        "N 8",
        "in the clear as deployed: it tells presence and nothing else",
        "engine/content/composing.py",
    ),
    Choice(
        "control_in_session",
        16,
        "SIP method and session of control messages",
        "N 3.2",
        "CPIM over the MSRP session of the conference; the acknowledgement in pager mode",
        "rcc16/conversation/posting.py",
    ),
    Choice(
        "metadata_keys_type",
        12,
        "content type of GroupMetadataKeys",
        "N 3.2",
        "the one that is guessed elsewhere",
        "rcc16/wire/content_types.py",
    ),
    Choice(
        "metadata_keys_with",
        0,
        "whether keys of subject and icon stand in the GroupContext (v3.0 as deployed) or not (v4.0)",
        "D W 7.5",
        "members only, in both revisions: in the Welcome's GroupInfo and in messages",
        "rcc16/metadata.py",
    ),
    Choice(
        "encrypted_subject_with_key",
        0,
        "where a member finds the encrypted subject",
        "C 2.6",
        "also beside its key, in a header of our own namespace, so that it does not depend on what the conference says",
        "rcc16/conversation/metadata.py",
    ),
    Choice(
        "external_pub_in_group_info",
        0,
        "whether a published GroupInfo carries external_pub",
        "D 2.5",
        "yes: without it nobody can come back by an external commit",
        "rcc16/conversation/operations.py",
    ),
    Choice(
        "mls_file_element",
        4,
        "content of <mls-file> in the file document",
        "N 7.3",
        "not written, passed over",
        "codec/ft_http.py",
    ),
    Choice(
        "file_key_of",
        0,
        "which document a FileInfo belongs to",
        "I 7.3",
        "a header of our namespace inside the encryption names its message; without one, the oldest document of that "
        "sender whose ciphertext has the size that it tells. Whichever comes first waits seven days",
        "engine/conversations/files.py",
    ),
    Choice(
        "file_upload_first",
        0,
        "when FileInfo is sent",
        "D 7.3",
        "after the upload and right before the document, not before the upload: a failed one leaves nobody with a key",
        "engine/conversations/files.py",
    ),
    Choice(
        "root_of_a_repeat",
        0,
        "by what a receiver knows that a letter repeats another",
        "D 4.6",
        "by a header inside the encryption; Original-Message-ID is written for others and believed of nobody",
        "rcc16/conversation/letters.py",
    ),
)

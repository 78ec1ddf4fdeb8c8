"""What RCC.16 leaves open, or what nobody outside the GSMA has read: our choices, in one place.

`OURS` is the one switch: code that has to choose reads a field of a `Choices` value and nothing else. `CHOICES` says
of every field what is not known, how well it is sourced, and where the choice takes effect; docs/rcc16.md is drawn
from it. A row without a field is a decision that has no other side to switch to: `where` is the place that says it. The marks are those of rcc16.md: I inferred, N not sourced, D and C a third party's reading or code.

Numbers of policy that no other side can see (how often we try, how long we wait) are not choices of this kind: they
stand with the machine that uses them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CHOICES", "OURS", "Choice", "Choices", "ControlNumbers", "Revision", "SharedWith"]


class Revision(enum.Enum):
    """The version of RCC.16 whose shapes we write; what is read may have either (rcc16.md 10)."""

    V3 = "3.0"
    V4 = "4.0"


class SharedWith(enum.Enum):
    """Where the keys of a group's subject and icon may stand."""

    MEMBERS = "members"
    """In the GroupInfo that a Welcome encrypts, and in messages. What servers see has commitments only."""
    SERVERS = "servers"
    """Also in the GroupContext, as deployed v3.0 clients do: whoever reads a GroupInfo has the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlNumbers:
    """The protobuf field numbers of what a client tells the focus; none of them is sourced (rcc16.md 12, item 2)."""

    commit: int = 1
    group_info: int = 2
    ratchet_tree: int = 3
    welcome: int = 4
    base_epoch_authenticator: int = 5
    epoch_authenticator: int = 6
    era: int = 7
    key_delivery: int = 8
    message_id: int = 9
    roster: int = 10
    proposal: int = 11
    metadata: int = 12
    operation: int = 13
    roster_add: int = 1
    roster_remove: int = 2
    roster_leave: int = 3
    metadata_subject: int = 1
    metadata_icon_url: int = 2
    metadata_delete_subject: int = 3
    metadata_delete_icon: int = 4
    bundle_handshake: int = 1
    bundle_ratchet_tree: int = 2
    bundle_key_delivery: int = 3
    bundle_epoch_authenticator: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Each field is a row of `CHOICES`. `OURS` has what we chose; another value is another dialect."""

    revision: Revision = Revision.V3
    control_numbers: ControlNumbers = field(default_factory=ControlNumbers)
    """Section 12, item 2."""
    accept_resent: bool = True
    """Section 12, item 3."""
    federation_path: str = "/mls/v1/federation"
    """Section 12, item 8."""
    external_commits_a_day: int = 50
    era_advances_an_hour: int = 2
    era_advances_a_day: int = 5
    epoch_advances_an_hour: int = 600
    """Section 12, item 10."""
    own_namespace: str = "urn:letterlock:cpim:v1"
    """Section 12, item 13."""
    control_in_session: bool = True
    """Section 12, item 16."""
    metadata_keys_type: str = "message/mls-rcs-group-metadata-keys"
    """Section 12, item 12."""
    metadata_keys_with: SharedWith = SharedWith.MEMBERS
    generation_must_match: bool = True
    kds_selector: int = 2
    identity_proof: str = "rcc16-identity-proof"
    """Section 12, item 6: the label of what an ACS signs."""
    anchor_list: str = "rcc16-trust-anchors"
    leaf_possession: str = "rcc16-leaf-possession"


OURS: Final = Choices()


@dataclass(frozen=True, slots=True)
class Choice:
    """One row. `id` is the field of `Choices` if there is one, `item` the number in rcc16.md section 12 (0: only marked in
    the text), `where` what reads the field, or says what is fixed: paths in src/letterlock."""

    id: str
    item: int
    open: str
    mark: str
    ours: str
    where: str

    @property
    def switched(self) -> bool:
        """Whether a field of `Choices` decides it."""
        return self.id in Choices.__dataclass_fields__


CHOICES: Final[tuple[Choice, ...]] = (
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
        "security_code",
        5,
        "HASH_TO_DIGITS, and whether participants are sorted up or down",
        "N 9",
        "what is shown is the security code of accounts; the hash before its digits is computed both ways",
        "rcc16/identity_hash.py",
    ),
    Choice(
        "federation_path",
        8,
        "how one key distribution server asks another",
        "N 1.8",
        "a protocol of ours beside the client's calls",
        "services/kds/federation.py",
    ),
    Choice(
        "external_commits_a_day",
        10,
        "quota of external commits of a group",
        "D 5.6",
        "50, as published",
        "services/focus/mls/settings.py",
    ),
    Choice("era_advances_an_hour", 10, "quota of new eras of a group", "N 5.6", "2", "services/focus/mls/settings.py"),
    Choice("era_advances_a_day", 10, "the same for a day", "N 5.6", "5", "services/focus/mls/settings.py"),
    Choice(
        "epoch_advances_an_hour", 10, "quota of commits of a group", "N 5.6", "600", "services/focus/mls/settings.py"
    ),
    Choice(
        "shares_of_quotas",
        10,
        "whether one member may use up a group's quota, and how large what it writes may be for all others",
        "N 5.6",
        "a share of each quota; sizes by the number of devices; sixteen devices of one number",
        "services/focus/mls/settings.py",
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
        "own_namespace",
        13,
        "headers of replies, edits and recalls",
        "N 8",
        "a namespace of our own inside the ciphertext; others pass it over",
        "rcc16/conversation/letters.py",
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
        "external_pub_in_group_info",
        0,
        "whether a published GroupInfo carries external_pub",
        "D 2.5",
        "yes: without it nobody can come back by an external commit",
        "rcc16/conversation/operations.py",
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
        "mls_file_element",
        4,
        "content of <mls-file> in the file document",
        "N 7.3",
        "not written, passed over",
        "codec/ft_http.py",
    ),
    Choice(
        "continuity_token",
        0,
        "who mints the token (F010), how long it stays, what follows from a commitment (F011) that differs",
        "I 5.7",
        "v4.0 alone writes it: the founder of the first group, the same in later eras. One that differs keeps us from "
        "entering a group with strangers; a new era is made instead, and encryption is never ended for it",
        "rcc16/conversation/continuity.py",
    ),
    Choice(
        "metadata_keys_request",
        0,
        "which member answers F007, and when",
        "I 7.5",
        "the first by rank that has the keys, two seconds later each; F007 is set by a commit after the external one",
        "rcc16/conversation/recovery.py",
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
        "kds_selector",
        0,
        "value of the feature tag mls-kds",
        "W 1.10",
        "2, as deployed; any whole number is accepted of others",
        "rcc16/wire/capability_tags.py",
    ),
    Choice(
        "provisioning_prefix",
        7,
        "GSMA names of the provisioning parameters",
        "N 1.7",
        "the vendor names that were seen",
        "codec/provisioning.py",
    ),
    Choice(
        "identity_proof",
        6,
        "what exactly the ACS signs in .5, who knows its key, how rolled participant keys are followed",
        "N 1.3",
        "a label of ours, number, participant key, home KDS and end; checked by that KDS alone; rolls are refused",
        "rcc16/credentials/labels.py, rcc16/credentials/proof.py",
    ),
    Choice(
        "anchor_list",
        0,
        "form of the signed list of trust anchors; how revoked serial numbers get about",
        "C 1.7",
        "generation, certificates and revoked serial numbers, signed under a label of ours",
        "rcc16/credentials/labels.py, rcc16/credentials/anchors.py",
    ),
    Choice(
        "leaf_possession",
        0,
        "how a KDS learns a leaf key that is not the participant key, and that its holder agrees",
        "C 1.8",
        "`leaf_pub` beside the parts of the lab's request, with a signature of that key over number and participant key",
        "rcc16/credentials/labels.py, rcc16/credentials/request.py",
    ),
    Choice(
        "orderer_of_two",
        16,
        "who orders commits in a chat of two, where there is no focus; which of two crossing ones counts",
        "C 3.2",
        "the peer: it accepts or refuses as a focus would, answers pulls, and of two commits or groups the one of the lower"
        " number stands",
        "rcc16/conversation/control.py, rcc16/conversation/joining.py",
    ),
    Choice(
        "welcome_id_of_later_eras",
        0,
        "message id of a later Welcome to a chat of two",
        "C 3.2",
        "that of the first with the era behind it, so that no network drops it as a repeat",
        "rcc16/conversation/groups.py",
    ),
    Choice(
        "outsiders",
        0,
        "who may come in by an external commit",
        "D 2.5",
        "numbers that are members: nobody else is let in by a server alone",
        "rcc16/conversation/control.py",
    ),
    Choice(
        "proposals_of_others",
        18,
        "which proposals of others a client commits, and which member does",
        "D 6",
        "SelfRemove, the lowest number first; a ServerRemove only for somebody whom the RCS group no longer has;"
        " anything else never, because a commit stands in the name of who makes it",
        "rcc16/conversation/committing.py",
    ),
    Choice(
        "joining_fetched_groups",
        0,
        "into which fetched group a client lets itself by an external commit",
        "D 5.5",
        "one that a member vouches for, and of no moment before one that it was in; else a new era is made",
        "rcc16/conversation/healing.py",
    ),
    Choice(
        "races_to_come_in",
        0,
        "what follows an external commit whose epoch somebody else's commit has",
        "D 5.5",
        "another try after a random time within 30 seconds, doubled with each race lost; after five of them a new era",
        "rcc16/conversation/refusals.py",
    ),
    Choice(
        "refused_eras",
        0,
        "for whom a new era is made after the order refused it for its roster",
        "D 5.8",
        "for those of the members that are in the group which the order holds; nobody is taken in because of it",
        "rcc16/conversation/healing.py",
    ),
    Choice(
        "unreadable_letters",
        0,
        "for how long letters that cannot be read begin no repair, after three that found nothing wrong",
        "D 5.5",
        "an hour, or until the group goes on: the order may have lied when it was asked",
        "rcc16/conversation/letters.py",
    ),
    Choice(
        "eras_ahead",
        0,
        "how far ahead an era may be of those that were seen",
        "D 2.1",
        "65,536: whoever could name the last one there is would have ended the conversation for good",
        "rcc16/conversation/fetched.py",
    ),
    Choice(
        "strangers",
        0,
        "what a letter that cannot be read leads to in a conversation that nobody here was in",
        "C 2.3",
        "it is kept and its sender asked, for so many conversations and letters; no group is made for one",
        "rcc16/conversation/strangers.py",
    ),
    Choice(
        "unsigned_receipts",
        0,
        "what an unsigned positive receipt for an encrypted letter leads to",
        "W 4.4, 5.7",
        "it is shown and counts for nothing; deployed clients end encryption because of it",
        "rcc16/conversation/receipts.py",
    ),
    Choice(
        "after_end_mls",
        0,
        "what is sent where encryption was ended",
        "D 5.7",
        "nothing, until the user decides; RCC.16 permits plaintext",
        "rcc16/conversation/letters.py, rcc16/conversation/ending.py",
    ),
    Choice(
        "upgraded_again",
        0,
        "what is taken up again without a person, after the wait of 5.7",
        "D 5.7",
        "an end_mls by another member's program, which names its failure (v4.0). Not one without a reason, which may be a"
        " person's, not one for want of trust, and nothing that anybody here has decided",
        "rcc16/conversation/ending.py",
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
        "root_of_a_repeat",
        0,
        "by what a receiver knows that a letter repeats another",
        "D 4.6",
        "by a header inside the encryption; Original-Message-ID is written for others and believed of nobody",
        "rcc16/conversation/letters.py",
    ),
    Choice(
        "what_a_repair_costs",
        0,
        "when a repair is charged",
        "D 5.5",
        "when the order's answer shows that we are out of step: garbage of strangers costs a question and no repair",
        "rcc16/conversation/healing.py",
    ),
    Choice(
        "order_of_refusals",
        0,
        "which reason a focus names when more than one applies",
        "I 5.8",
        "the order of rcc16.md 5.8, but a skipped proposal before a roster that differs because of it",
        "services/focus/mls/following.py",
    ),
    Choice(
        "proposals_at_the_focus",
        18,
        "which proposals a focus takes, and whether it commits any itself",
        "N 6",
        "SelfRemove with which its sender leaves, and no other; it commits nothing, and refuses commits that skip one",
        "services/focus/mls/proposing.py",
    ),
    Choice(
        "tree_left_out",
        2,
        "whether a commit has to bring the ratchet tree",
        "N 2.6",
        "it may be left out, and is checked when it is there; joiners get the focus's own encoding",
        "services/focus/mls/following.py",
    ),
    Choice(
        "ranks",
        0,
        "who may remove whom in a group with MLS",
        "N 6",
        "everybody everybody: a member whose certificate runs out must be removable",
        "services/focus/conference.py",
    ),
    Choice(
        "roster_without_commit",
        0,
        "what a focus does with REFER where a group is encrypted",
        "I 6",
        "403: roster and tree move in one request; leaving is always possible, and the next commit has to remove the leaf",
        "services/focus/rooms.py, services/focus/movements.py",
    ),
    Choice(
        "plain_in_encrypted_groups",
        0,
        "whether unencrypted content passes in an encrypted group",
        "N 5.7",
        "403, until end_mls is there; receipts and typing pass as they are",
        "services/focus/mls/desk.py",
    ),
    Choice(
        "lost_groups",
        0,
        "which era a new group may have where the focus holds none",
        "D 2.2",
        "any: it may have lost the group, and members take no older era than theirs",
        "services/focus/mls/logic.py",
    ),
    Choice(
        "ended_groups",
        0,
        "whether roster and credentials are compared where a group has end_mls",
        "D 4.5, 5.4",
        "no: nothing is encrypted for it, and one that is born so has its creator alone",
        "services/focus/mls/following.py, services/focus/mls/founding.py",
    ),
    Choice(
        "participant_key_parameter",
        7,
        "how the participant key reaches the configuration server",
        "N 1.7",
        "a request parameter, participant_key, beside its hash; retained, and proven by the code that the hash is bound to",
        "services/provisioning/encryption.py",
    ),
    Choice(
        "home_kds",
        6,
        "what an identity proof names as the home key distribution server",
        "N 1.3",
        "its number, as in mls-kds, in decimal; the proof that ends last is the last word about whose a number is",
        "services/provisioning/encryption.py, services/kds/logic.py",
    ),
    Choice(
        "kds_authentication",
        0,
        "how a device authenticates at the key distribution server",
        "N 1.8",
        "a signature by its leaf key over method, path, body, time and nonce, in a header",
        "codec/kds_signature.py",
    ),
    Choice(
        "leaf_key_of_its_own",
        0,
        "how a request names a leaf key that is not the participant key",
        "W 1.1",
        "leaf_pub and leaf_pop beside the recorded members; without them one key is both",
        "codec/kds/requests.py",
    ),
    Choice(
        "claims_of_all_devices",
        0,
        "how an answer carries a package of every device, and what last_resort in an upload is",
        "C 1.8",
        "key_packages beside the recorded members; last_resort is the package itself",
        "codec/kds/answers.py, codec/kds/requests.py",
    ),
    Choice(
        "floor_of_packages",
        0,
        "by which end the 30 days of a package are counted at the server",
        "D 1.6, 1.9",
        "the earliest of the package's, each certificate's, .4's and .5's: whoever claims it asks for all of them",
        "services/kds/packages.py",
    ),
)
"""Further rows of other rooms are appended here by who owns the room."""

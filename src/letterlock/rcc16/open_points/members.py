"""What a member's program does by itself: coming in, committing, mending, ending, and whom it believes."""

from __future__ import annotations

from typing import Final

from .choice import Choice

__all__ = ["MEMBERS"]

MEMBERS: Final[tuple[Choice, ...]] = (
    Choice(
        "security_code",
        5,
        "HASH_TO_DIGITS, and whether participants are sorted up or down",
        "N 9",
        "what is shown is the security code of accounts; the hash before its digits is computed both ways",
        "rcc16/identity_hash.py",
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
        "leavers_seen_from_outside",
        0,
        "what who comes in by an external commit does with a SelfRemove that waits, and where it hears of it",
        "D 6; draft-ietf-mls-extensions 6.3 has it in the external commit, by reference",
        "it comes with the GroupInfo of a pull, in field 4; whoever came in commits a Remove next, because nobody outside"
        " can check a membership tag, and a commit that names a proposal which members refused puts all of them out",
        "rcc16/conversation/joining.py, services/focus/mls/pulling.py",
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
        "what_a_repair_costs",
        0,
        "when a repair is charged",
        "D 5.5",
        "when the order's answer shows that we are out of step: garbage of strangers costs a question and no repair",
        "rcc16/conversation/healing.py",
    ),
)

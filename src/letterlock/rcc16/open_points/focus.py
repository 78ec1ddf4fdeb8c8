"""What the focus of a group takes, refuses and counts."""

from __future__ import annotations

from typing import Final

from .choice import Choice

__all__ = ["FOCUS"]

FOCUS: Final[tuple[Choice, ...]] = (
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
)

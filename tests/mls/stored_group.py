"""Makes tests/vectors/mls/stored-group-v1.json.xz: a member's rows as version 1 writes them, and what it must do with them.

Made once, and never again for the same version: the test beside it is how we know that a group which was stored by
an earlier release can still be loaded. `python tests/mls/stored_group.py FILE`, with src and tests on the path.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path
from typing import Any

from letterlock.mls.wire.proposals import Add, Remove
from mls.lab import NOW, deliver, group_of
from mls.storing import Keeper

NAMES = ("ana", "ben", "cas", "dee", "eve")


def make() -> dict[str, Any]:
    """Rows of every kind: past epochs, a proposal, a commit of our own that waits, skipped keys, held-back messages."""
    people = [person for person in group_of(NAMES, make=Keeper) if isinstance(person, Keeper)]
    ana, ben, cas, dee, eve = people
    for committer in (ben, cas, ana):
        early = dee.say(b"said in an earlier epoch")
        message = committer.commit().message
        deliver(message, people)
    skipped = [cas.say(b"number %d" % number) for number in range(4)]
    ana.g.process(skipped[2], now=NOW)
    proposal = ben.propose(Remove(eve.g.own_leaf))
    deliver(proposal, [ana, cas, dee, eve])
    pending = ana.commit([Add(Keeper("fay").package().key_package)])
    rows = ana.g.rows()
    before = ana.g.epoch_authenticator.hex()
    members = [leaf.credential.encode().hex() for _, leaf in ana.g.members()]
    ana.g.merge(pending, now=NOW)
    deliver(pending.message, [ben, cas, dee])
    answer = ben.say(b"in the new epoch")
    return {
        "rows": {key: row.hex() for key, row in rows.items()},
        "client": "ana",
        "epoch_authenticator": before,
        "members": members,
        "earlier": {"message": early.hex(), "text": b"said in an earlier epoch".hex()},
        "skipped": {"message": skipped[1].hex(), "text": b"number 1".hex()},
        "seen": skipped[2].hex(),
        "own_commit": pending.message.hex(),
        "next_epoch_authenticator": ana.g.epoch_authenticator.hex(),
        "next": {"message": answer.hex(), "text": b"in the new epoch".hex()},
    }


def main() -> None:
    Path(sys.argv[1]).write_bytes(lzma.compress(json.dumps(make(), indent=1).encode(), preset=9))


if __name__ == "__main__":
    main()

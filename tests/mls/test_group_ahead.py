"""Application data that travel with the commit whose epoch they belong to."""

from __future__ import annotations

import os

import pytest

from letterlock.errors import InputError
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, StagedCommit
from mls.lab import NOW, group_of


def test_who_merges_the_commit_reads_it_and_no_generation_is_used_twice() -> None:
    ana, ben, *_ = group_of(["ana", "ben", "cleo"])
    pending = ana.group.commit(rng=os.urandom, now=NOW)
    ahead = ana.group.encrypt_ahead(b"keys", rng=os.urandom, authenticated_data=b"id")
    stored = Group.load(ana.client, ana.group.rows())
    for sender in (ana.group, stored):
        reader = Group.load(ben.client, ben.group.rows())
        staged = reader.process(pending.message, now=NOW)
        assert isinstance(staged, StagedCommit)
        reader.merge(staged, now=NOW)
        found = reader.process(ahead, now=NOW)
        assert isinstance(found, Application)
        assert (found.data, found.authenticated_data, found.generation) == (b"keys", b"id", 0)
        assert sender.pending is not None
        sender.merge(sender.pending, now=NOW)
        assert sender.next_generation() == 1
        later = reader.process(sender.encrypt(b"later", rng=os.urandom), now=NOW)
        assert isinstance(later, Application) and later.generation == 1


def test_without_a_commit_there_is_no_epoch_ahead() -> None:
    (ana, *_) = group_of(["ana", "ben"])
    with pytest.raises(InputError, match="pending"):
        ana.group.encrypt_ahead(b"", rng=os.urandom)

"""A search may be of some streams alone."""

from __future__ import annotations

from pathlib import Path

from letterlock.carrier.search import Searcher
from letterlock.carrier.wirelog import WireLogWriter


def test_only_the_chosen_streams_are_searched(tmp_path: Path) -> None:
    path = tmp_path / "wire.log"
    log = WireLogWriter(path)
    log.write("r", 1, 0, b"said over the first")
    log.write("r", 2, 0, b"said over the second")
    log.close()
    chosen = Searcher(path, lambda stream: stream.connection == 2)
    assert [hit.connection for hit in chosen.search("said over")] == [2]
    assert not chosen.search("the first")
    assert {hit.connection for hit in Searcher(path).search("said over")} == {1, 2}

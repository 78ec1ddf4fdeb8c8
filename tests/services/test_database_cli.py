"""`--database` of the services, as operators type it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.terminals import Running, clean_environment, command
from postgres import PostgresqlServer, rows_of

pytestmark = pytest.mark.slow

MAILBOX = ("-o", "json", "mailbox", "--port", "0", "--database")


def test_services_on_one_database_and_no_password_on_the_screen(
    postgresql: PostgresqlServer, postgresql_url: str, tmp_path: Path
) -> None:
    postgresql.ask("GRANT CREATE ON DATABASE letterlock TO doubtful")
    url, place = postgresql.url("doubtful:right"), clean_environment(tmp_path)
    with (
        Running((*MAILBOX, url), place) as mailbox,
        Running(("-o", "json", "directory", "--port", "0", "--database", url), place) as directory,
    ):
        started = mailbox.record('"mailbox"')
        assert started["database"] == postgresql.url("doubtful")
        assert directory.record('"directory"')["directory"].startswith("http://127.0.0.1:")
        assert "messages" in rows_of(postgresql_url, "mailbox") and "accounts" in rows_of(postgresql_url, "directory")
        second = refused(url, tmp_path)
        assert '"store.locked"' in second and "right@" not in second


def test_sr17_what_is_wrong_and_what_to_do_without_the_password(
    postgresql: PostgresqlServer, postgresql_url: str, tmp_path: Path
) -> None:
    text = refused(postgresql.url("doubtful:wr0ng"), tmp_path)
    assert '"store.denied"' in text and "PGPASSFILE" in text and "wr0ng" not in text
    assert '"input.database"' in refused("mysql://db/letterlock", tmp_path)
    assert '"input.database_tls"' in refused("postgresql://db.example/x?sslmode=prefer", tmp_path)


def refused(database: str, folder: Path) -> str:
    """What a mailbox says that does not start."""
    done = subprocess.run(
        command(*MAILBOX, database),
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, 2), done.stderr
    return done.stderr

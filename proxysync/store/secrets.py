"""Every value that a secret variable has had: it is still in NPM, or in the journal, after it was
rotated or has left the file, and must be hidden there, too.
"""

import sqlite3
from collections.abc import Mapping

from proxysync.store.database import Database


def known_secrets(database: Database) -> dict[str, str]:
    """The values that were ever in use, to their `${NAME}`."""
    return {row["value"]: row["shown"] for row in database.query("SELECT * FROM secret")}


def remember_secrets(connection: sqlite3.Connection, secrets: Mapping[str, str]) -> None:
    """Adds these values, to be hidden from now on."""
    connection.executemany("INSERT OR REPLACE INTO secret VALUES (?, ?)", secrets.items())

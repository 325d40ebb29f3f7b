"""The tables of `state.db`, one step per version; a released step is never changed."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE applied (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        npm_id INTEGER NOT NULL,
        fields TEXT NOT NULL,
        created_on TEXT,
        unconfirmed INTEGER NOT NULL DEFAULT 0,
        applied_at TEXT NOT NULL,
        PRIMARY KEY (target, kind, name)
    ) STRICT;
    CREATE TABLE failure (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        fields TEXT NOT NULL,
        live TEXT,
        reason TEXT NOT NULL,
        retry INTEGER NOT NULL,
        failed_at TEXT NOT NULL,
        PRIMARY KEY (target, kind, name)
    ) STRICT;
    CREATE TABLE blocked (
        target TEXT NOT NULL,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        reason TEXT NOT NULL,
        hint TEXT,
        since TEXT NOT NULL,
        tries INTEGER NOT NULL,
        next_try TEXT NOT NULL,
        PRIMARY KEY (target, name)
    ) STRICT;
    CREATE TABLE event_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        ts TEXT NOT NULL,
        severity TEXT NOT NULL,
        source TEXT NOT NULL,
        event TEXT NOT NULL,
        proxy TEXT,
        message TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
    """,
)

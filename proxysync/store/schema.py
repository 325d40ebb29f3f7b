"""The tables of `state.db`, one step per version; a released step is never changed."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE identity (id TEXT NOT NULL) STRICT;
    INSERT INTO identity VALUES (lower(hex(randomblob(6))));

    CREATE TABLE applied (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        npm_id INTEGER NOT NULL,
        fields TEXT NOT NULL,
        created_on TEXT,
        unconfirmed INTEGER NOT NULL DEFAULT 0,
        writer TEXT,
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
        surroundings TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (target, kind, name)
    ) STRICT;

    CREATE TABLE blocked (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        reason TEXT NOT NULL,
        hint TEXT,
        since TEXT NOT NULL,
        tries INTEGER NOT NULL,
        next_try TEXT NOT NULL,
        PRIMARY KEY (target, kind, name)
    ) STRICT;

    CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        why TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        instance TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        outcome TEXT
    ) STRICT;

    CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        run_id INTEGER NOT NULL REFERENCES run (id),
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        old_name TEXT NOT NULL,
        action TEXT NOT NULL,
        npm_id INTEGER,
        created_on TEXT,
        before TEXT,
        after TEXT,
        promise TEXT,
        outcome TEXT,
        message TEXT
    ) STRICT;
    CREATE INDEX journal_unsettled ON journal (target) WHERE outcome IS NULL;
    CREATE INDEX journal_run ON journal (run_id);

    CREATE TABLE flight (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        npm_id INTEGER,
        shows TEXT,
        since TEXT NOT NULL,
        given_up INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE contest (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        field TEXT NOT NULL,
        count INTEGER NOT NULL,
        last TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        told INTEGER NOT NULL,
        PRIMARY KEY (target, kind, name, field)
    ) STRICT;

    CREATE TABLE hold (
        target TEXT PRIMARY KEY,
        fingerprints TEXT NOT NULL,
        run_id INTEGER NOT NULL,
        max_delete TEXT,
        since TEXT NOT NULL
    ) STRICT;

    CREATE TABLE secret (
        value TEXT PRIMARY KEY,
        shown TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE unknown_text (
        value TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE event_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        ts TEXT NOT NULL,
        severity TEXT NOT NULL,
        source TEXT NOT NULL,
        event TEXT NOT NULL,
        kind TEXT,
        name TEXT,
        message TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_log_ts ON event_log (ts);
    CREATE INDEX event_log_severity ON event_log (severity);
    CREATE INDEX event_log_source ON event_log (source, severity);
    CREATE INDEX event_log_kind ON event_log (kind, severity);
    CREATE INDEX event_log_kind_source ON event_log (kind, source, severity);
    CREATE INDEX event_log_name ON event_log (name, severity);
    CREATE INDEX event_log_name_source ON event_log (name, source, severity);

    CREATE TABLE health (
        id INTEGER PRIMARY KEY,
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        since TEXT,
        streak INTEGER NOT NULL,
        stale INTEGER NOT NULL,
        checked_at TEXT,
        latency_ms INTEGER,
        detail TEXT,
        hint TEXT,
        UNIQUE (target, kind, name)
    ) STRICT;

    CREATE TABLE check_result (
        health_id INTEGER NOT NULL REFERENCES health (id),
        at INTEGER NOT NULL,
        ok INTEGER NOT NULL,
        latency_ms INTEGER,
        PRIMARY KEY (health_id, at)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE uptime_period (
        health_id INTEGER NOT NULL REFERENCES health (id),
        start INTEGER NOT NULL,
        until INTEGER NOT NULL,
        lasts INTEGER NOT NULL,
        ok INTEGER NOT NULL,
        PRIMARY KEY (health_id, start)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE check_figures (
        health_id INTEGER NOT NULL REFERENCES health (id),
        span TEXT NOT NULL,
        start INTEGER NOT NULL,
        total INTEGER NOT NULL,
        ok INTEGER NOT NULL,
        p50 INTEGER,
        p95 INTEGER,
        PRIMARY KEY (health_id, span, start)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE edge (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        since TEXT NOT NULL,
        checked_at TEXT NOT NULL,
        detail TEXT,
        PRIMARY KEY (target, kind, name)
    ) STRICT;

    CREATE TABLE edge_seen (
        target TEXT NOT NULL,
        address TEXT NOT NULL,
        PRIMARY KEY (target, address)
    ) STRICT;

    CREATE TABLE active_alert (
        target TEXT NOT NULL,
        key TEXT NOT NULL,
        event TEXT NOT NULL,
        message TEXT NOT NULL,
        since TEXT NOT NULL,
        PRIMARY KEY (target, key)
    ) STRICT;
    """,
    """
    ALTER TABLE identity ADD COLUMN secret_key TEXT NOT NULL DEFAULT '';
    UPDATE identity SET secret_key = lower(hex(randomblob(32)));
    ALTER TABLE applied ADD COLUMN digests TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE failure ADD COLUMN as_found INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE given_back (
        target TEXT NOT NULL,
        kind TEXT NOT NULL,
        npm_id INTEGER NOT NULL,
        created_on TEXT,
        PRIMARY KEY (target, kind, npm_id)
    ) STRICT;

    CREATE TABLE pause (
        target TEXT PRIMARY KEY,
        begin TEXT NOT NULL,
        seconds REAL
    ) STRICT;
    """,
    """
    ALTER TABLE run ADD COLUMN git_commit TEXT;
    """,
    """
    CREATE INDEX applied_by_host ON applied (target, kind, npm_id);
    """,
)

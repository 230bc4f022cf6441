"""The tables of an SQLite journal, as the list of steps that lead to them.

A new file takes every step, an older one those it lacks, so both end up the same. The file
carries :data:`APPLICATION_ID` and, as its ``user_version``, the number of steps taken.
A step that has been released is never changed: what comes later is a step of its own.

Bodies are JSON text, so that a later step can fill a new column or index from them.
Only ``events`` and ``audit`` are ever trimmed, each by its own rule: the other tables hold what
the API reads, for good.
"""

__all__ = ["APPLICATION_ID", "MIGRATIONS", "Migrations"]

APPLICATION_ID = 0x4C494D4A
"""'LIMJ': the mark of an incident journal in an SQLite file's header."""

Migrations = tuple[tuple[str, ...], ...]
"""Statements by step; the first step makes version 1."""

# The column ``severity`` is 4 for P0 to 0 for P4, and ``state`` is 0 for NEW to 5 for CLOSED, so
# that both sort as the port says. Indexes with (created_at, id) last give sorted pages; a partial
# one bears its constant too, or SQLite would look into the table for it.
_VERSION_1 = (
    """CREATE TABLE meta (
        key TEXT NOT NULL PRIMARY KEY,
        value NOT NULL
    )""",
    """CREATE TABLE events (
        offset INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    """CREATE TABLE incidents (
        id TEXT NOT NULL PRIMARY KEY,
        scope TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        active INTEGER NOT NULL,
        state INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        incident_type TEXT NOT NULL,
        source TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX incidents_created ON incidents (created_at, id)",
    "CREATE INDEX incidents_updated ON incidents (updated_at, created_at, id)",
    "CREATE INDEX incidents_severity ON incidents (severity, created_at, id)",
    "CREATE INDEX incidents_state ON incidents (state, created_at, id)",
    "CREATE INDEX incidents_source ON incidents (source, created_at, id)",
    "CREATE INDEX incidents_active ON incidents (created_at, id, active) WHERE active = 1",
    """CREATE INDEX incidents_fingerprint ON incidents (fingerprint, scope, created_at, id, active)
        WHERE active = 1""",
    """CREATE TABLE incident_labels (
        incident_id TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (incident_id, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX labels_value ON incident_labels (key, value, incident_id)",
    """CREATE TABLE incident_assignees (
        incident_id TEXT NOT NULL,
        assignee TEXT NOT NULL,
        PRIMARY KEY (incident_id, assignee)
    ) WITHOUT ROWID""",
    "CREATE INDEX assignees_name ON incident_assignees (assignee, incident_id)",
    """CREATE TABLE alerts (
        id TEXT NOT NULL PRIMARY KEY,
        incident_id TEXT,
        received_at INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX alerts_received ON alerts (received_at, id)",
    "CREATE INDEX alerts_incident ON alerts (incident_id, received_at, id)",
    """CREATE TABLE comments (
        id TEXT NOT NULL PRIMARY KEY,
        incident_id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX comments_incident ON comments (incident_id, created_at, id)",
    """CREATE TABLE timeline (
        incident_id TEXT NOT NULL,
        offset INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (incident_id, offset, seq)
    ) WITHOUT ROWID""",
    """CREATE TABLE links (
        incident_id TEXT NOT NULL,
        related_id TEXT NOT NULL,
        offset INTEGER NOT NULL,
        PRIMARY KEY (incident_id, related_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE source_keys (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        incident_id TEXT NOT NULL,
        firing INTEGER NOT NULL,
        PRIMARY KEY (scope, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX keys_firing ON source_keys (incident_id, firing) WHERE firing = 1",
    """CREATE TABLE answers (
        key TEXT NOT NULL PRIMARY KEY,
        digest TEXT NOT NULL,
        body BLOB NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX answers_expiry ON answers (expires_at)",
)

# Incidents get a number of their own (``seq``, the order in which they came), by which ``search``
# knows them, and the length of their history (``lines``); alerts their severity. ``facets``
# replaces the tables and indexes that each served one condition (see ``facets.py`` for its rows,
# and for the numbers of the facets), ``counts`` has the sizes of its cells. Alerts by incident
# have an index already: ``alert_incidents`` shows it as if its rows were of ``facets``.
# ``words`` and ``mark`` are functions of ``words.py``.
_VERSION_2 = (
    """CREATE TABLE facets (
        facet INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        state INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        time INTEGER NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (facet, key, value, state, severity, time, id)
    ) WITHOUT ROWID""",
    """INSERT INTO facets
        SELECT 0, '', '', state, severity, created_at, id FROM incidents""",
    """INSERT INTO facets
        SELECT 1, key, value, state, severity, created_at, id
        FROM incident_labels JOIN incidents ON id = incident_id""",
    """INSERT INTO facets
        SELECT 2, '', source, state, severity, created_at, id FROM incidents""",
    """INSERT INTO facets
        SELECT 3, '', incident_type, state, severity, created_at, id FROM incidents""",
    """INSERT INTO facets
        SELECT 4, '', assignee, state, severity, created_at, id
        FROM incident_assignees JOIN incidents ON id = incident_id""",
    "DROP TABLE incident_labels",
    "DROP TABLE incident_assignees",
    "ALTER TABLE incidents RENAME TO incidents_1",
    """CREATE TABLE incidents (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        scope TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        active INTEGER NOT NULL,
        state INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        lines INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    """INSERT INTO incidents
        SELECT rowid, id, scope, fingerprint, active, state, severity, created_at, updated_at,
            (SELECT count(*) FROM timeline WHERE incident_id = incidents_1.id), body
        FROM incidents_1 ORDER BY rowid""",
    "DROP TABLE incidents_1",
    """CREATE INDEX incidents_updated
        ON incidents (updated_at, created_at, id, state, severity)""",
    """CREATE INDEX incidents_fingerprint ON incidents (fingerprint, scope, created_at, id, active)
        WHERE active = 1""",
    "ALTER TABLE alerts RENAME TO alerts_1",
    """CREATE TABLE alerts (
        id TEXT NOT NULL PRIMARY KEY,
        incident_id TEXT,
        severity INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    """INSERT INTO alerts
        SELECT id, incident_id, 4 - substr(json_extract(body, '$.severity'), 2), received_at, body
        FROM alerts_1 ORDER BY rowid""",
    "DROP TABLE alerts_1",
    "CREATE INDEX alerts_incident ON alerts (incident_id, received_at, id, severity)",
    "INSERT INTO facets SELECT 5, '', '', 0, severity, received_at, id FROM alerts",
    """INSERT INTO facets
        SELECT 6, label.key, label.value, 0, severity, received_at, alerts.id
        FROM alerts, json_each(alerts.body, '$.labels') AS label""",
    """INSERT INTO facets
        SELECT 7, '', json_extract(body, '$.source'), 0, severity, received_at, id FROM alerts""",
    """CREATE VIEW alert_incidents AS
        SELECT 8 AS facet, '' AS key, incident_id AS value, 0 AS state, severity,
            received_at AS time, id
        FROM alerts""",
    "CREATE INDEX links_order ON links (incident_id, offset, related_id)",
    """CREATE TABLE counts (
        facet INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        state INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (facet, key, value, state, severity)
    ) WITHOUT ROWID""",
    """INSERT INTO counts
        SELECT facet, key, value, state, severity, count(*) FROM facets GROUP BY 1, 2, 3, 4, 5""",
    """CREATE VIRTUAL TABLE search USING fts5 (
        title, rest, marks, tokenize = 'ascii', detail = 'column', prefix = '2 3'
    )""",
    """INSERT INTO search (rowid, title, rest, marks)
        SELECT seq, words(json_extract(body, '$.title')),
            words(json_extract(body, '$.description') || ' ' || json_extract(body, '$.source')
                || ' ' || (SELECT coalesce(group_concat(value, ' '), '')
                    FROM json_each(incidents.body, '$.labels'))),
            (SELECT coalesce(group_concat(mark(key, value), ' '), '')
                FROM json_each(incidents.body, '$.labels'))
        FROM incidents ORDER BY seq""",
)

# The audit, with what is still known of the past. Its rows are never changed, and deleted only up
# to the floor that retention has set before: a slip elsewhere cannot touch them. Until this
# version deleted text stayed in free pages: the file is written anew once (``clean_due``).
_VERSION_3 = (
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        action TEXT NOT NULL,
        principal TEXT NOT NULL,
        incident_id TEXT,
        offset INTEGER,
        trace TEXT,
        detail TEXT
    )""",
    """INSERT INTO audit
        SELECT NULL, time, upper(json_extract(body, '$.kind')),
            json_extract(body, '$.principal'), json_extract(body, '$.incident.id'), offset,
            json_extract(body, '$.trace'), NULL
        FROM events ORDER BY offset""",
    "CREATE INDEX audit_incident ON audit (incident_id) WHERE incident_id IS NOT NULL",
    "CREATE INDEX audit_principal ON audit (principal)",
    "CREATE INDEX audit_beside ON audit (action) WHERE offset IS NULL OR action = 'REDACT'",
    "INSERT INTO meta (key, value) VALUES ('audit_floor', 0), ('clean_due', 1)",
    """CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER audit_grows BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
        WHEN OLD.id > (SELECT value FROM meta WHERE key = 'audit_floor')
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
)

# What confined principals need: which events bear a label (by ``mark``, so that no text lies here
# that a redaction would have to find), and the secret that their cursors are sealed with.
_VERSION_4 = (
    """CREATE TABLE event_marks (
        mark TEXT NOT NULL,
        offset INTEGER NOT NULL,
        PRIMARY KEY (mark, offset)
    ) WITHOUT ROWID""",
    """INSERT OR IGNORE INTO event_marks
        SELECT mark(label.key, label.value), offset
        FROM events, json_each(body, '$.incident.labels') AS label""",
    """INSERT OR IGNORE INTO event_marks
        SELECT mark(label.key, label.value), offset
        FROM events, json_each(body, '$.alert.labels') AS label""",
    "INSERT INTO meta (key, value) VALUES ('secret', randomblob(32))",
)

MIGRATIONS: Migrations = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""Every step so far; their number is this version's schema version."""

-- Owner: db. The append-only log of everything that happened.
CREATE TABLE events (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    at             TEXT NOT NULL,
    type           TEXT NOT NULL,
    schema_version INTEGER NOT NULL DEFAULT 1,
    actor          TEXT NOT NULL,
    bead_id        TEXT,
    convoy_id      TEXT,
    provider       TEXT,
    correlation_id TEXT,
    payload        TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload))
) STRICT;

CREATE INDEX events_by_bead ON events (bead_id, seq) WHERE bead_id IS NOT NULL;
CREATE INDEX events_by_convoy ON events (convoy_id, seq) WHERE convoy_id IS NOT NULL;
CREATE INDEX events_by_time ON events (at);

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

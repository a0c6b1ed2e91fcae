-- Owner: refinery. What was used, what is set aside, what providers said about their limits.
CREATE TABLE usage (
    seq            INTEGER PRIMARY KEY,
    attempt_id     TEXT NOT NULL,
    -- Number of the slice within the attempt, from 0; a slice is charged once.
    slice          INTEGER NOT NULL,
    bead_id        TEXT NOT NULL,
    convoy_id      TEXT,
    provider       TEXT NOT NULL,
    model          TEXT,
    requests       INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    -- What limits in tokens count.
    tokens         INTEGER NOT NULL GENERATED ALWAYS AS (input + output + cache_write) STORED,
    cost_micro_usd INTEGER NOT NULL,
    -- reported: counted by the provider; estimate: charged because nobody knows.
    source         TEXT NOT NULL CHECK (source IN ('reported', 'estimate')),
    -- When the use began (the reservation, or the slice before) and when it was known.
    began_at       TEXT NOT NULL,
    at             TEXT NOT NULL,
    UNIQUE (attempt_id, slice)
) STRICT;

-- Holds all that the sums over windows read.
CREATE INDEX usage_by_provider
    ON usage (provider, at, began_at, model, tokens, requests, cost_micro_usd, slice);
CREATE INDEX usage_by_bead ON usage (bead_id);
CREATE INDEX usage_by_convoy ON usage (convoy_id) WHERE convoy_id IS NOT NULL;
CREATE INDEX usage_by_time ON usage (at);

CREATE TRIGGER usage_is_never_changed BEFORE UPDATE ON usage
BEGIN
    SELECT RAISE(ABORT, 'the usage ledger is append-only');
END;

CREATE TRIGGER usage_is_never_deleted BEFORE DELETE ON usage
BEGIN
    SELECT RAISE(ABORT, 'the usage ledger is append-only');
END;

-- One per attempt.
CREATE TABLE reservations (
    id                  TEXT PRIMARY KEY,
    attempt_id          TEXT NOT NULL UNIQUE,
    bead_id             TEXT NOT NULL,
    convoy_id           TEXT,
    provider            TEXT NOT NULL,
    model               TEXT,
    owner               TEXT NOT NULL,
    tokens              INTEGER NOT NULL,
    requests            INTEGER NOT NULL,
    cost_micro_usd      INTEGER NOT NULL,
    -- What slices already in the ledger have taken from it.
    used_tokens         INTEGER NOT NULL DEFAULT 0,
    used_requests       INTEGER NOT NULL DEFAULT 0,
    used_cost_micro_usd INTEGER NOT NULL DEFAULT 0,
    created_at          TEXT NOT NULL,
    expires_at          TEXT NOT NULL,
    settled_at          TEXT,
    -- settled: with reported usage; charged: the estimate, because usage is unknown; released: never started.
    outcome             TEXT CHECK (outcome IN ('settled', 'charged', 'released'))
) STRICT;

CREATE INDEX reservations_open ON reservations (provider) WHERE settled_at IS NULL;
CREATE INDEX reservations_by_expiry ON reservations (expires_at) WHERE settled_at IS NULL;
CREATE INDEX reservations_by_time ON reservations (provider, created_at);

-- Where the anchored windows of a ledger stood last: a cache, so that the chain of windows
-- need not be followed from the first use. Whatever changes the past drops it.
CREATE TABLE anchors (
    provider    TEXT NOT NULL,
    scope       TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    starts_at   TEXT NOT NULL,
    PRIMARY KEY (provider, scope, duration_ms)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_before_an_anchor AFTER INSERT ON usage
BEGIN
    DELETE FROM anchors WHERE provider = NEW.provider AND starts_at > NEW.at;
END;

CREATE TRIGGER reservation_before_an_anchor AFTER INSERT ON reservations
BEGIN
    DELETE FROM anchors WHERE provider = NEW.provider AND starts_at > NEW.created_at;
END;

CREATE TRIGGER released_anchor AFTER UPDATE OF outcome ON reservations WHEN NEW.outcome = 'released'
BEGIN
    DELETE FROM anchors WHERE provider = NEW.provider AND starts_at >= NEW.created_at;
END;

-- The latest word on each window: from the provider, or from a person.
CREATE TABLE windows (
    provider         TEXT NOT NULL,
    -- account, or model:<name>.
    scope            TEXT NOT NULL,
    limit_id         TEXT NOT NULL,
    kind             TEXT NOT NULL,
    unit             TEXT NOT NULL,
    -- 0: unknown.
    duration_ms      INTEGER NOT NULL,
    -- Of a percent window: its size in tokens, when a person set it.
    limit_amount     INTEGER,
    -- Share used, 0 to 1 and above, as last said.
    used_fraction    REAL,
    remaining_amount INTEGER,
    -- When that level was said, and when the request that told it began.
    level_at         TEXT,
    began_at         TEXT,
    status           TEXT,
    resets_at        TEXT,
    -- Closed by a rejection, since and until; stays until something proves it open.
    closed_at        TEXT,
    closed_until     TEXT,
    -- What is known about the tokens in a whole percent window.
    learned          TEXT CHECK (learned IS NULL OR json_valid(learned)),
    source           TEXT NOT NULL,
    observed_at      TEXT NOT NULL,
    PRIMARY KEY (provider, scope, limit_id, duration_ms)
) STRICT, WITHOUT ROWID;

-- Everything that was said about windows, in order, to rebuild `windows` from.
CREATE TABLE observations (
    seq         INTEGER PRIMARY KEY,
    provider    TEXT NOT NULL,
    attempt_id  TEXT,
    observed_at TEXT NOT NULL,
    body        TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX observations_by_provider ON observations (provider, observed_at);

CREATE TABLE circuits (
    provider    TEXT NOT NULL,
    scope       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('closed', 'open', 'disabled')),
    -- Transient errors in a row.
    failures    INTEGER NOT NULL DEFAULT 0,
    open_until  TEXT,
    class       TEXT,
    reason      TEXT,
    -- Digest of the provider's configuration when it was disabled; a change lifts it.
    fingerprint TEXT,
    updated_at  TEXT NOT NULL,
    PRIMARY KEY (provider, scope)
) STRICT, WITHOUT ROWID;

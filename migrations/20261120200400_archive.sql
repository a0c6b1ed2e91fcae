-- Owner: depot. What is over and old, out of the way of the work and still to be looked at. The columns
-- are those of the tables that it comes from, in the same order; a test compares them.
CREATE TABLE archived_beads (
    id                  TEXT PRIMARY KEY,
    title               TEXT NOT NULL,
    description         TEXT NOT NULL,
    task_type           TEXT NOT NULL,
    priority            INTEGER NOT NULL,
    status              TEXT NOT NULL,
    block_cause         TEXT,
    block_reason        TEXT,
    complexity          TEXT NOT NULL,
    permission          TEXT NOT NULL,
    acceptance_criteria TEXT NOT NULL,
    files               TEXT NOT NULL,
    labels              TEXT NOT NULL,
    metadata            TEXT NOT NULL,
    estimated_tokens    INTEGER NOT NULL,
    estimate_p80        INTEGER NOT NULL,
    estimate_p95        INTEGER NOT NULL,
    estimate_source     TEXT NOT NULL,
    actual_tokens       INTEGER,
    preferred_provider  TEXT,
    preferred_model     TEXT,
    assigned_provider   TEXT,
    convoy_id           TEXT,
    open_deps           INTEGER NOT NULL,
    rank                INTEGER NOT NULL,
    attempt             INTEGER NOT NULL,
    failures            INTEGER NOT NULL,
    lease_owner         TEXT,
    lease_expires_at    TEXT,
    not_before          TEXT,
    deadline            TEXT,
    deferred_until      TEXT,
    deferral            TEXT,
    feedback            TEXT,
    optimized_prompt    TEXT,
    output              TEXT,
    error               TEXT,
    created_at          TEXT NOT NULL,
    started_at          TEXT,
    completed_at        TEXT,
    updated_at          TEXT NOT NULL,
    -- When it was archived, and its row before: the order among beads of one moment.
    archived_at         TEXT NOT NULL,
    at_row              INTEGER NOT NULL
) STRICT;

CREATE INDEX archived_beads_by_convoy ON archived_beads (convoy_id, status) WHERE convoy_id IS NOT NULL;

CREATE TABLE archived_attempts (
    id              TEXT NOT NULL,
    bead_id         TEXT NOT NULL,
    number          INTEGER NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT,
    owner           TEXT NOT NULL,
    status          TEXT NOT NULL,
    rule            TEXT,
    message         TEXT,
    session_id      TEXT,
    resumes         TEXT,
    worktree        TEXT,
    base_commit     TEXT,
    commit_id       TEXT,
    pgid            INTEGER,
    process_started INTEGER,
    marker          TEXT,
    log_path        TEXT,
    exit_code       INTEGER,
    started_at      TEXT NOT NULL,
    finished_at     TEXT,
    UNIQUE (bead_id, number)
) STRICT;

CREATE TABLE archived_completions (
    id               TEXT NOT NULL,
    bead_id          TEXT NOT NULL,
    attempt_id       TEXT NOT NULL,
    provider         TEXT NOT NULL,
    model            TEXT,
    task_type        TEXT NOT NULL,
    complexity       TEXT NOT NULL,
    estimated_tokens INTEGER NOT NULL,
    actual_tokens    INTEGER NOT NULL,
    duration_ms      INTEGER NOT NULL,
    success          INTEGER NOT NULL,
    verdict          TEXT NOT NULL,
    quality_score    REAL,
    original_prompt  TEXT,
    optimized_prompt TEXT,
    error_message    TEXT,
    completed_at     TEXT NOT NULL,
    asked_model      TEXT,
    repo             TEXT,
    prompt_chars     INTEGER NOT NULL,
    is_fresh         INTEGER NOT NULL
) STRICT;

CREATE INDEX archived_completions_by_bead ON archived_completions (bead_id);
CREATE INDEX archived_completions_whole ON archived_completions (completed_at)
    WHERE verdict <> 'failed' AND is_fresh = 1;

-- Of which one end is archived; the other may not be.
CREATE TABLE archived_dependencies (
    bead_id       TEXT NOT NULL,
    depends_on_id TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    PRIMARY KEY (bead_id, depends_on_id)
) STRICT, WITHOUT ROWID;

-- Beside bead_counts, which counts what is not archived.
CREATE TABLE archived_counts (
    status TEXT PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER archived_beads_counted AFTER INSERT ON archived_beads
BEGIN
    INSERT INTO archived_counts (status, n) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;

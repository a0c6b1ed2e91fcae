-- Owner: depot. Convoys, beads, their dependencies, attempts and completions.
CREATE TABLE convoys (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    goal             TEXT,
    status           TEXT NOT NULL DEFAULT 'planning',
    -- Work tree of the repository the convoy works on; NULL for text work.
    repo             TEXT,
    base_branch      TEXT,
    base_commit      TEXT,
    -- Integration branch, rigs/<id>.
    branch           TEXT,
    -- Gate commands given by the person, a list of argv lists; NULL: detected.
    gate             TEXT CHECK (gate IS NULL OR json_valid(gate)),
    strategy         TEXT,
    provider         TEXT,
    max_parallel     INTEGER,
    budget_tokens    INTEGER,
    budget_micro_usd INTEGER,
    deadline         TEXT,
    -- The process that asked for it and waits for it (goal execute); NULL: any foreman's.
    served_by        TEXT,
    -- Which backend planned it: rules, or a model by name; NULL when a person made it.
    planned_by       TEXT,
    created_at       TEXT NOT NULL,
    started_at       TEXT,
    completed_at     TEXT,
    landed_at        TEXT,
    landed_commit    TEXT,
    updated_at       TEXT NOT NULL
) STRICT;

CREATE INDEX convoys_by_status ON convoys (status, created_at);

CREATE TABLE beads (
    id                  TEXT PRIMARY KEY,
    title               TEXT NOT NULL,
    description         TEXT NOT NULL,
    task_type           TEXT NOT NULL,
    priority            INTEGER NOT NULL DEFAULT 1 CHECK (priority BETWEEN 0 AND 3),
    status              TEXT NOT NULL DEFAULT 'pending',
    block_cause         TEXT,
    block_reason        TEXT,
    complexity          TEXT NOT NULL DEFAULT 'medium',
    permission          TEXT NOT NULL DEFAULT 'edit',
    acceptance_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(acceptance_criteria)),
    -- Files the planner expects to be touched, relative to the repository.
    files               TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(files)),
    labels              TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(labels)),
    metadata            TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    -- The p50 of the estimate of a whole run.
    estimated_tokens    INTEGER NOT NULL DEFAULT 0,
    estimate_p80        INTEGER NOT NULL DEFAULT 0,
    estimate_p95        INTEGER NOT NULL DEFAULT 0,
    estimate_source     TEXT NOT NULL DEFAULT 'prior',
    -- Input + output + cache writes of all attempts.
    actual_tokens       INTEGER,
    preferred_provider  TEXT,
    preferred_model     TEXT,
    assigned_provider   TEXT,
    convoy_id           TEXT REFERENCES convoys (id),
    -- Dependencies not completed yet, kept by the transaction that completes one.
    open_deps           INTEGER NOT NULL DEFAULT 0 CHECK (open_deps >= 0),
    -- Order among ready beads, higher first; renewed by the foreman.
    rank                INTEGER NOT NULL DEFAULT 0,
    -- Number of the current or last attempt: the fence of every completion.
    attempt             INTEGER NOT NULL DEFAULT 0,
    -- Attempts that count against max_attempts; walls and shutdowns never do.
    failures            INTEGER NOT NULL DEFAULT 0,
    lease_owner         TEXT,
    lease_expires_at    TEXT,
    not_before          TEXT,
    deadline            TEXT,
    deferred_until      TEXT,
    -- What a deferral waits for, {provider, window, reason}.
    deferral            TEXT CHECK (deferral IS NULL OR json_valid(deferral)),
    -- What the gate or the merge wants changed, for the next attempt.
    feedback            TEXT,
    optimized_prompt    TEXT,
    output              TEXT,
    error               TEXT,
    created_at          TEXT NOT NULL,
    started_at          TEXT,
    completed_at        TEXT,
    updated_at          TEXT NOT NULL
) STRICT;

-- The claim and `bead list --ready` walk this one; nothing else is read on the way.
-- Beads of one plan are created in the same moment: the rowid, which ends every index, tells
-- which one came first.
CREATE INDEX beads_ready ON beads (rank DESC, created_at)
    WHERE status = 'queued' AND open_deps = 0;
CREATE INDEX beads_pending ON beads (created_at) WHERE status = 'pending';
CREATE INDEX beads_deferred ON beads (deferred_until, id) WHERE status = 'deferred';
CREATE INDEX beads_leased ON beads (lease_expires_at) WHERE lease_owner IS NOT NULL;
CREATE INDEX beads_by_status ON beads (status, created_at);
CREATE INDEX beads_by_convoy ON beads (convoy_id, status) WHERE convoy_id IS NOT NULL;
CREATE INDEX beads_by_creation ON beads (created_at);

CREATE TABLE dependencies (
    bead_id       TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    depends_on_id TEXT NOT NULL REFERENCES beads (id) ON DELETE CASCADE,
    created_at    TEXT NOT NULL,
    PRIMARY KEY (bead_id, depends_on_id),
    CHECK (bead_id <> depends_on_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dependencies_reverse ON dependencies (depends_on_id, bead_id);

-- Counting a million rows is slow; these counters are kept by the triggers below.
CREATE TABLE bead_counts (
    status TEXT PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER beads_counted_in AFTER INSERT ON beads
BEGIN
    INSERT INTO bead_counts (status, n) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER beads_counted_out AFTER DELETE ON beads
BEGIN
    UPDATE bead_counts SET n = n - 1 WHERE status = OLD.status;
END;

CREATE TRIGGER beads_counted_over AFTER UPDATE OF status ON beads WHEN OLD.status <> NEW.status
BEGIN
    UPDATE bead_counts SET n = n - 1 WHERE status = OLD.status;
    INSERT INTO bead_counts (status, n) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;

CREATE TABLE attempts (
    id              TEXT PRIMARY KEY,
    bead_id         TEXT NOT NULL REFERENCES beads (id),
    number          INTEGER NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT,
    owner           TEXT NOT NULL,
    -- running, or the class of the outcome, or lost.
    status          TEXT NOT NULL DEFAULT 'running',
    rule            TEXT,
    message         TEXT,
    -- The provider's session, and the one that this attempt resumes.
    session_id      TEXT,
    resumes         TEXT,
    worktree        TEXT,
    base_commit     TEXT,
    -- The work of the attempt, under refs/rigs/attempts/<bead>/<number>.
    commit_id       TEXT,
    -- Process group of the run with the start time of its leader, and the marker in its environment.
    pgid            INTEGER,
    process_started INTEGER,
    marker          TEXT,
    log_path        TEXT,
    exit_code       INTEGER,
    started_at      TEXT NOT NULL,
    finished_at     TEXT,
    UNIQUE (bead_id, number)
) STRICT;

CREATE INDEX attempts_running ON attempts (owner) WHERE status = 'running';

CREATE TABLE completions (
    id               TEXT PRIMARY KEY,
    bead_id          TEXT NOT NULL REFERENCES beads (id),
    attempt_id       TEXT NOT NULL REFERENCES attempts (id),
    provider         TEXT NOT NULL,
    model            TEXT,
    task_type        TEXT NOT NULL,
    complexity       TEXT NOT NULL,
    estimated_tokens INTEGER NOT NULL,
    actual_tokens    INTEGER NOT NULL,
    duration_ms      INTEGER NOT NULL,
    success          INTEGER NOT NULL CHECK (success IN (0, 1)),
    -- accepted, revised, failed.
    verdict          TEXT NOT NULL,
    quality_score    REAL,
    original_prompt  TEXT,
    optimized_prompt TEXT,
    error_message    TEXT,
    completed_at     TEXT NOT NULL
) STRICT;

CREATE INDEX completions_by_bead ON completions (bead_id);
CREATE INDEX completions_by_provider ON completions (provider, completed_at);
CREATE INDEX completions_by_type ON completions (task_type, completed_at);

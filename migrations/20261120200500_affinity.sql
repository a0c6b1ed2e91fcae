-- Owner: dispatch. What became of the work of each provider, per kind of task. Was never written
-- before: made anew, with what fades.
DROP TABLE affinity;

CREATE TABLE affinity (
    provider   TEXT NOT NULL,
    -- As rigs asks for it; empty: the provider's own choice.
    model      TEXT NOT NULL,
    task_type  TEXT NOT NULL,
    -- Attempts ever, by what became of them.
    accepted   INTEGER NOT NULL DEFAULT 0,
    reworked   INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    -- Of all of them, cache reads aside.
    tokens     INTEGER NOT NULL DEFAULT 0,
    -- Attempts that were given only to find out.
    tried      INTEGER NOT NULL DEFAULT 0,
    -- How many attempts they still count as, and the sum of their credits, at updated_at.
    weight     REAL NOT NULL DEFAULT 0,
    credit     REAL NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (provider, model, task_type)
) STRICT, WITHOUT ROWID;

CREATE INDEX affinity_by_age ON affinity (updated_at);

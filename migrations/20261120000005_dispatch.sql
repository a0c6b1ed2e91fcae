-- Owner: dispatch. How the work of each provider turned out, per kind of task.
CREATE TABLE affinity (
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    task_type  TEXT NOT NULL,
    accepted   INTEGER NOT NULL DEFAULT 0,
    reworked   INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    tokens     INTEGER NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (provider, model, task_type)
) STRICT, WITHOUT ROWID;

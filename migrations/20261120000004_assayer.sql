-- Owner: assayer. What became of prompts that were rewritten.
CREATE TABLE optimization_traces (
    id               TEXT PRIMARY KEY,
    bead_id          TEXT,
    task_type        TEXT NOT NULL,
    -- rules, or the model by name.
    backend          TEXT NOT NULL,
    original_prompt  TEXT NOT NULL,
    optimized_prompt TEXT NOT NULL,
    original_tokens  INTEGER NOT NULL,
    optimized_tokens INTEGER NOT NULL,
    estimated_tokens INTEGER NOT NULL,
    actual_tokens    INTEGER,
    quality_score    REAL,
    created_at       TEXT NOT NULL
) STRICT;

CREATE INDEX optimization_traces_by_type ON optimization_traces (task_type, quality_score DESC);
CREATE INDEX optimization_traces_by_bead ON optimization_traces (bead_id) WHERE bead_id IS NOT NULL;

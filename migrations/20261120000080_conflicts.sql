-- Owner: depot. Beads that bring the work of another one together with what was merged meanwhile.
CREATE TABLE conflicts (
    -- The bead that brings both together.
    bead_id    TEXT PRIMARY KEY REFERENCES beads (id),
    -- The bead whose work met the conflict; it waits in merging.
    original   TEXT NOT NULL REFERENCES beads (id),
    -- That work.
    commit_id  TEXT NOT NULL,
    -- The files that git could not merge.
    files      TEXT NOT NULL CHECK (json_valid(files)),
    created_at TEXT NOT NULL,
    CHECK (bead_id <> original)
) STRICT, WITHOUT ROWID;

CREATE INDEX conflicts_by_original ON conflicts (original, created_at);

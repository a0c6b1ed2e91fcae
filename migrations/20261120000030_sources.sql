-- Owner: refinery. When each source of a provider was asked, so that intervals hold across restarts.
CREATE TABLE sources (
    provider      TEXT NOT NULL,
    source        TEXT NOT NULL,
    -- Written before it is asked: two processes do not ask at once.
    asked_at      TEXT NOT NULL,
    answered_at   TEXT,
    -- It refused to be asked before then.
    blocked_until TEXT,
    -- Questions in a row without an answer.
    failures      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, source)
) STRICT, WITHOUT ROWID;

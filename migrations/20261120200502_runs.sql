-- Owner: depot. What the estimator and the quality of estimates are read from, in one scan of an index.
ALTER TABLE completions ADD COLUMN repo TEXT;
ALTER TABLE completions ADD COLUMN prompt_chars INTEGER NOT NULL DEFAULT 0;
-- It did not go on with a conversation: what it took is what a whole run takes.
ALTER TABLE completions ADD COLUMN is_fresh INTEGER NOT NULL DEFAULT 1 CHECK (is_fresh IN (0, 1));

CREATE INDEX completions_whole ON completions (completed_at)
    WHERE verdict <> 'failed' AND is_fresh = 1;

-- Owner: refinery. What was used in each minute, kept by the ledger itself: a forecast looks back
-- on weeks, and must not read every row of them.
CREATE TABLE demand (
    provider       TEXT NOT NULL,
    -- The first 16 characters of the time: 2026-11-20T07:30.
    minute         TEXT NOT NULL,
    -- Empty where the model is not known.
    model          TEXT NOT NULL,
    first_at       TEXT NOT NULL,
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    requests       INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (provider, minute, model)
) STRICT, WITHOUT ROWID;

INSERT INTO demand
SELECT provider, substr(at, 1, 16), coalesce(model, ''), min(at), sum(input), sum(output),
    sum(cache_read), sum(cache_write), sum(requests), sum(cost_micro_usd)
FROM usage
GROUP BY provider, substr(at, 1, 16), coalesce(model, '');

CREATE TRIGGER usage_is_demand AFTER INSERT ON usage
BEGIN
    INSERT INTO demand (provider, minute, model, first_at, input, output, cache_read, cache_write,
        requests, cost_micro_usd)
    VALUES (NEW.provider, substr(NEW.at, 1, 16), coalesce(NEW.model, ''), NEW.at, NEW.input,
        NEW.output, NEW.cache_read, NEW.cache_write, NEW.requests, NEW.cost_micro_usd)
    ON CONFLICT (provider, minute, model) DO UPDATE SET
        first_at = min(first_at, excluded.first_at),
        input = input + excluded.input,
        output = output + excluded.output,
        cache_read = cache_read + excluded.cache_read,
        cache_write = cache_write + excluded.cache_write,
        requests = requests + excluded.requests,
        cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd;
END;

-- How far the ledger and the provider were apart when that was last seen to be much.
CREATE TABLE drift (
    provider    TEXT NOT NULL,
    scope       TEXT NOT NULL,
    limit_id    TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- Shares of the window used: counted here, and said by the provider.
    counted     REAL NOT NULL,
    said        REAL NOT NULL,
    at          TEXT NOT NULL,
    PRIMARY KEY (provider, scope, limit_id, duration_ms)
) STRICT, WITHOUT ROWID;

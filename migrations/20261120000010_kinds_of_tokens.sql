-- Owner: refinery. Limits count different kinds of tokens: the index that the sums over windows read
-- holds each of them.
DROP INDEX usage_by_provider;

CREATE INDEX usage_by_provider
    ON usage (provider, at, began_at, model, input, output, cache_write, cache_read, requests,
        cost_micro_usd, slice);

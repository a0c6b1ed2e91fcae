-- Owner: depot. What grew with the number of beads: two look-ups without an index.
CREATE INDEX attempts_by_marker ON attempts (marker) WHERE marker IS NOT NULL;
CREATE INDEX beads_waiting_for ON beads (json_extract(deferral, '$.provider'), deferred_until, id)
    WHERE status = 'deferred';

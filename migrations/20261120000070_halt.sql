-- Owner: depot. The emergency stop: while its one row is there, no bead is started by anybody.
CREATE TABLE halt (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    since TEXT NOT NULL,
    reason TEXT
) STRICT;

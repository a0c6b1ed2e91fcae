-- Owner: refinery. How far a run may be off its estimate, and how long it takes: what is kept free
-- for all that run together follows from it.
-- Standard deviation of the natural logarithm of what it uses; 0: exactly the reserved amounts.
ALTER TABLE reservations ADD COLUMN spread REAL NOT NULL DEFAULT 0;
-- About; 0: unknown. Windows shorter than the run are charged their share of it only.
ALTER TABLE reservations ADD COLUMN lasts_ms INTEGER NOT NULL DEFAULT 0;

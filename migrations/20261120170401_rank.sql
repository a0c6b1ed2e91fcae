-- Owner: depot. The rank is a moment now: that of the creation, with a head start by priority.
UPDATE beads SET rank = priority * 172800000 - unixepoch(created_at) * 1000;

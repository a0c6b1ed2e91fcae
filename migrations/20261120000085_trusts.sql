-- Owner: depot. Settings files of repositories that a person has read and lets count.
CREATE TABLE trusts (
    -- Root of the repository's work tree.
    repo       TEXT PRIMARY KEY,
    -- Of the content of its .rigs.toml, hexadecimal.
    sha256     TEXT NOT NULL,
    -- The file as it was read: only this very text counts.
    content    TEXT NOT NULL,
    trusted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The same of the .rigs.toml at the convoy's base commit; NULL: there was none.
ALTER TABLE convoys ADD COLUMN settings_sha256 TEXT;

-- The catalog of a data folder: which generations of which read models there are, and which one is live.

-- Every generation that was ever made here. Its rows, checkpoint and counts are in its own file.
CREATE TABLE generation (
    id            TEXT    NOT NULL PRIMARY KEY,
    model         TEXT    NOT NULL,
    schema_hash   TEXT    NOT NULL,
    fold_version  INTEGER NOT NULL,
    -- 'creating': its file may be incomplete. 'ready': it can be folded, promoted and read.
    -- 'retired': nobody may need it any more; its file goes after a grace period.
    state         TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'retired')),
    -- How it began: empty, or restored from this snapshot.
    snapshot      TEXT,
    created_at_us INTEGER NOT NULL,
    retired_at_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX generation_of_model ON generation (model, schema_hash);

-- The truth about what is live. One row per read model and schema, so that during a rolling deployment old and
-- new programs each find tables that they can read.
CREATE TABLE live (
    model         TEXT    NOT NULL,
    schema_hash   TEXT    NOT NULL,
    generation    TEXT    NOT NULL REFERENCES generation (id),
    -- What was live before, for a rollback.
    previous      TEXT             REFERENCES generation (id),
    -- Grows with every change of the row; every change is a compare-and-set on it.
    epoch         INTEGER NOT NULL,
    changed_at_us INTEGER NOT NULL,
    PRIMARY KEY (model, schema_hash)
) STRICT, WITHOUT ROWID;

-- The catalog of a database: which generations of which read models there are, and which one is live. It runs in the catalog's
-- schema, which has been made right before.

-- What this schema is.
CREATE TABLE catalog (
    one           boolean     NOT NULL PRIMARY KEY CHECK (one),
    -- Tells this catalog from all others.
    id            uuid        NOT NULL,
    -- The number of the newest script that made it.
    format        bigint      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Every generation that was ever made here. Its tables are in a schema of its own.
CREATE TABLE generation (
    id            uuid        NOT NULL PRIMARY KEY,
    -- Tells its rows from those of other generations where all of them are read as one table.
    number        integer     NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    model         text        NOT NULL COLLATE "C",
    schema_hash   text        NOT NULL COLLATE "C",
    fold_version  bigint      NOT NULL,
    -- 'creating': its schema is not there yet. 'ready': it can be folded, promoted and read.
    -- 'retired': nobody may need it any more; its schema goes after a grace period.
    state         text        NOT NULL CHECK (state IN ('creating', 'ready', 'retired')),
    -- It is filled, looked at and removed; lists of generations do not have it.
    scratch       boolean     NOT NULL,
    -- How it began: empty, or restored from this snapshot.
    snapshot      text,
    -- The format of its control row and of its schema.
    format        bigint      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    retired_at    timestamptz,
    -- Sessions whose transaction began later know that views may read its tables.
    attached_at   timestamptz
);

CREATE INDEX generation_of_model ON generation (model, schema_hash);

-- The truth about what is live. One row per read model and schema hash, so that during a rolling deployment old and
-- new programs each find tables that they can read.
CREATE TABLE live (
    model         text        NOT NULL COLLATE "C",
    schema_hash   text        NOT NULL COLLATE "C",
    generation    uuid        NOT NULL REFERENCES generation (id),
    -- What was live before, for a rollback.
    previous      uuid                 REFERENCES generation (id),
    -- Grows with every change of the row; every change is a compare-and-set on it.
    epoch         bigint      NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, schema_hash)
);

-- Who builds candidates of a read model. The beat grows as long as the holder lives; no clock of the database is asked.
CREATE TABLE lease (
    model         text        NOT NULL COLLATE "C" PRIMARY KEY,
    -- NULL: nobody.
    holder        uuid,
    beat          bigint      NOT NULL
);

-- What generations of format 1 know of themselves: one row each. It stands in the catalog's schema, and changes in the same
-- transaction as the generation's rows do. The row is small and changes with every batch, so its page has room for that.
CREATE TABLE control (
    generation    uuid        NOT NULL PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE,
    fold_version  bigint      NOT NULL,
    -- Which events the fold reads, hashed: a fold that reads others is another fold.
    filter_hash   text        NOT NULL,
    log_id        uuid        NOT NULL,
    -- Events up to here are not in the counts.
    base_sequence bigint      NOT NULL,
    -- The checkpoint: every event up to here is in the rows.
    sequence      bigint      NOT NULL CHECK (sequence >= base_sequence),
    -- The log's chain value there: what tells the log from the same one restored from a backup. NULL: it is not known.
    chain         bytea                CHECK (length(chain) = 16),
    -- Who may write: the one who raised it last.
    epoch         bigint      NOT NULL,
    -- Applied and parked events in (base_sequence, sequence]: how many, and the wrapping 128-bit sum of
    -- H(sequence, event id), big-endian.
    applied_count bigint      NOT NULL,
    applied_sum   bytea       NOT NULL CHECK (length(applied_sum) = 16),
    parked_count  bigint      NOT NULL,
    parked_sum    bytea       NOT NULL CHECK (length(parked_sum) = 16)
) WITH (fillfactor = 10);

-- What a generation knows of itself. It stands beside the generation's rows, so that a copy of the file is complete,
-- and changes in the same transaction as they do.
CREATE TABLE annals_control (
    one           INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    model         TEXT    NOT NULL,
    schema_hash   TEXT    NOT NULL,
    fold_version  INTEGER NOT NULL,
    -- Which events the fold reads, hashed: a fold that reads others is another fold.
    filter_hash   TEXT    NOT NULL,
    -- The log's id, as text.
    log_id        TEXT    NOT NULL,
    -- Events up to here are not in the counts.
    base_sequence INTEGER NOT NULL,
    -- The checkpoint: every event up to here is in the rows.
    sequence      INTEGER NOT NULL CHECK (sequence >= base_sequence),
    -- The log's chain value there: what tells the log from the same one restored from a backup. NULL: it is not known.
    chain         BLOB             CHECK (length(chain) = 16),
    -- Who may write: the one who raised it last.
    epoch         INTEGER NOT NULL,
    -- Applied and parked events in (base_sequence, sequence]: how many, and the wrapping 128-bit sum of
    -- H(sequence, event id), big-endian.
    applied_count INTEGER NOT NULL,
    applied_sum   BLOB    NOT NULL CHECK (length(applied_sum) = 16),
    parked_count  INTEGER NOT NULL,
    parked_sum    BLOB    NOT NULL CHECK (length(parked_sum) = 16)
) STRICT;

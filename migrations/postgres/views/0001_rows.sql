-- The rows of all generations of one table, which stand in the generations' own tables.
CREATE TABLE IF NOT EXISTS {rows} ({columns}) PARTITION BY LIST (annals_generation);
ALTER TABLE {rows} ATTACH PARTITION {table} FOR VALUES IN ({number});

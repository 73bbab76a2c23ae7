-- The rows of the generation that is live. The number is found once a statement, so the other generations' tables are not read.
CREATE VIEW {view} AS SELECT {columns} FROM {rows} WHERE annals_generation = (
    SELECT generation.number FROM {catalog}.live JOIN {catalog}.generation ON generation.id = live.generation
    WHERE live.model = {model} AND live.schema_hash = {schema_hash}
);

//! The statements of one table in one schema. Names were validated when the model was built, and are quoted; everything else
//! is bound, column by column.

use super::kinds::{column_type, sql_type};
use annals_projection::backend::quoted;
use annals_projection::{Column, SEQUENCE_COLUMN, TableSchema};
use uuid::Uuid;

/// The longest name that PostgreSQL does not cut, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// How much of a name that is too long is kept before the hash that makes it unique.
const NAME_BYTES_KEPT: usize = 30;

/// The column that has the number of a generation.
const NUMBER_COLUMN: &str = "annals_generation";

/// A table in a schema.
#[derive(Clone, Debug)]
pub(crate) struct TableSql<'a> {
    schema: &'a TableSchema,
    table: String,
}

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableIndex {
    /// Its name.
    pub(crate) name: String,
    /// The statement that makes it.
    pub(crate) create: String,
}

impl<'a> TableSql<'a> {
    /// The table in the schema `place`.
    pub(crate) fn new(place: &str, schema: &'a TableSchema) -> Self {
        Self { schema, table: format!("{}.{}", quoted(place), quoted(schema.name)) }
    }

    /// Makes the table. With a number its rows can be told from those of other generations.
    pub(crate) fn create(&self, number: Option<i32>) -> String {
        let numbered = |number: i32| {
            format!(", {NUMBER_COLUMN} integer NOT NULL DEFAULT {number} CHECK ({NUMBER_COLUMN} = {number})")
        };
        format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({}){})",
            self.table,
            self.definitions(),
            self.keys().join(", "),
            number.map(numbered).unwrap_or_default()
        )
    }

    /// The table of the same name in the schema `place`.
    pub(crate) fn within(&self, place: &str) -> Self {
        Self::new(place, self.schema)
    }

    /// The table's name with its schema.
    pub(crate) fn qualified(&self) -> &str {
        &self.table
    }

    /// Its columns with their types.
    pub(crate) fn definitions(&self) -> String {
        let column = |column: &Column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{null}", quoted(column.name), column_type(column.kind))
        };
        let columns: Vec<_> = self.schema.columns.iter().map(column).collect();
        format!("{}, {} bigint NOT NULL", columns.join(", "), quoted(SEQUENCE_COLUMN))
    }

    /// The table's indexes: each of a column, and then of the keys, so that rows stand in an order.
    pub(crate) fn indexes(&self) -> Vec<TableIndex> {
        let index = |column: &&str| {
            let name = cut(format!("{}_by_{column}", self.schema.name));
            let others = self.keys().into_iter().filter(|key| *key != quoted(column));
            let columns: Vec<_> = [quoted(column)].into_iter().chain(others).collect();
            let create = format!("CREATE INDEX {} ON {} ({})", quoted(&name), self.table, columns.join(", "));
            TableIndex { name, create }
        };
        self.schema.indexes.iter().map(index).collect()
    }

    /// Brings statistics up to date.
    pub(crate) fn analyze(&self) -> String {
        format!("ANALYZE {}", self.table)
    }

    /// Copies rows in, in the binary form. Only into a table that was made in the same transaction.
    pub(crate) fn copy(&self) -> String {
        format!("COPY {} ({}) FROM STDIN (FORMAT binary, FREEZE)", self.table, self.all().join(", "))
    }

    /// Finds the rows with the keys of arrays.
    pub(crate) fn select(&self) -> String {
        let columns: Vec<_> = self.columns().map(|column| format!("t.{column}")).collect();
        let keys = self.unnest(self.key_columns());
        format!("SELECT {} FROM {} AS t JOIN {keys} ON {}", columns.join(", "), self.table, self.same_keys())
    }

    /// Deletes the rows with the keys of arrays.
    pub(crate) fn delete(&self) -> String {
        let keys = self.unnest(self.key_columns());
        format!("DELETE FROM {} AS t USING {keys} WHERE {}", self.table, self.same_keys())
    }

    /// Writes the rows of arrays, the last of which is the sequence numbers.
    pub(crate) fn upsert(&self) -> String {
        let all = self.all();
        let types = self.schema.columns.iter().map(|column| sql_type(column.kind)).chain(["bigint"]);
        let set: Vec<_> = all.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO UPDATE SET {}",
            self.table,
            all.join(", "),
            arrays(types),
            self.keys().join(", "),
            set.join(", ")
        )
    }

    fn key_columns(&self) -> impl Iterator<Item = &'a Column> + Clone + use<'a> {
        self.schema.columns.iter().filter(|column| column.key)
    }

    fn keys(&self) -> Vec<String> {
        self.key_columns().map(|column| quoted(column.name)).collect()
    }

    fn columns(&self) -> impl Iterator<Item = String> {
        self.schema.columns.iter().map(|column| quoted(column.name))
    }

    fn all(&self) -> Vec<String> {
        self.columns().chain([quoted(SEQUENCE_COLUMN)]).collect()
    }

    fn unnest(&self, columns: impl Iterator<Item = &'a Column> + Clone) -> String {
        let names: Vec<_> = columns.clone().map(|column| quoted(column.name)).collect();
        format!("unnest({}) AS k({})", arrays(columns.map(|column| sql_type(column.kind))), names.join(", "))
    }

    fn same_keys(&self) -> String {
        let same: Vec<_> = self.keys().iter().map(|key| format!("t.{key} = k.{key}")).collect();
        same.join(" AND ")
    }
}

/// `$1::bigint[], $2::text[]`
fn arrays<'t>(types: impl Iterator<Item = &'t str>) -> String {
    let arrays: Vec<_> = types.enumerate().map(|(at, kind)| format!("${}::{kind}[]", at + 1)).collect();
    arrays.join(", ")
}

/// The name, or what PostgreSQL takes whole and is no other name's.
fn cut(name: String) -> String {
    match name.get(..NAME_BYTES_KEPT) {
        Some(kept) if name.len() > NAME_BYTES_MAX => {
            format!("{kept}_{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple())
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_projection::ColumnKind;

    const COLUMNS: &[Column] = &[
        Column { name: "shop", kind: ColumnKind::Text, nullable: false, key: true },
        Column { name: "place", kind: ColumnKind::Integer, nullable: false, key: true },
        Column { name: "worth", kind: ColumnKind::Real, nullable: true, key: false },
    ];
    const TABLE: TableSchema = TableSchema { name: "sale", columns: COLUMNS, indexes: &["worth", "place"] };

    #[test]
    fn the_statements_of_a_table_name_its_schema_and_bind_arrays() {
        let table = TableSql::new("g", &TABLE);
        assert_eq!(
            table.create(None),
            r#"CREATE TABLE "g"."sale" ("shop" text COLLATE "C" NOT NULL, "place" bigint NOT NULL, "worth" double precision, "annals_sequence" bigint NOT NULL, PRIMARY KEY ("shop", "place"))"#
        );
        assert_eq!(
            table.delete(),
            r#"DELETE FROM "g"."sale" AS t USING unnest($1::text[], $2::bigint[]) AS k("shop", "place") WHERE t."shop" = k."shop" AND t."place" = k."place""#
        );
        let indexes: Vec<_> = table.indexes().into_iter().map(|index| index.create).collect();
        assert_eq!(
            indexes,
            [
                r#"CREATE INDEX "sale_by_worth" ON "g"."sale" ("worth", "shop", "place")"#,
                r#"CREATE INDEX "sale_by_place" ON "g"."sale" ("place", "shop")"#,
            ]
        );
    }

    #[test]
    fn a_long_name_of_an_index_is_cut_and_stays_unique() {
        let [a, b] = ["a", "b"].map(|end| cut(format!("{}{end}", "x".repeat(80))));
        assert_ne!(a, b);
        assert_eq!((a.len(), b.len()), (NAME_BYTES_MAX, NAME_BYTES_MAX));
        assert_eq!(cut("sale_by_worth".to_owned()), "sale_by_worth");
    }
}

//! The read model: projections whose tables belong together. It is built, checkpointed and promoted as one.

use crate::backend::{GenerationStatus, Schema, SchemaTable, Slot};
use crate::error::ModelError;
use crate::generation::Tally;
use crate::identifier::ModelName;
use crate::projection::{SqlProjection, TableProjection};
use crate::table::{Column, Table};
use crate::unit::{Fold, SqlUnit, Unit};
use crate::version::{FoldVersion, SchemaHash};
use annals_event::{Category, EventType, LogId, Sequence};
use annals_store::Filter;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// One or more projections whose tables belong together. Cloning it copies a pointer.
#[derive(Clone)]
pub struct ReadModel(Arc<Inner>);

struct Inner {
    name: ModelName,
    fold_version: FoldVersion,
    schema_hash: SchemaHash,
    filter: Filter,
    filter_hash: String,
    schema: Schema,
    units: Vec<Arc<dyn Unit>>,
}

impl ReadModel {
    /// Begins a read model of this name, which [`build`](ReadModelBuilder::build) checks.
    pub fn named(name: impl Into<String>) -> ReadModelBuilder {
        ReadModelBuilder {
            name: name.into(),
            fold_version: FoldVersion::new(1),
            units: Vec::new(),
            lookups: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &ModelName {
        &self.0.name
    }
    /// Which fold it is.
    pub fn fold_version(&self) -> FoldVersion {
        self.0.fold_version
    }
    /// Which tables it has.
    pub fn schema_hash(&self) -> &SchemaHash {
        &self.0.schema_hash
    }
    /// The events that it reads.
    pub fn filter(&self) -> &Filter {
        &self.0.filter
    }
    /// The names of its tables, in order.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.schema().tables().iter().map(|table| table.schema.name)
    }
    /// Its tables.
    pub fn schema(&self) -> &Schema {
        &self.0.schema
    }
    pub(crate) fn filter_hash(&self) -> &str {
        &self.0.filter_hash
    }
    pub(crate) fn units(&self) -> &[Arc<dyn Unit>] {
        &self.0.units
    }
}

impl fmt::Debug for ReadModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadModel({}, schema {}, fold {})", self.name(), self.schema_hash(), self.fold_version())
    }
}

/// A read model that is being put together.
#[must_use]
pub struct ReadModelBuilder {
    name: String,
    fold_version: FoldVersion,
    units: Vec<Arc<dyn Unit>>,
    /// Those that the units ask.
    lookups: Vec<Arc<dyn Unit>>,
}

impl ReadModelBuilder {
    /// Which fold this is; 1 when nobody says otherwise. Raise it with every change of a projection's code that
    /// would make other rows from the same events: a replay brings the rows up to date.
    pub fn fold_version(mut self, number: u32) -> Self {
        self.fold_version = FoldVersion::new(number);
        self
    }
    /// Adds a table, and how events change its rows. The lookups that the fold asks become tables of the read model, too.
    pub fn table<R: Table>(self, fold: Fold<R>) -> Self {
        self.unit(Arc::new(fold))
    }
    /// Adds a table whose fold is code of its own, generated or generic.
    pub fn projection<P: TableProjection>(self, projection: P) -> Self {
        self.table(Fold::of(projection))
    }
    /// Adds an SQL projection. It sees its own tables only: in what order projections of one model run is open.
    pub fn sql(self, projection: impl SqlProjection) -> Self {
        self.unit(Arc::new(SqlUnit::new(projection)))
    }
    fn unit(mut self, unit: Arc<dyn Unit>) -> Self {
        for lookup in unit.lookups() {
            if !self.lookups.iter().any(|there| Arc::ptr_eq(there, &lookup)) {
                self.lookups.push(lookup);
            }
        }
        self.units.push(unit);
        self
    }

    /// The read model.
    pub fn build(mut self) -> Result<ReadModel, ModelError> {
        let name = ModelName::new(std::mem::take(&mut self.name))?;
        if self.units.is_empty() {
            return Err(ModelError::Empty);
        }
        self.check_lookups()?;
        self.units.splice(..0, std::mem::take(&mut self.lookups));
        let schema = Schema::new(self.tables()?);
        let filter = self.filter()?;
        Ok(ReadModel(Arc::new(Inner {
            schema_hash: schema_hash(&schema),
            filter_hash: filter_hash(&filter),
            name,
            fold_version: self.fold_version,
            filter,
            schema,
            units: self.units,
        })))
    }

    fn check_lookups(&self) -> Result<(), ModelError> {
        let mut names = BTreeSet::new();
        for lookup in &self.lookups {
            for SchemaTable { schema, .. } in lookup.tables()? {
                if !names.insert(schema.name.to_ascii_lowercase()) {
                    return Err(ModelError::RepeatedLookup(schema.name.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// All tables, by name.
    fn tables(&self) -> Result<Vec<SchemaTable>, ModelError> {
        let mut tables = Vec::new();
        for unit in &self.units {
            tables.extend(unit.tables()?);
        }
        tables.sort_by_key(|table| table.schema.name);
        let mut names = BTreeSet::new();
        match tables.iter().find(|table| !names.insert(table.schema.name.to_ascii_lowercase())) {
            Some(repeated) => Err(ModelError::RepeatedTable(repeated.schema.name.to_owned())),
            None => Ok(tables),
        }
    }

    fn filter(&self) -> Result<Filter, ModelError> {
        let types: BTreeSet<_> = self.units.iter().flat_map(|unit| unit.event_types()).collect();
        Ok(Filter {
            event_types: types.into_iter().map(EventType::new).collect::<Result<_, _>>()?,
            ..Filter::all()
        })
    }
}

impl Slot {
    /// The slot of a read model.
    pub fn of(model: &ReadModel) -> Self {
        Self { model: model.name().clone(), schema: model.schema_hash().clone() }
    }
}

impl GenerationStatus {
    /// Of a generation of `model` without rows, to be folded from this log.
    pub fn empty(model: &ReadModel, log_id: LogId) -> Self {
        Self {
            model: model.name().to_string(),
            schema_hash: model.schema_hash().clone(),
            fold_version: model.fold_version(),
            filter_hash: model.filter_hash().to_owned(),
            log_id,
            base: Sequence::ZERO,
            checkpoint: Sequence::ZERO,
            chain: None,
            epoch: 0,
            applied: Tally::NONE,
            parked: Tally::NONE,
        }
    }

    /// Whether `model`'s fold can go on where this generation is; if not, why.
    pub fn refusal(&self, model: &ReadModel) -> Option<String> {
        if self.schema_hash != *model.schema_hash() {
            return Some(format!(
                "its tables are {}, the program has {}; ask for a replay, which makes its own",
                self.schema_hash,
                model.schema_hash()
            ));
        }
        if self.fold_version != model.fold_version() {
            let (mine, its) = (model.fold_version(), self.fold_version);
            return Some(format!(
                "its rows were made by fold version {its}, the program has {mine}; ask for a replay, which makes them anew"
            ));
        }
        (self.filter_hash != model.filter_hash()).then(|| {
            "the program reads other event types or categories than its rows were made from; raise the fold version, then ask for a replay"
                .to_owned()
        })
    }
}

/// A text that cannot be taken for another: each part with its length.
fn hash_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(HASH_DIGITS).collect()
}

/// How many hexadecimal digits of a hash are kept: 128 bits.
const HASH_DIGITS: usize = 32;

/// Of the tables as every database understands them: names, columns, keys and indexes, and what one database makes besides.
fn schema_hash(schema: &Schema) -> SchemaHash {
    let mut parts = vec!["annals schema 2".to_owned()];
    for SchemaTable { schema, also } in schema.tables() {
        parts.push(format!("table {}", schema.name));
        for Column { name, kind, nullable, key } in schema.columns {
            let (null, key) = (if *nullable { " NULL" } else { "" }, if *key { " KEY" } else { "" });
            parts.push(format!("column {name} {}{null}{key}", kind.name()));
        }
        parts.extend(schema.indexes.iter().map(|index| format!("index {index}")));
        if !also.is_empty() {
            parts.push(format!("also {also}"));
        }
    }
    SchemaHash::from_text(hash_parts(parts.iter().map(String::as_str)))
}

fn filter_hash(filter: &Filter) -> String {
    let categories = filter.categories.iter().map(Category::as_str);
    let types = filter.event_types.iter().map(EventType::as_str);
    hash_parts(["annals filter 1"].into_iter().chain(categories).chain(["types"]).chain(types))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnKind, TableSchema};

    const COLUMNS: &[Column] = &[Column::key_of::<String>("id"), Column::of::<Option<i64>>("cents")];

    fn hash(schema: TableSchema, also: &'static str) -> String {
        schema_hash(&Schema::new(vec![SchemaTable { schema, also }])).to_string()
    }

    #[test]
    fn the_stored_schema_hash_never_changes() {
        let account = TableSchema { name: "account", columns: COLUMNS, indexes: &["cents"] };
        assert_eq!(hash(account, ""), "3d71c1b1da64c3e6dc39d5c1ddd4f4dc");
    }

    #[test]
    fn whatever_a_reader_depends_on_changes_the_schema_hash() {
        const OTHERS: [&[Column]; 4] = [
            &[Column::key_of::<String>("id"), Column::of::<i64>("cents")],
            &[Column::key_of::<String>("id"), Column::of::<Option<f64>>("cents")],
            &[Column::key_of::<String>("id"), Column { name: "other", ..COLUMNS[1] }],
            &[COLUMNS[1], COLUMNS[0]],
        ];
        let account = TableSchema { name: "account", columns: COLUMNS, indexes: &[] };
        let mut hashes = BTreeSet::from([
            hash(account, ""),
            hash(account, "CREATE INDEX x ON account (cents)"),
            hash(TableSchema { name: "accounts", ..account }, ""),
            hash(TableSchema { indexes: &["cents"], ..account }, ""),
        ]);
        hashes.extend(OTHERS.map(|columns| hash(TableSchema { columns, ..account }, "")));
        assert_eq!(hashes.len(), 8);
        assert_eq!(COLUMNS[0].kind, ColumnKind::Text);
    }
}

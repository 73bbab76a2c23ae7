//! The read model: projections whose tables belong together. It is built, checkpointed and promoted as one.

use crate::error::ModelError;
use crate::identifier::{ModelName, check_identifier};
use crate::projection::{SqlProjection, TableProjection};
use crate::sqlite::GENERATION;
use crate::table::Table;
use crate::unit::{Fold, SqlUnit, TableDefinition, Unit, try_out};
use annals_event::{Category, EventType};
use annals_store::Filter;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Which tables a read model has, hashed: who may *read* a generation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaHash(String);

/// Which fold made a generation's rows: who may *continue* it. Raise it with every change of a projection's code
/// that would make other rows from the same events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldVersion(u32);

impl SchemaHash {
    /// The hash as text: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FoldVersion {
    /// The fold version with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for FoldVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One or more projections whose tables belong together. Cloning it copies a pointer.
#[derive(Clone)]
pub struct ReadModel(Arc<Inner>);

struct Inner {
    name: ModelName,
    fold_version: FoldVersion,
    schema_hash: SchemaHash,
    filter: Filter,
    filter_hash: String,
    tables: Vec<TableDefinition>,
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
        self.0.tables.iter().map(|table| table.name.as_str())
    }
    pub(crate) fn filter_hash(&self) -> &str {
        &self.0.filter_hash
    }
    pub(crate) fn tables(&self) -> &[TableDefinition] {
        &self.0.tables
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
        let tables = self.tables()?;
        try_out(&tables)?;
        let filter = self.filter()?;
        Ok(ReadModel(Arc::new(Inner {
            schema_hash: schema_hash(&tables, GENERATION.number),
            filter_hash: filter_hash(&filter),
            name,
            fold_version: self.fold_version,
            filter,
            tables,
            units: self.units,
        })))
    }

    fn check_lookups(&self) -> Result<(), ModelError> {
        let mut names = BTreeSet::new();
        for lookup in &self.lookups {
            for TableDefinition { name, .. } in lookup.tables()? {
                if !names.insert(name.to_ascii_lowercase()) {
                    return Err(ModelError::RepeatedLookup(name));
                }
            }
        }
        Ok(())
    }

    /// All tables, by name.
    fn tables(&self) -> Result<Vec<TableDefinition>, ModelError> {
        let mut tables = Vec::new();
        for unit in &self.units {
            tables.extend(unit.tables()?);
        }
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in &tables {
            check_identifier("table", &table.name)?;
        }
        let mut names = BTreeSet::new();
        match tables.iter().find(|table| !names.insert(table.name.to_ascii_lowercase())) {
            Some(repeated) => Err(ModelError::RepeatedTable(repeated.name.clone())),
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

/// Of the tables, and of the format of a generation's file from 2 on: releases whose files differ share no generation.
fn schema_hash(tables: &[TableDefinition], format: i64) -> SchemaHash {
    let format = (format != 1).then(|| format!("format {format}"));
    let parts = tables.iter().flat_map(|table| [table.name.as_str(), table.ddl.as_str()]);
    SchemaHash(hash_parts(["annals schema 1"].into_iter().chain(format.as_deref()).chain(parts)))
}

fn filter_hash(filter: &Filter) -> String {
    let categories = filter.categories.iter().map(Category::as_str);
    let types = filter.event_types.iter().map(EventType::as_str);
    hash_parts(["annals filter 1"].into_iter().chain(categories).chain(["types"]).chain(types))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_hash_takes_in_the_format_of_a_generations_file_from_2_on() {
        let tables =
            [TableDefinition { name: "account".into(), ddl: "CREATE TABLE account (id TEXT)".into() }];
        let hashes = [1, 2, 3].map(|format| schema_hash(&tables, format));
        let parts = ["annals schema 1", "account", "CREATE TABLE account (id TEXT)"];
        assert_eq!(hashes[0].as_str(), hash_parts(parts), "it is the one that was always stored");
        assert_eq!(BTreeSet::from(hashes).len(), 3);
    }
}

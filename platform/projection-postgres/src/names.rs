//! Names of schemas.

use annals_projection::{
    GenerationId,
    backend::{DatabaseError, Slot, quoted},
};
use uuid::Uuid;

/// The longest name of a catalog's schema, in bytes: with it and a generation's id PostgreSQL's limit of 63 is kept.
const SCHEMA_BYTES_MAX: usize = 26;

/// How much of a read model's name the schema of its views has.
const MODEL_CHARS_KEPT: usize = 24;
/// How many digits of a hash follow.
const HASH_DIGITS_KEPT: usize = 8;

/// The schemas of one catalog. Two catalogs in one database share none.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    catalog: String,
    qualifier: String,
}

impl Names {
    /// Of the catalog in this schema.
    pub(crate) fn new(catalog: &str) -> Result<Self, DatabaseError> {
        let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = catalog.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if !begins
            || !catalog.bytes().all(plain)
            || catalog.len() > SCHEMA_BYTES_MAX
            || catalog.starts_with("pg_")
        {
            return Err(DatabaseError::denied(format!(
                "{catalog:?} cannot be the catalog's schema: use 1 to {SCHEMA_BYTES_MAX} lower-case letters, digits and `_`, \
                 begin with a letter, and not with `pg_`"
            )));
        }
        Ok(Self { catalog: catalog.to_owned(), qualifier: format!("{}.", quoted(catalog)) })
    }

    /// The catalog's schema.
    pub(crate) fn catalog(&self) -> &str {
        &self.catalog
    }

    /// What the names of generations' schemas begin with.
    pub(crate) fn generation_prefix(&self) -> String {
        format!("{}_g_", self.catalog)
    }

    /// A generation's schema.
    pub(crate) fn generation(&self, id: GenerationId) -> String {
        format!("{}{}", self.generation_prefix(), id.as_uuid().simple())
    }

    /// The schema of a generation that is being made.
    pub(crate) fn attempt(&self) -> String {
        format!("{}_b_{}", self.catalog, Uuid::now_v7().simple())
    }

    /// The schema of the views of a slot.
    pub(crate) fn views(&self, slot: &Slot) -> String {
        format!("{}_v_{}", self.catalog, of_slot(slot))
    }

    /// The schema of the tables from which the views of a slot read.
    pub(crate) fn partitioned(&self, slot: &Slot) -> String {
        format!("{}_p_{}", self.catalog, of_slot(slot))
    }

    /// The statement `sql`, in which the catalog's schema is written `annals`.
    pub(crate) fn sql(&self, sql: &'static str) -> String {
        sql.replace("annals.", &self.qualifier)
    }
}

/// The read model's name, as far as it can be part of a plain name, and a hash that no other slot has.
fn of_slot(slot: &Slot) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let model: String = slot.model.as_str().chars().map(plain).take(MODEL_CHARS_KEPT).collect();
    let whole = format!("{}/{}", slot.model, slot.schema);
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, whole.as_bytes()).simple().to_string();
    format!("{model}_{}", hash.chars().take(HASH_DIGITS_KEPT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_projection::{ModelName, SchemaHash};

    #[test]
    fn a_catalogs_schema_has_a_plain_name() {
        for bad in ["", "Annals", "a b", "1a", "a\"b", "pg_x", "_a", &"x".repeat(27)] {
            assert!(Names::new(bad).is_err(), "{bad}");
        }
        let names = Names::new(&"x".repeat(26)).unwrap();
        assert_eq!(names.generation(GenerationId::generate()).len(), 61);
        assert_eq!(names.attempt().len(), 61);
        let slot = |model: &str| Slot {
            model: ModelName::new(model).unwrap(),
            schema: SchemaHash::from_text("0".repeat(32)),
        };
        assert_eq!(names.views(&slot(&"é".repeat(40))).len(), 62);
        assert_ne!(names.views(&slot("a.b")), names.views(&slot("a/b")));
        assert_eq!(Names::new("a2").unwrap().sql("SELECT * FROM annals.live"), r#"SELECT * FROM "a2".live"#);
    }
}

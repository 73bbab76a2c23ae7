use annals_projection::backend::DatabaseError;
use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, types::Oid},
};

/// The values of a statement's parameters, in their order.
#[derive(Default)]
pub(crate) struct Binds {
    arguments: PgArguments,
    failure: Option<BoxDynError>,
}

impl Binds {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub(crate) fn and<'q, T: Encode<'q, Postgres> + Type<Postgres>>(mut self, value: T) -> Self {
        self.push(value);
        self
    }

    /// One more.
    pub(crate) fn push<'q, T: Encode<'q, Postgres> + Type<Postgres>>(&mut self, value: T) {
        if let Err(error) = sqlx::Arguments::add(&mut self.arguments, value) {
            self.failure.get_or_insert(error);
        }
    }

    /// All of them, unless one could not be written.
    pub(super) fn take(self) -> Result<PgArguments, DatabaseError> {
        match self.failure {
            None => Ok(self.arguments),
            Some(error) => Err(DatabaseError::Data { reason: error.to_string() }),
        }
    }
}

/// `NULL`, of whatever type the statement makes of it.
pub(crate) struct Unknown;

impl Type<Postgres> for Unknown {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Unknown {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

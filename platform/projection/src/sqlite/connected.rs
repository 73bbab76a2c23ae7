use sqlx::SqliteConnection;

/// A view of a read model in SQLite, for questions that nothing else answers.
///
/// Code that uses it is bound to SQLite and to sqlx.
pub trait Connected {
    /// The connection. It is read-only and in a transaction, which must stay open.
    fn connection(&mut self) -> &mut SqliteConnection;
}

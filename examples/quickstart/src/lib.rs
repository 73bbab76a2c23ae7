//! Annals in one file: an aggregate, a table, a query, a replay

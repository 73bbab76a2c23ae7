//! Tables: their DDL, the statements that read and write them, and values on their way to cells and back.

mod cells;
mod copy;
mod kinds;
mod numeric;
mod pieces;
mod statements;

pub(crate) use cells::batch;
pub(crate) use copy::encode;
pub(crate) use kinds::{SEQUENCE, kind_letter, push_array, push_value};
pub(crate) use pieces::pieces;
pub(crate) use statements::TableSql;

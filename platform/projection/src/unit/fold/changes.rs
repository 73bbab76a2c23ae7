//! What each verb of a fold does to a row.

use super::{
    handlers::{Change, RowKeys},
    step::RowKey,
};
use crate::{
    projection::ApplyError,
    table::{Table, key_text},
    unit::closures::{Keys, Outcome},
};
use annals_event::Recorded;

/// The keys that the closure returns.
pub(super) fn known<K, E, T: Keys<K>>(
    key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
) -> RowKeys<K, E> {
    Box::new(move |event, found| key(event).each(|key| found.keys.push(RowKey::Known(key))))
}

pub(super) fn creating<R: Table, E: 'static, C: Outcome<R>>(
    made: impl Fn(&Recorded<E>) -> C + Send + Sync + 'static,
) -> Change<R, E> {
    Box::new(move |row, key, event| {
        if row.is_some() {
            return Err(ApplyError::new(format!("{} is there already", key_text::<R>(key))));
        }
        *row = Some(made(event).outcome()?);
        Ok(())
    })
}

pub(super) fn updating<R: Table, E: 'static, C: Outcome<()>>(
    change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
) -> Change<R, E> {
    Box::new(move |row, key, event| match row {
        Some(row) => change(row, event).outcome(),
        None => Err(ApplyError::new(format!("{} is not there", key_text::<R>(key)))),
    })
}

pub(super) fn upserting<R: Table, E: 'static, N: Outcome<R>, C: Outcome<()>>(
    first: impl Fn(&R::Key, &Recorded<E>) -> N + Send + Sync + 'static,
    change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
) -> Change<R, E> {
    Box::new(move |row, key, event| {
        let row = match row {
            Some(row) => row,
            None => row.insert(first(key, event).outcome()?),
        };
        change(row, event).outcome()
    })
}

pub(super) fn deleting<R: Table, E: 'static>() -> Change<R, E> {
    Box::new(|row, _, _| {
        *row = None;
        Ok(())
    })
}

pub(super) fn changing<R: Table, E: 'static, C: Outcome<()>>(
    change: impl Fn(&mut Option<R>, &R::Key, &Recorded<E>) -> C + Send + Sync + 'static,
) -> Change<R, E> {
    Box::new(move |row, key, event| change(row, key, event).outcome())
}

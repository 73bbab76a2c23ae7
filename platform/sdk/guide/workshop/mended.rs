// src/mended.rs: the read model of rooms before and after.
use super::{
    rooms::{RoomBooked, RoomOpened},
    usage::{RoomUsage, room_usage},
};
use annals::{prelude::*, read_model::ModelError};

/// What was deployed.
pub fn before() -> Result<ReadModel, ModelError> {
    let room = |e: &Recorded<RoomOpened>| e.stream.id().to_owned();
    let fold = Fold::<RoomUsage>::new()
        .create(room, move |e| RoomUsage { room: room(e), seats: e.seats, days: 0 })
        .update(|e: &Recorded<RoomBooked>| e.stream.id().to_owned(), |row, _| row.days += 1);
    ReadModel::named("room_usage").fold_version(1).table(fold).build()
}

/// What is deployed now: another fold, so another version.
pub fn after() -> Result<ReadModel, ModelError> {
    ReadModel::named("room_usage").fold_version(2).table(room_usage()).build()
}

// src/usage.rs: two tables, and how events change their rows.
use super::rooms::{RoomBooked, RoomOpened, RoomReleased};
use annals::{prelude::*, read_model::ModelError};
use serde::Serialize;

/// A row for each member.
#[derive(Clone, Debug, PartialEq, Serialize, Table)]
#[table(name = "member_usage")]
pub struct MemberUsage {
    #[table(key)]
    pub member: String,
    #[table(index)] // makes MemberUsage::by_days(from) and MemberUsage::where_days(value)
    pub days: i64,
}

/// A row for each room.
#[derive(Clone, Debug, PartialEq, Serialize, Table)]
#[table(name = "room_usage")]
pub struct RoomUsage {
    #[table(key)]
    pub room: String,
    pub seats: u32,
    pub days: i64,
}

pub fn member_usage() -> Fold<MemberUsage> {
    Fold::<MemberUsage>::new()
        .upsert(
            |e: &Recorded<RoomBooked>| e.member.clone(),           // which row
            |e| MemberUsage { member: e.member.clone(), days: 0 }, // what it is at first
            |row, _| row.days += 1,                                // what the event does to it
        )
        .update(|e: &Recorded<RoomReleased>| e.member.clone(), |row, _| row.days -= 1)
}

/// An event does not repeat what its stream's name says: the room's id.
fn room<E>(e: &Recorded<E>) -> String {
    e.stream.id().to_owned()
}

pub fn room_usage() -> Fold<RoomUsage> {
    Fold::<RoomUsage>::new()
        .create(room::<RoomOpened>, |e| RoomUsage { room: room(e), seats: e.seats, days: 0 })
        .update(room::<RoomBooked>, |row, _| row.days += 1)
        .update(room::<RoomReleased>, |row, _| row.days -= 1)
}

/// Tables that are built, replayed and read together. Another fold version for each change of a fold: see the page on replays.
pub fn usage() -> Result<ReadModel, ModelError> {
    ReadModel::named("usage").fold_version(1).table(member_usage()).table(room_usage()).build()
}

// src/rooms.rs: what happens to rooms, and what a room decides. Pure: no clock, no database, no network.
use annals::prelude::*;
use std::collections::BTreeMap;

/// The room can be booked from now on.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "room.opened", version = 1)] // stored as written here; the Rust names may change
pub struct RoomOpened {
    pub seats: u32,
}

/// A member has the room for a day.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "room.booked", version = 1)]
pub struct RoomBooked {
    #[event(tag)] // stored as the tag member:ann, too
    pub member: String,
    pub day: String,
}

/// The room is free again on that day.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "room.released", version = 1)]
pub struct RoomReleased {
    pub member: String,
    pub day: String,
}

/// All that may happen to a room. An enum adds structs up and declares nothing.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum RoomEvent {
    Opened(RoomOpened),
    Booked(RoomBooked),
    Released(RoomReleased),
}

/// What may be asked of a room.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomCommand {
    Open { seats: u32 },
    Book { member: String, day: String },
    Release { day: String },
}

/// Why a room refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum RoomRefused {
    #[error("there is no such room")]
    NotOpen,
    #[error("the room is taken on {day}")]
    Taken { day: String },
}

/// As much of a room as its decisions need: who has it on which day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Room {
    open: bool,
    booked: BTreeMap<String, String>,
}

impl Room {
    pub fn held_by(&self, day: &str) -> Option<&str> {
        self.booked.get(day).map(String::as_str)
    }
}

impl Aggregate for Room {
    const CATEGORY: &'static str = "room"; // the room "atelier" is the stream room-atelier
    type Event = RoomEvent;
    type Command = RoomCommand;
    type Error = RoomRefused;

    fn decide(&self, command: RoomCommand) -> Result<Vec<RoomEvent>, RoomRefused> {
        match command {
            RoomCommand::Open { .. } if self.open => Ok(vec![]), // a repeat: nothing to do
            RoomCommand::Open { seats } => Ok(vec![RoomOpened { seats }.into()]),
            _ if !self.open => Err(RoomRefused::NotOpen),
            RoomCommand::Book { member, day } => match self.booked.get(&day) {
                None => Ok(vec![RoomBooked { member, day }.into()]),
                Some(by) if *by == member => Ok(vec![]),
                Some(_) => Err(RoomRefused::Taken { day }),
            },
            RoomCommand::Release { day } => {
                let member = self.booked.get(&day).cloned();
                Ok(member.map(|member| RoomReleased { member, day }.into()).into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::Opened(_) => self.open = true,
            RoomEvent::Booked(e) => drop(self.booked.insert(e.day.clone(), e.member.clone())),
            RoomEvent::Released(e) => drop(self.booked.remove(&e.day)),
        }
    }
}

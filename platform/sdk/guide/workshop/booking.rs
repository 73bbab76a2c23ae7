// src/booking.rs: decisions over a member and a room, or a member and an address.
use super::{
    members::{Email, EmailTaken, Member, MemberCommand, MemberRefused},
    rooms::{Room, RoomCommand, RoomRefused},
};
use annals::{
    decision::{DecideError, Decided, Draft, Seen, reads, writes},
    prelude::*,
};

/// Why a decision was not made: what one of the aggregates refuses, or the platform's own reason.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Member(#[from] MemberRefused),
    #[error(transparent)]
    Room(#[from] RoomRefused),
    #[error(transparent)]
    Email(#[from] EmailTaken),
    #[error(transparent)]
    Decide(#[from] DecideError),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Decide(error) => error.into(),
            rule => Self::rule(rule),
        }
    }
}

/// The decision itself: pure, so that a test needs no service.
pub fn decide_booking(
    member: &Seen<Member>,
    room: &mut Draft<Room>,
    booking: RoomCommand,
) -> Result<(), Refused> {
    member.may_book()?;
    Ok(room.execute(booking)?)
}

/// A member who may book gets a room.
pub async fn book(
    app: &App,
    room: &str,
    member: &str,
    day: &str,
    cause: impl Into<Cause>,
) -> Result<Decided, Refused> {
    let booking = RoomCommand::Book { member: member.to_owned(), day: day.to_owned() };
    let subjects = (reads::<Member>(member), writes::<Room>(room));
    app.decide(subjects, cause, |(member, room)| decide_booking(member, room, booking.clone())).await
}

/// No two members have one address: whoever joins claims it in the same decision.
pub async fn join(app: &App, member: &str, email: &str, cause: impl Into<Cause>) -> Result<Decided, Refused> {
    let subjects = (writes::<Email>(email), writes::<Member>(member));
    app.decide(subjects, cause, |(address, joining)| {
        address.execute(member.to_owned())?;
        joining.execute(MemberCommand::Join { email: email.to_owned() })?;
        Ok(())
    })
    .await
}

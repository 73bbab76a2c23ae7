// src/members.rs: who may book, and addresses that only one member may have.
use annals::prelude::*;

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "member.joined", version = 1)]
pub struct MemberJoined {
    pub email: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "member.suspended", version = 1)]
pub struct MemberSuspended;

#[derive(Clone, Debug, PartialEq, Event)]
pub enum MemberEvent {
    Joined(MemberJoined),
    Suspended(MemberSuspended),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MemberCommand {
    Join { email: String },
    Suspend,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum MemberRefused {
    #[error("there is no such member")]
    NotAMember,
    #[error("the member is suspended")]
    Suspended,
    #[error("there is such a member, with another address")]
    Joined,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    email: Option<String>,
    suspended: bool,
}

impl Member {
    pub fn may_book(&self) -> Result<(), MemberRefused> {
        match self {
            Self { email: None, .. } => Err(MemberRefused::NotAMember),
            Self { suspended: true, .. } => Err(MemberRefused::Suspended),
            _ => Ok(()),
        }
    }
}

impl Aggregate for Member {
    const CATEGORY: &'static str = "member";
    type Event = MemberEvent;
    type Command = MemberCommand;
    type Error = MemberRefused;

    fn decide(&self, command: MemberCommand) -> Result<Vec<MemberEvent>, MemberRefused> {
        match (command, &self.email) {
            (MemberCommand::Join { email }, None) => Ok(vec![MemberJoined { email }.into()]),
            (MemberCommand::Join { email }, Some(known)) if email == *known => Ok(vec![]),
            (MemberCommand::Join { .. }, Some(_)) => Err(MemberRefused::Joined),
            (MemberCommand::Suspend, None) => Err(MemberRefused::NotAMember),
            (MemberCommand::Suspend, Some(_)) if self.suspended => Ok(vec![]),
            (MemberCommand::Suspend, Some(_)) => Ok(vec![MemberSuspended.into()]),
        }
    }

    fn evolve(&mut self, event: &MemberEvent) {
        match event {
            MemberEvent::Joined(e) => self.email = Some(e.email.clone()),
            MemberEvent::Suspended(_) => self.suspended = true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "email.claimed", version = 1)]
pub struct EmailClaimed {
    pub member: String,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("another member has this address")]
pub struct EmailTaken;

/// An address. Its stream says whose it is, so nobody else can have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Email {
    member: Option<String>,
}

impl Aggregate for Email {
    const CATEGORY: &'static str = "email";
    type Event = EmailClaimed; // one type of event needs no enum
    type Command = String; // the member who claims it
    type Error = EmailTaken;

    fn decide(&self, member: String) -> Result<Vec<EmailClaimed>, EmailTaken> {
        match &self.member {
            None => Ok(vec![EmailClaimed { member }]),
            Some(owner) if *owner == member => Ok(vec![]),
            Some(_) => Err(EmailTaken),
        }
    }

    fn evolve(&mut self, event: &EmailClaimed) {
        self.member = Some(event.member.clone());
    }
}

// src/reactions.rs: what follows from what happened elsewhere.
use super::members::{Member, MemberCommand, MemberRefused};
use annals::{
    prelude::*,
    reactor::{OnRefused, ReactorError},
};

/// What the billing service says. It is declared there, too; this one needs one of its fields.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "invoice.overdue", version = 1)]
pub struct InvoiceOverdue {
    pub member: String,
}

/// Suspends a member who does not pay.
pub fn follow_invoices() -> Result<Reactor, ReactorError> {
    Reactor::named("workshop-invoices", Start::Beginning)
        .on(|e: &Recorded<InvoiceOverdue>| Reaction::to::<Member>(&e.member, MemberCommand::Suspend))
        .on_refused::<Member>(|_command, refused| match refused {
            MemberRefused::NotAMember => OnRefused::Skip, // billing has other customers, too
            _ => OnRefused::Stop,
        })
        .build()
}

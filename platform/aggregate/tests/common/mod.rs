//! An account, and a store that misbehaves on purpose.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod faults;

pub(crate) use faults::{Fault, FaultyStore};

use annals_aggregate::{Aggregate, Repository};
use annals_event::{Append, CodecError, Event, EventType, ExpectedVersion, NewEvent, StreamName, json::Json};
use annals_store::{EventStore, GappedStore};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AccountEvent {
    Opened { owner: String, currency: String },
    Deposited { cents: u64 },
}

#[derive(Clone, Debug)]
pub(crate) enum AccountCommand {
    /// Does nothing when the account is open.
    Open { owner: String },
    /// Refused when the account is not open.
    Deposit { cents: u64 },
    /// So many deposits of one cent.
    Split { deposits: u64 },
    /// Deposits what is missing up to `cents`.
    FillUp { cents: u64 },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum AccountError {
    #[error("the account is not open")]
    NotOpen,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) balance_cents: u64,
}

impl Account {
    fn deposits(&self, deposits: Vec<AccountEvent>) -> Result<Vec<AccountEvent>, AccountError> {
        if self.owner.is_empty() { Err(AccountError::NotOpen) } else { Ok(deposits) }
    }
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Command = AccountCommand;
    type Error = AccountError;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        let deposited = |cents| AccountEvent::Deposited { cents };
        match command {
            AccountCommand::Open { .. } if !self.owner.is_empty() => Ok(vec![]),
            AccountCommand::Open { owner } => {
                Ok(vec![AccountEvent::Opened { owner, currency: "EUR".into() }])
            }
            AccountCommand::Deposit { cents } => self.deposits(vec![deposited(cents)]),
            AccountCommand::Split { deposits } => {
                self.deposits((0..deposits).map(|_| deposited(1)).collect())
            }
            AccountCommand::FillUp { cents } => {
                let missing = cents.saturating_sub(self.balance_cents);
                self.deposits((missing > 0).then(|| deposited(missing)).into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { owner, currency } => {
                (self.owner, self.currency) = (owner.clone(), currency.clone());
            }
            AccountEvent::Deposited { cents } => self.balance_cents += cents,
        }
    }
}

impl Event for AccountEvent {
    const TYPES: &'static [(&'static str, u32)] = &[("account.opened", 3), ("account.deposited", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "account.opened",
            Self::Deposited { .. } => "account.deposited",
        }
    }
    fn schema_version(&self) -> u32 {
        Self::TYPES.iter().find(|(of, _)| *of == self.event_type()).unwrap().1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        let json = match self {
            Self::Opened { owner, currency } => serde_json::json!({"owner": owner, "currency": currency}),
            Self::Deposited { cents } => serde_json::json!({"cents": cents}),
        };
        Ok(json.to_string().into())
    }
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        #[derive(Deserialize)]
        struct Opened {
            owner: String,
            currency: String,
        }
        #[derive(Deserialize)]
        struct Deposited {
            cents: u64,
        }
        let error = |error| CodecError::new(event_type, error);
        match event_type {
            "account.opened" => {
                let Opened { owner, currency } = serde_json::from_slice(payload).map_err(error)?;
                Ok(Some(Self::Opened { owner, currency }))
            }
            "account.deposited" => {
                let Deposited { cents } = serde_json::from_slice(payload).map_err(error)?;
                Ok(Some(Self::Deposited { cents }))
            }
            _ => Ok(None),
        }
    }
    /// Version 1 called the owner a name; version 2 had no currency.
    fn upcast(event_type: &str, from: u32, mut payload: Json) -> Result<Json, CodecError> {
        let failed = |error: String| CodecError::new(event_type, error);
        match from {
            1 => {
                let name = payload.take("name").ok_or_else(|| failed("name is missing".to_owned()))?;
                payload.set("owner", name).map_err(|error| failed(error.to_string()))?;
            }
            _ => payload.set("currency", "USD").map_err(|error| failed(error.to_string()))?,
        }
        Ok(payload)
    }
}

pub(crate) fn open() -> AccountCommand {
    AccountCommand::Open { owner: "Ada".into() }
}

pub(crate) fn deposit(cents: u64) -> AccountCommand {
    AccountCommand::Deposit { cents }
}

pub(crate) fn accounts(store: &GappedStore) -> Repository<Account> {
    Repository::new(Arc::new(store.clone()))
}

pub(crate) fn stream(id: &str) -> StreamName {
    StreamName::of("account", id).unwrap()
}

/// Writes one event as some other release would have.
pub(crate) async fn write_raw(
    store: &impl EventStore,
    id: &str,
    event_type: &str,
    schema_version: u32,
    json: &'static str,
) {
    let event = NewEvent::json(EventType::new(event_type).unwrap(), json);
    let event = NewEvent { schema_version, ..event };
    store.append(Append::to(stream(id), ExpectedVersion::Any, vec![event])).await.unwrap();
}

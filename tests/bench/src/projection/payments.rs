//! What is folded: payments, into one row a customer.

use annals::prelude::*;
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_projection::ModelError;
use annals_store::EventStore;
use anyhow::Result;

/// How many events an append has that fills a log.
const APPEND_EVENTS: usize = 1_000;
/// How many streams the events of a log are spread over.
const STREAMS: usize = 10_000;
/// The order of the keys is that of this seed.
const SEED: u64 = 7;

#[derive(Event)]
#[event(type = "payment.captured", version = 1)]
pub(crate) struct Captured {
    pub(crate) customer: String,
    pub(crate) order: String,
    pub(crate) item: String,
    pub(crate) cents: i64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(name = "customer_value")]
pub(crate) struct CustomerValue {
    #[table(key)]
    pub(crate) customer: String,
    pub(crate) payments: i64,
    pub(crate) cents: i64,
    pub(crate) last_item: Option<String>,
}

impl CustomerValue {
    pub(crate) fn new(event: &Captured) -> Self {
        Self { customer: event.customer.clone(), payments: 0, cents: 0, last_item: None }
    }

    pub(crate) fn add(&mut self, event: &Captured) {
        (self.payments, self.cents) = (self.payments + 1, self.cents + event.cents);
        self.last_item = Some(event.item.clone());
    }
}

/// The read model: one row a customer.
pub(crate) fn model() -> Result<ReadModel, ModelError> {
    let fold = Fold::<CustomerValue>::new().upsert(
        |e: &Recorded<Captured>| e.customer.clone(),
        |e| CustomerValue::new(e),
        |row, e| row.add(e),
    );
    ReadModel::named("customer_values").fold_version(1).table(fold).build()
}

/// The payment with this number, of this customer.
pub(crate) fn payment(number: usize, customer: usize) -> Result<Append> {
    let stream = StreamName::of("payment", &format!("{:08}", number % STREAMS))?;
    Ok(Append::to(stream, ExpectedVersion::Any, vec![captured(number, customer)?]))
}

/// Fills a log with payments of so many customers, each as often as any other, in random order.
pub(crate) async fn fill(store: &dyn EventStore, events: usize, customers: usize) -> Result<()> {
    let mut order: Vec<_> = (0..events.max(customers)).map(|number| number % customers).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut order);
    order.truncate(events);
    for (first, some) in (0..).step_by(APPEND_EVENTS).zip(order.chunks(APPEND_EVENTS)) {
        let mut append = Append::new();
        for (number, customer) in (first..).zip(some) {
            let stream = StreamName::of("payment", &format!("{:08}", number % STREAMS))?;
            append = append.write(stream, ExpectedVersion::Any, vec![captured(number, *customer)?]);
        }
        store.append(append).await?;
    }
    Ok(())
}

fn captured(number: usize, customer: usize) -> Result<NewEvent> {
    let captured = Captured {
        customer: key(customer),
        order: format!("order-{number:08}"),
        item: ["cd", "lp", "mc"].get(number % 3).copied().unwrap_or_default().to_owned(),
        cents: i64::try_from(number % 9_700)?,
    };
    Ok(NewEvent::json(EventType::new(captured.event_type())?, captured.encode()?))
}

/// The key of the customer with this number.
pub(crate) fn key(customer: usize) -> String {
    format!("customer-{customer:08}")
}

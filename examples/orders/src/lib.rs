//! A whole service on one page: orders are placed and paid, and what each customer is worth is read from a table.
//!
//! [`build`] is all of the wiring. Configuration, the log, read models, replays, health, limits and an end in order come with
//! [`Service`]: `GET /_annals/v1` lists what is answered beside the routes here.
//!
//! ```text
//! cargo run -p annals-orders -- --listen 127.0.0.1:8080
//! curl -s localhost:8080/orders/1 -H 'content-type: application/json' -d '{"customer": "ann", "cents": 1200}'
//! curl -s 'localhost:8080/customers/ann?wait_for=1'
//! ```

use annals::prelude::*;
use annals::reactor::ReactorError;
use annals::service::BuildError;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// A customer ordered.
#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "order.placed", version = 1)]
pub struct OrderPlaced {
    /// Who.
    #[event(tag)]
    pub customer: String,
    /// For how much.
    pub cents: i64,
}

/// An order was paid.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "order.paid", version = 1)]
pub struct OrderPaid {
    /// By whom.
    pub customer: String,
    /// How much.
    pub cents: i64,
}

/// What payments says: the money for an order is here. Declared there too; this service reads the one field that it needs.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "payment.captured", version = 1)]
pub struct PaymentCaptured {
    /// Which order.
    pub order: String,
}

/// What may happen to an order.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum OrderEvent {
    /// It is placed.
    Placed(OrderPlaced),
    /// It is paid.
    Paid(OrderPaid),
}

/// What may be asked of an order.
#[derive(Clone, Debug)]
pub enum OrderCommand {
    /// To be placed.
    Place(OrderPlaced),
    /// To be paid.
    Pay,
}

/// Why an order refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum OrderRefused {
    /// It was never placed.
    #[error("there is no such order")]
    NoSuchOrder,
    /// Nobody ordered.
    #[error("an order is of a customer; say which")]
    NoCustomer,
}

/// As much of an order as its decisions need.
#[derive(Clone, Debug, Default)]
pub struct Order {
    placed: Option<OrderPlaced>,
    paid: bool,
}

impl Aggregate for Order {
    const CATEGORY: &'static str = "order";
    type Event = OrderEvent;
    type Command = OrderCommand;
    type Error = OrderRefused;

    fn decide(&self, command: OrderCommand) -> Result<Vec<OrderEvent>, OrderRefused> {
        match (command, self.placed.clone()) {
            (OrderCommand::Place(order), None) if order.customer.is_empty() => Err(OrderRefused::NoCustomer),
            (OrderCommand::Place(order), None) => Ok(vec![OrderEvent::Placed(order)]),
            (OrderCommand::Pay, None) => Err(OrderRefused::NoSuchOrder),
            (OrderCommand::Pay, Some(OrderPlaced { customer, cents })) if !self.paid => {
                Ok(vec![OrderEvent::Paid(OrderPaid { customer, cents })])
            }
            // A repeat.
            _ => Ok(Vec::new()),
        }
    }

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(order) => self.placed = Some(order.clone()),
            OrderEvent::Paid(_) => self.paid = true,
        }
    }
}

/// A row a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Table)]
#[table(name = "customer_value")]
pub struct CustomerValue {
    /// Who.
    #[table(key)]
    pub customer: String,
    /// How many orders.
    pub orders: i64,
    /// How much was paid.
    pub paid_cents: i64,
}

/// Folds orders into customers' values.
pub fn customer_values() -> Fold<CustomerValue> {
    Fold::<CustomerValue>::new()
        .upsert(
            |e: &Recorded<OrderPlaced>| e.customer.clone(),
            |e| CustomerValue { customer: e.customer.clone(), orders: 0, paid_cents: 0 },
            |row, _| row.orders += 1,
        )
        .update(|e: &Recorded<OrderPaid>| e.customer.clone(), |row, e| row.paid_cents += e.cents)
}

/// Pays an order once its money is here.
pub fn follow_payments() -> Result<Reactor, ReactorError> {
    let pay = |e: &Recorded<PaymentCaptured>| Reaction::to::<Order>(&e.order, OrderCommand::Pay);
    Reactor::named("orders", Start::Beginning).on(pay).build()
}

async fn place(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Json(order): Json<OrderPlaced>,
) -> Result<Accepted, Problem> {
    Ok(app.execute::<Order>(&id, OrderCommand::Place(order), caller).await?.into())
}

async fn customer(
    State(app): State<App>,
    Path(id): Path<String>,
    wait: WaitFor,
) -> Result<Json<CustomerValue>, Problem> {
    let row = app.reader::<CustomerValue>(wait).await?.get(&id).await?;
    row.map(Json).ok_or_else(|| Problem::not_found(format!("customer {id} never ordered")))
}

/// The service: what it is made of.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    let customer_value =
        ReadModel::named("customer_value").fold_version(1).table(customer_values()).build()?;
    let routes = Router::new().route("/orders/{id}", post(place)).route("/customers/{id}", get(customer));
    Ok(service.read_model(customer_value).reactor(follow_payments()?).routes(routes))
}

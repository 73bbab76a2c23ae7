//! The HTTP API of orders: commands go to the aggregate, questions to the read models.

use super::events::{OrderEvent, OrderPlaced};
use super::order::{Order, OrderCommand, OrderError};
use super::queries::{Page, Totals, limit};
use super::read_models::customer_value::CustomerValue;
use super::read_models::daily_sales::DaySales;
use super::read_models::order_summary::OrderSummary;
use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::event::Token;
use annals::read_model::Table;
use annals::service::{App, Body, Caller, Problem, WaitFor};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The routes of orders.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/orders", get(list_orders).post(place))
        .route("/orders/{order_id}", get(show_order))
        .route("/customers", get(list::<CustomerValue>))
        .route("/customers/{customer_id}", get(show_customer))
        .route("/sales", get(list::<DaySales>))
        .route("/sales/{day}", get(show_sales))
        .route("/totals", get(show_totals))
}

/// An order as a customer asks for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceOrder {
    /// Chosen by the customer, so that a repeat is recognised; made here when there is none.
    order_id: Option<OrderId>,
    customer_id: CustomerId,
    ordered_on: Day,
    items: u32,
    total_cents: Cents,
}

impl PlaceOrder {
    /// Without an id of its own, the order has that of the request, which is the same when the request is repeated.
    fn by(self, caller: &Caller) -> OrderPlaced {
        let Self { order_id, customer_id, ordered_on, items, total_cents } = self;
        let of_request =
            || caller.request_id.map_or_else(Uuid::now_v7, |id| Uuid::from_bytes(*id.as_bytes()));
        let order_id = order_id.unwrap_or_else(|| of_request().into());
        OrderPlaced { order_id, customer_id, ordered_on, items, total_cents }
    }
}

/// An order that is placed. Reading with `wait_for=<token>` sees it.
#[derive(Serialize)]
struct Placed {
    order_id: OrderId,
    token: Token,
}

/// An order is an object: [`Json`] would take an array of its values as well.
async fn place(
    State(app): State<App>,
    caller: Caller,
    Body(wish): Body<PlaceOrder>,
) -> Result<(StatusCode, Json<Placed>), Problem> {
    let placement = wish.by(&caller);
    let order_id = placement.order_id.clone();
    let placed = app.execute::<Order>(order_id.as_str(), OrderCommand::Place(placement), caller).await;
    let placed = placed.map_err(|error| Problem::of_execute(error, rejected))?;
    let (status, token) = match (placed.events.is_empty(), placed.repeated) {
        (true, _) => (StatusCode::OK, original_token(&app, &order_id).await?),
        (false, true) => (StatusCode::OK, placed.token),
        (false, false) => (StatusCode::CREATED, placed.token),
    };
    Ok((status, Json(Placed { order_id, token })))
}

/// The token that the order's first request got. Much may have happened to the order since.
async fn original_token(app: &App, order_id: &OrderId) -> Result<Token, Problem> {
    let history = app.repository::<Order>().history(order_id.as_str()).await?;
    let placed = history.iter().find(|event| matches!(event.event, OrderEvent::Placed(_)));
    placed.map(|event| event.sequence.into()).ok_or_else(|| Problem::not_found("the order's events are gone"))
}

fn rejected(error: OrderError) -> Problem {
    match error {
        OrderError::PlacedOtherwise(_) => Problem::conflict(error),
        other => Problem::rule(other),
    }
}

async fn show_order(
    State(app): State<App>,
    Path(order_id): Path<OrderId>,
    wait: WaitFor,
) -> Result<Json<OrderSummary>, Problem> {
    let order = app.reader::<OrderSummary>(wait).await?.get(&order_id).await?;
    order.map(Json).ok_or_else(|| Problem::not_found(format!("there is no order {order_id}")))
}

async fn show_customer(
    State(app): State<App>,
    Path(customer_id): Path<CustomerId>,
    wait: WaitFor,
) -> Result<Json<CustomerValue>, Problem> {
    let customer = app.reader::<CustomerValue>(wait).await?.get(&customer_id).await?;
    customer.map(Json).ok_or_else(|| Problem::not_found(format!("customer {customer_id} never ordered")))
}

async fn show_sales(
    State(app): State<App>,
    Path(day): Path<Day>,
    wait: WaitFor,
) -> Result<Json<DaySales>, Problem> {
    let sales = app.reader::<DaySales>(wait).await?.get(&day).await?;
    sales.map(Json).ok_or_else(|| Problem::not_found(format!("nothing was ordered on {day}")))
}

async fn show_totals(State(app): State<App>, wait: WaitFor) -> Result<Json<Totals>, Problem> {
    Ok(Json(Totals::read(&mut app.reader::<CustomerValue>(wait).await?).await?))
}

/// A part of a list: `?limit=<rows>&after=<the last row's key>`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List<K> {
    after: Option<K>,
    limit: Option<u32>,
}

async fn list<R: Table>(
    State(app): State<App>,
    Query(wish): Query<List<R::Key>>,
) -> Result<Json<Page<R>>, Problem> {
    let limit = limit(wish.limit)?;
    let mut reader = app.reader::<R>(WaitFor::default()).await?;
    Ok(Json(Page::read(&mut reader, wish.after, limit).await?))
}

/// The same, of one customer or of all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListOrders {
    customer_id: Option<CustomerId>,
    after: Option<OrderId>,
    limit: Option<u32>,
}

async fn list_orders(
    State(app): State<App>,
    Query(wish): Query<ListOrders>,
) -> Result<Json<Page<OrderSummary>>, Problem> {
    let limit = limit(wish.limit)?;
    let mut reader = app.reader::<OrderSummary>(WaitFor::default()).await?;
    Ok(Json(match wish.customer_id {
        Some(customer) => Page::of_customer(&mut reader, customer, wish.after, limit).await?,
        None => Page::read(&mut reader, wish.after, limit).await?,
    }))
}

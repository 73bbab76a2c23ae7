//! The HTTP API of orders: commands go to the aggregate, questions to the read models.

use super::events::{OrderEvent, OrderPlaced};
use super::order::{Order, OrderCommand, OrderError};
use super::queries::{Page, Queries, Totals};
use super::read_models::customer_value::CustomerValue;
use super::read_models::daily_sales::DaySales;
use super::read_models::order_summary::OrderSummary;
use crate::day::Day;
use crate::http::Accepted;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::aggregate::{Cause, Repository};
use annals::event::Token;
use annals::service::{Body, Params, Problem, Segment};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

/// What the routes work on.
#[derive(Clone)]
pub struct OrdersApi {
    /// The orders.
    pub orders: Repository<Order>,
    /// What is known about them.
    pub queries: Queries,
}

/// The routes of orders.
pub fn routes(api: OrdersApi) -> Router {
    Router::new()
        .route("/orders", get(list_orders).post(place))
        .route("/orders/{order_id}", get(show_order))
        .route("/customers", get(list_customers))
        .route("/customers/{customer_id}", get(show_customer))
        .route("/sales", get(list_sales))
        .route("/sales/{day}", get(show_sales))
        .route("/totals", get(show_totals))
        .with_state(api)
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

impl From<PlaceOrder> for OrderPlaced {
    fn from(wish: PlaceOrder) -> Self {
        let PlaceOrder { order_id, customer_id, ordered_on, items, total_cents } = wish;
        let order_id = order_id.unwrap_or_else(|| Uuid::now_v7().into());
        Self { order_id, customer_id, ordered_on, items, total_cents }
    }
}

async fn place(
    State(OrdersApi { orders, .. }): State<OrdersApi>,
    Body(wish): Body<PlaceOrder>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let placement = OrderPlaced::from(wish);
    let order_id = placement.order_id.clone();
    let placed = orders.execute(order_id.as_str(), OrderCommand::Place(placement), Cause::new()).await;
    let placed = placed.map_err(|error| Problem::of_execute(error, rejected))?;
    let (status, token) = match placed.events.is_empty() {
        false => (StatusCode::CREATED, placed.token),
        true => (StatusCode::OK, original_token(&orders, &order_id).await?),
    };
    Ok((status, Json(Accepted::new(order_id, token))))
}

/// The token that the order's first request got. Much may have happened to the order since.
async fn original_token(orders: &Repository<Order>, order_id: &OrderId) -> Result<Token, Problem> {
    let history = orders.history(order_id.as_str()).await?;
    let placed = history.iter().find(|event| matches!(event.event, OrderEvent::Placed(_)));
    placed.map(|event| event.sequence.into()).ok_or_else(|| Problem::not_found("the order's events are gone"))
}

fn rejected(error: OrderError) -> Problem {
    match error {
        OrderError::PlacedOtherwise(_) => Problem::conflict(error),
        other => Problem::rule(other),
    }
}

/// `?wait_for=<token>`: the answer contains what the token's command did.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitFor {
    wait_for: Option<Token>,
}

async fn show_order(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Segment(order_id): Segment<OrderId>,
    Params(wait): Params<WaitFor>,
) -> Result<Json<OrderSummary>, Problem> {
    let order = queries.order(&order_id, wait.wait_for).await?;
    order.map(Json).ok_or_else(|| Problem::not_found(format!("there is no order {order_id}")))
}

async fn show_customer(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Segment(customer_id): Segment<CustomerId>,
    Params(wait): Params<WaitFor>,
) -> Result<Json<CustomerValue>, Problem> {
    let customer = queries.customer(&customer_id, wait.wait_for).await?;
    customer.map(Json).ok_or_else(|| Problem::not_found(format!("customer {customer_id} never ordered")))
}

async fn show_sales(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Segment(day): Segment<Day>,
    Params(wait): Params<WaitFor>,
) -> Result<Json<DaySales>, Problem> {
    let sales = queries.sales(&day, wait.wait_for).await?;
    sales.map(Json).ok_or_else(|| Problem::not_found(format!("nothing was ordered on {day}")))
}

async fn show_totals(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Params(wait): Params<WaitFor>,
) -> Result<Json<Totals>, Problem> {
    Ok(Json(queries.totals(wait.wait_for).await?))
}

/// A part of a list: `?limit=<rows>&after=<the last row's key>`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListOrders {
    customer_id: Option<CustomerId>,
    after: Option<OrderId>,
    limit: Option<u32>,
}

async fn list_orders(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Params(wish): Params<ListOrders>,
) -> Result<Json<Page<OrderSummary>>, Problem> {
    let limit = Page::<OrderSummary>::limit(wish.limit)?;
    Ok(Json(queries.orders(wish.customer_id, wish.after, limit).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListCustomers {
    after: Option<CustomerId>,
    limit: Option<u32>,
}

async fn list_customers(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Params(wish): Params<ListCustomers>,
) -> Result<Json<Page<CustomerValue>>, Problem> {
    let limit = Page::<CustomerValue>::limit(wish.limit)?;
    Ok(Json(queries.customers(wish.after, limit).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListSales {
    after: Option<Day>,
    limit: Option<u32>,
}

async fn list_sales(
    State(OrdersApi { queries, .. }): State<OrdersApi>,
    Params(wish): Params<ListSales>,
) -> Result<Json<Page<DaySales>>, Problem> {
    let limit = Page::<DaySales>::limit(wish.limit)?;
    Ok(Json(queries.days(wish.after, limit).await?))
}

//! The HTTP API of shipping.

use super::shipment::{Shipment, ShipmentCommand, ShipmentError, ShipmentState};
use crate::ids::OrderId;
use annals::service::{Accepted, App, Caller, Problem};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

/// The routes of shipping.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/shipments/{order_id}", get(show))
        .route("/shipments/{order_id}/delivery", post(confirm_delivery))
}

#[derive(Serialize)]
struct Shown {
    order_id: OrderId,
    status: ShipmentState,
}

async fn show(State(app): State<App>, Path(order_id): Path<OrderId>) -> Result<Json<Shown>, Problem> {
    match app.load::<Shipment>(order_id.as_str()).await?.state.state() {
        ShipmentState::Unknown => Err(Problem::not_found(ShipmentError::Unknown)),
        status => Ok(Json(Shown { order_id, status })),
    }
}

async fn confirm_delivery(
    State(app): State<App>,
    Path(order_id): Path<OrderId>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    let command = ShipmentCommand::ConfirmDelivery;
    let delivered = app.execute::<Shipment>(order_id.as_str(), command, caller).await;
    delivered.map(Accepted::from).map_err(|error| Problem::of_execute(error, rejected))
}

fn rejected(error: ShipmentError) -> Problem {
    match error {
        ShipmentError::Unknown => Problem::not_found(error),
        ShipmentError::NotDispatched => Problem::conflict(error),
    }
}

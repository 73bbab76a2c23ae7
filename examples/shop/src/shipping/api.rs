//! The HTTP API of shipping.

use super::shipment::{Shipment, ShipmentCommand, ShipmentError, ShipmentState};
use crate::http::Accepted;
use crate::ids::OrderId;
use annals::aggregate::{Cause, Repository};
use annals::service::{Problem, Segment};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

/// The routes of shipping.
pub fn routes(shipments: Repository<Shipment>) -> Router {
    Router::new()
        .route("/shipments/{order_id}", get(show))
        .route("/shipments/{order_id}/delivery", post(confirm_delivery))
        .with_state(shipments)
}

#[derive(Serialize)]
struct Shown {
    order_id: OrderId,
    status: ShipmentState,
}

async fn show(
    State(shipments): State<Repository<Shipment>>,
    Segment(order_id): Segment<OrderId>,
) -> Result<Json<Shown>, Problem> {
    match shipments.load(order_id.as_str()).await?.state.state() {
        ShipmentState::Unknown => Err(Problem::not_found(ShipmentError::Unknown)),
        status => Ok(Json(Shown { order_id, status })),
    }
}

async fn confirm_delivery(
    State(shipments): State<Repository<Shipment>>,
    Segment(order_id): Segment<OrderId>,
) -> Result<Json<Accepted>, Problem> {
    let command = ShipmentCommand::ConfirmDelivery;
    let delivered = shipments.execute(order_id.as_str(), command, Cause::new()).await;
    let delivered = delivered.map_err(|error| Problem::of_execute(error, rejected))?;
    Ok(Json(Accepted::new(order_id, delivered.token)))
}

fn rejected(error: ShipmentError) -> Problem {
    match error {
        ShipmentError::Unknown => Problem::not_found(error),
        ShipmentError::NotDispatched => Problem::conflict(error),
    }
}

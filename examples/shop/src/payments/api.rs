//! The HTTP API of payments.

use super::payment::{Payment, PaymentCommand, PaymentError, PaymentState};
use crate::ids::OrderId;
use annals::service::{Accepted, App, Caller, Problem};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};

/// The routes of payments.
pub fn routes() -> Router<App> {
    Router::new().route("/payments/{order_id}", get(show)).route("/payments/{order_id}/refund", post(refund))
}

async fn show(State(app): State<App>, Path(order_id): Path<OrderId>) -> Result<Json<PaymentState>, Problem> {
    let state = app.load::<Payment>(order_id.as_str()).await?.state.state().clone();
    match state {
        PaymentState::Unknown => Err(Problem::not_found(PaymentError::Unknown)),
        state => Ok(Json(state)),
    }
}

async fn refund(
    State(app): State<App>,
    Path(order_id): Path<OrderId>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    let refunded = app.execute::<Payment>(order_id.as_str(), PaymentCommand::Refund, caller).await;
    refunded.map(Accepted::from).map_err(|error| Problem::of_execute(error, rejected))
}

fn rejected(error: PaymentError) -> Problem {
    match error {
        PaymentError::Unknown => Problem::not_found(error),
        PaymentError::NothingCharged => Problem::conflict(error),
    }
}

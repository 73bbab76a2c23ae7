//! The HTTP API of payments.

use super::payment::{Payment, PaymentCommand, PaymentError, PaymentState};
use crate::http::Accepted;
use crate::ids::OrderId;
use annals::aggregate::{Cause, Repository};
use annals::service::{Problem, Segment};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

/// The routes of payments.
pub fn routes(payments: Repository<Payment>) -> Router {
    Router::new()
        .route("/payments/{order_id}", get(show))
        .route("/payments/{order_id}/refund", post(refund))
        .with_state(payments)
}

async fn show(
    State(payments): State<Repository<Payment>>,
    Segment(order_id): Segment<OrderId>,
) -> Result<Json<PaymentState>, Problem> {
    let state = payments.load(order_id.as_str()).await?.state.state().clone();
    match state {
        PaymentState::Unknown => Err(Problem::not_found(PaymentError::Unknown)),
        state => Ok(Json(state)),
    }
}

async fn refund(
    State(payments): State<Repository<Payment>>,
    Segment(order_id): Segment<OrderId>,
) -> Result<Json<Accepted>, Problem> {
    let refunded = payments.execute(order_id.as_str(), PaymentCommand::Refund, Cause::new()).await;
    let refunded = refunded.map_err(|error| Problem::of_execute(error, rejected))?;
    Ok(Json(Accepted::new(order_id, refunded.token)))
}

fn rejected(error: PaymentError) -> Problem {
    match error {
        PaymentError::Unknown => Problem::not_found(error),
        PaymentError::NothingCharged => Problem::conflict(error),
    }
}

// src/http.rs: rooms over HTTP.
use super::rooms::{Room, RoomCommand};
use annals::prelude::*;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{delete, post},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Opening {
    seats: u32,
}

#[derive(Deserialize)]
struct Booking {
    member: String,
    day: String,
}

async fn open(
    State(app): State<App>,
    Path(room): Path<String>,
    caller: Caller,
    Json(Opening { seats }): Json<Opening>,
) -> Result<Accepted, Problem> {
    Ok(app.execute::<Room>(&room, RoomCommand::Open { seats }, caller).await?.into())
}

async fn book(
    State(app): State<App>,
    Path(room): Path<String>,
    caller: Caller,
    Json(Booking { member, day }): Json<Booking>,
) -> Result<Accepted, Problem> {
    Ok(app.execute::<Room>(&room, RoomCommand::Book { member, day }, caller).await?.into())
}

async fn release(
    State(app): State<App>,
    Path((room, day)): Path<(String, String)>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    Ok(app.execute::<Room>(&room, RoomCommand::Release { day }, caller).await?.into())
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/rooms/{room}", post(open))
        .route("/rooms/{room}/bookings", post(book))
        .route("/rooms/{room}/bookings/{day}", delete(release))
}

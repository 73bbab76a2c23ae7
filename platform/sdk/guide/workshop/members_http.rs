// src/members_http.rs: members over HTTP.
use super::{
    booking::{book, join},
    members::{Member, MemberCommand},
};
use annals::prelude::*;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::post,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Booking {
    room: String,
    day: String,
}

async fn post_booking(
    State(app): State<App>,
    Path(member): Path<String>,
    caller: Caller,
    Json(Booking { room, day }): Json<Booking>,
) -> Result<Accepted, Problem> {
    Ok(book(&app, &room, &member, &day, caller).await?.into())
}

#[derive(Deserialize)]
struct Joining {
    email: String,
}

async fn post_member(
    State(app): State<App>,
    Path(member): Path<String>,
    caller: Caller,
    Json(Joining { email }): Json<Joining>,
) -> Result<Accepted, Problem> {
    Ok(join(&app, &member, &email, caller).await?.into())
}

async fn post_suspension(
    State(app): State<App>,
    Path(member): Path<String>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    Ok(app.execute::<Member>(&member, MemberCommand::Suspend, caller).await?.into())
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/members/{member}", post(post_member))
        .route("/members/{member}/bookings", post(post_booking))
        .route("/members/{member}/suspension", post(post_suspension))
}

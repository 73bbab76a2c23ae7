// src/questions.rs: questions to the tables.
use super::usage::{MemberUsage, RoomUsage};
use annals::{
    prelude::*,
    read_model::{Cursor, Page},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::get,
};
use serde::Deserialize;

async fn member_usage(
    State(app): State<App>,
    Path(member): Path<String>,
    wait: WaitFor,
) -> Result<Json<MemberUsage>, Problem> {
    let row = app.reader::<MemberUsage>(wait).await?.get(&member).await?;
    row.map(Json).ok_or_else(|| Problem::not_found(format!("member {member} never booked a room")))
}

#[derive(Deserialize)]
struct Paging {
    after: Option<Cursor>,
}

/// Whoever has the most days first. The next page is `?after=` with the `next` of this one.
async fn busiest_members(
    State(app): State<App>,
    Query(Paging { after }): Query<Paging>,
    wait: WaitFor,
) -> Result<Json<Page<MemberUsage>>, Problem> {
    let select = MemberUsage::by_days(i64::MAX).descending().after(after).limit(50);
    Ok(Json(app.reader::<MemberUsage>(wait).await?.page(select).await?))
}

#[derive(Deserialize)]
struct Wanted {
    seats: u32,
}

async fn large_rooms(
    State(app): State<App>,
    Query(Wanted { seats }): Query<Wanted>,
    wait: WaitFor,
) -> Result<Json<Vec<RoomUsage>>, Problem> {
    let mut reader = app.reader::<RoomUsage>(wait).await?;
    Ok(Json(reader.query("WHERE seats >= $1 ORDER BY days, room LIMIT 10", (seats,)).await?))
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/members", get(busiest_members))
        .route("/members/{member}/usage", get(member_usage))
        .route("/rooms", get(large_rooms))
}

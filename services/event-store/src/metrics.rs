//! `/metrics`: what the log does, what the disk has room for, and who listens.
//!
//! Beside the names of [`annals_service::metrics`], which a collector gets too, there are:
//!
//! | name | unit |
//! |---|---|
//! | `annals_log_first`, `annals_log_head` | first and last sequence number that the log has |
//! | `annals_log_free_bytes`, `annals_log_reserve_bytes` | bytes free on the log's disk, and kept free of appends |
//! | `annals_log_damages` | places that background verification found damaged |
//! | `annals_subscriptions` | subscriptions that are open |

use crate::Subscriptions;
use annals_service::metrics::Metrics;
use annals_store::EventStore;
use annals_store_log::LogStore;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use std::fmt::Write;

/// The text form of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`: `metrics` is of the log.
pub fn metrics(metrics: Metrics, log: LogStore, subscriptions: Subscriptions) -> Router {
    let show = async move || {
        let text = metrics.text() + &gauges(&log, &subscriptions).await;
        ([(CONTENT_TYPE, TEXT)], text)
    };
    Router::new().route("/metrics", get(show))
}

async fn gauges(log: &LogStore, subscriptions: &Subscriptions) -> String {
    let (head, room, scrub) = (log.head().await.ok(), log.room().await, log.scrub_status());
    let sequence = |sequence: annals_event::Sequence| sequence.get();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, help, value) in [
        (
            "annals_log_first",
            "First sequence number that the log has.",
            head.map(|head| sequence(head.first)),
        ),
        ("annals_log_head", "Last sequence number that the log has.", head.map(|head| sequence(head.last))),
        ("annals_log_free_bytes", "Bytes free on the log's disk.", room.free_bytes),
        ("annals_log_reserve_bytes", "Bytes that appends leave free.", Some(room.reserve_bytes)),
        ("annals_log_damages", "Places that verification found damaged.", Some(count(scrub.damages.len()))),
        ("annals_subscriptions", "Subscriptions that are open.", Some(count(subscriptions.open()))),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    }
    text
}

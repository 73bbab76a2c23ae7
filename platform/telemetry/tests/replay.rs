//! Spans of a replay: one for each batch, and one for each event only where somebody asks for them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use annals_event::{EventBatchBuilder, EventType, NewEvent, Sequence, StreamName, Timestamp, Version};
use annals_telemetry::{Run, process_span};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{layer::SubscriberExt, registry};

#[test]
fn a_replay_makes_a_span_an_event_only_at_level_debug() {
    let event = NewEvent::json(EventType::new("order.placed").unwrap(), "{}");
    let stream = StreamName::of("order", "1").unwrap();
    let mut batch = EventBatchBuilder::default();
    batch.push_new(&stream, &event, Sequence::FIRST, Version::FIRST, Timestamp::from_micros(1)).unwrap();
    let batch = batch.build().unwrap();
    let made = |level: LevelFilter, run: Run| {
        tracing::subscriber::with_default(registry().with(level), || {
            !process_span("orders", &batch.first().unwrap(), run).is_disabled()
        })
    };
    assert!(made(LevelFilter::INFO, Run::Live));
    assert!(!made(LevelFilter::INFO, Run::Replay));
    assert!(made(LevelFilter::DEBUG, Run::Replay));
    assert!(!made(LevelFilter::WARN, Run::Live));
}

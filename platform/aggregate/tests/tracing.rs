//! What events name is their append's span. In a file of its own, since tracing is set up once a process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::Cause;
use annals_event::TraceContext;
use annals_store::GappedStore;
use annals_telemetry::{Options, context_of, init};
use common::{AccountCommand, accounts, open};
use tracing::{Instrument, info_span};

#[tokio::test]
async fn every_event_names_the_span_that_appended_it_even_without_an_export() {
    let telemetry = init(Options { sample_ratio: 0.0, ..Options::new("bank") }).unwrap();
    let accounts = accounts(&GappedStore::new());
    let request = info_span!(parent: None, "request");
    let asked_in = context_of(&request).unwrap();
    let asked = async {
        accounts.execute("1", open(), Cause::new()).await.unwrap();
        accounts.execute("1", AccountCommand::Split { deposits: 2 }, Cause::new()).await.unwrap();
    };
    asked.instrument(request).await;

    let history = accounts.history("1").await.unwrap();
    let traces: Vec<TraceContext> = history.into_iter().map(|event| event.metadata.trace.unwrap()).collect();
    assert!(traces.iter().all(|trace| trace.trace_id == asked_in.trace_id), "the request's trace goes on");
    assert!(traces.iter().all(|trace| trace.span_id != asked_in.span_id), "in a span of the append's own");
    assert_ne!(traces[0].span_id, traces[1].span_id, "each append has its own");
    assert_eq!(traces[1], traces[2], "the events of one append share it");
    assert!(!traces[0].is_sampled());
    telemetry.shutdown().await.unwrap();
}

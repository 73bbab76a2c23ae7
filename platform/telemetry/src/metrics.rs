//! Metrics for a collector.
//!
//! What always holds: an instrument is asked for its values when they are exported, and never where nothing is exported. It is
//! exported until the process ends; a service that is gone has no values.

use crate::{InitError, Options};
use opentelemetry::{KeyValue, metrics::AsyncInstrument};
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use std::{
    sync::mpsc::{self, Receiver},
    thread,
};

/// What an instrument's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A count, which only grows.
    Counter,
    /// Something that goes up and down.
    Gauge,
}

/// A value of an instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What it is of: names and what they are.
    pub labels: Vec<(&'static str, String)>,
    /// How much.
    pub value: f64,
}

/// Exports an instrument with the values that `values` gives from now on. Call it after [`init`](crate::init).
pub fn observe(
    instrument: Instrument,
    name: &'static str,
    help: &'static str,
    values: impl Fn() -> Vec<Observed> + Send + Sync + 'static,
) {
    let meter = opentelemetry::global::meter("annals");
    let tell = move |observer: &dyn AsyncInstrument<f64>| {
        for Observed { labels, value } in values() {
            let labels: Vec<_> = labels.into_iter().map(|(name, text)| KeyValue::new(name, text)).collect();
            observer.observe(value, &labels);
        }
    };
    // The provider keeps what it is to ask.
    match instrument {
        Instrument::Counter => {
            let _kept = meter.f64_observable_counter(name).with_description(help).with_callback(tell).build();
        }
        Instrument::Gauge => {
            let _kept = meter.f64_observable_gauge(name).with_description(help).with_callback(tell).build();
        }
    }
}

/// What exports metrics; `None`: nobody wants them.
pub(crate) fn provider(options: &Options, resource: Resource) -> Result<Option<SdkMeterProvider>, InitError> {
    let Some(endpoint) = options.otlp_endpoint.as_ref().filter(|_| options.export_metrics) else {
        return Ok(None);
    };
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|error| InitError::exporter(endpoint, &error))?;
    let builder = SdkMeterProvider::builder().with_resource(resource);
    Ok(Some(builder.with_periodic_exporter(exporter).build()))
}

/// Exports the last values; says when that is done. It may take as long as a silent collector lets it wait, whatever time it is
/// given, so nobody's end waits for its thread.
pub(crate) fn shut_down(provider: SdkMeterProvider) -> Receiver<()> {
    let (done, told) = mpsc::channel();
    thread::spawn(move || {
        let _ = provider.shutdown();
        let _ = done.send(());
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_collector_of_spans_alone_gets_no_metrics() {
        let wanted = Options { otlp_endpoint: Some("http://127.0.0.1:1".into()), ..Options::new("test") };
        let spans_alone = Options { export_metrics: false, ..wanted.clone() };
        let resource = || Resource::builder().build();
        assert!(provider(&spans_alone, resource()).unwrap().is_none());
        assert!(provider(&Options::new("test"), resource()).unwrap().is_none());
        let metrics = provider(&wanted, resource()).unwrap();
        let _ = shut_down(metrics.unwrap()).recv();
    }
}

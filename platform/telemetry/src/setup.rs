//! Sets up logging, tracing and the export of metrics, once per process.

use crate::metrics;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkError,
    metrics::SdkMeterProvider,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, ParentBasedSampler, Sampler, SdkTracerProvider,
        TracerProviderBuilder,
    },
};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, ParseError, Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

/// How many spans may wait for export; more are dropped, so that a slow collector delays nobody.
const QUEUED_SPANS_MAX: usize = 65_536;
/// How many spans are exported in one message.
const EXPORTED_SPANS_MAX: usize = 2_048;
/// How long the last export may take at shutdown, by default.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);
/// What carries the exported spans must create none itself: they would be exported for ever.
const SILENT: [&str; 6] = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry"];

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// What [`init`] sets up.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The service's name in traces.
    pub service_name: String,
    /// Where spans and metrics go, by OTLP over gRPC, e.g. `http://127.0.0.1:4317`. `None`: nowhere; every span still has its
    /// ids.
    pub otlp_endpoint: Option<String>,
    /// Whether metrics go there too: some collectors take only spans.
    pub export_metrics: bool,
    /// Which log lines are written to standard error, as in `RUST_LOG`.
    pub log_filter: String,
    /// The form of log lines.
    pub log_form: LogForm,
    /// Which spans exist, as `level` or `target=level`, separated by commas. With less than `info`, events carry no
    /// trace context; `debug` adds a span for each event of a replay.
    pub span_filter: String,
    /// The share of traces begun here that are exported, 0 to 1. A trace begun elsewhere follows that side's
    /// decision.
    pub sample_ratio: f64,
}

impl Options {
    /// What is logged by default.
    pub const LOG_FILTER_DEFAULT: &str = "warn,annals=info";
    /// Which spans exist by default.
    pub const SPAN_FILTER_DEFAULT: &str = "info";

    /// Warnings to standard error, no export.
    pub fn new(service_name: impl Into<String>) -> Self {
        Self {
            service_name: service_name.into(),
            otlp_endpoint: None,
            export_metrics: true,
            log_filter: Self::LOG_FILTER_DEFAULT.into(),
            log_form: LogForm::default(),
            span_filter: Self::SPAN_FILTER_DEFAULT.into(),
            sample_ratio: 1.0,
        }
    }

    /// The same, changed by `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_METRICS_EXPORTER` (`none`), `OTEL_SERVICE_NAME`, `RUST_LOG` and
    /// `ANNALS_SPANS` (the span filter). An empty variable counts as unset.
    pub fn from_env(service_name: impl Into<String>) -> Self {
        let defaults = Self::new(service_name);
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            otlp_endpoint: variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
            export_metrics: variable("OTEL_METRICS_EXPORTER").is_none_or(|exporter| exporter != "none"),
            service_name: variable("OTEL_SERVICE_NAME").unwrap_or(defaults.service_name),
            log_filter: variable("RUST_LOG").unwrap_or(defaults.log_filter),
            span_filter: variable("ANNALS_SPANS").unwrap_or(defaults.span_filter),
            ..defaults
        }
    }
}

/// Why logging and tracing could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// It was already done in this process.
    #[error("logging and tracing are already set up in this process; call init once, in main")]
    AlreadyInitialised,
    /// The filter of log lines is malformed.
    #[error("log filter {filter:?} is not of the form level or target=level, separated by commas: {reason}")]
    LogFilter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: ParseError,
    },
    /// The filter of spans is malformed.
    #[error("span filter {filter:?} is not of the form level or target=level, separated by commas: {reason}")]
    SpanFilter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: ParseError,
    },
    /// The exporter needs a tokio runtime.
    #[error("an OTLP endpoint is configured, which needs a tokio runtime: call init within one")]
    NoRuntime,
    /// The exporter refuses its configuration.
    #[error(
        "cannot export spans and metrics to {endpoint:?}, which OTEL_EXPORTER_OTLP_ENDPOINT names: {reason}"
    )]
    Exporter {
        /// Where they were to go, without a user's name and password.
        endpoint: String,
        /// Why they cannot.
        reason: String,
    },
}

impl InitError {
    pub(crate) fn exporter(endpoint: &str, error: &impl ToString) -> Self {
        let shown = match (endpoint.split_once("://"), endpoint.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            (None, Some((_, host))) => format!("***@{host}"),
            (_, None) => endpoint.to_owned(),
        };
        let reason = error.to_string().replace(endpoint, &shown);
        Self::Exporter { endpoint: shown, reason }
    }
}

/// Why the last spans may not have been exported.
#[derive(Debug, thiserror::Error)]
#[error("the last spans may not have been exported: {reason}")]
pub struct ShutdownError {
    reason: String,
}

/// Running telemetry. [`shutdown`](Self::shutdown) exports the last spans.
#[derive(Debug)]
#[must_use = "call `shutdown` at the end, so that the last spans are exported"]
pub struct Telemetry {
    provider: SdkTracerProvider,
    meters: Option<SdkMeterProvider>,
}

/// Sets up logging to standard error, tracing and the export of metrics for the whole process.
pub fn init(options: Options) -> Result<Telemetry, InitError> {
    let log_filter = log_filter(&options.log_filter)?;
    let span_filter = span_filter(&options.span_filter)?;
    let provider = provider(&options)?;
    let meters = metrics::provider(&options, resource(&options))?;
    let logs = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // Spans are for the trace; a log line that repeated all their fields would be unreadable.
    let logs = match options.log_form {
        LogForm::Text => logs.boxed(),
        LogForm::Json => logs.json().with_current_span(false).with_span_list(false).boxed(),
    };
    let logs = logs.with_filter(log_filter.and(filter_fn(|metadata| metadata.is_event())));
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("annals"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(span_filter);
    registry().with(logs).with(spans).try_init().map_err(|_| InitError::AlreadyInitialised)?;
    opentelemetry::global::set_tracer_provider(provider.clone());
    if let Some(meters) = &meters {
        opentelemetry::global::set_meter_provider(meters.clone());
    }
    Ok(Telemetry { provider, meters })
}

fn log_filter(filter: &str) -> Result<EnvFilter, InitError> {
    let refused = |reason| InitError::LogFilter { filter: filter.to_owned(), reason };
    EnvFilter::builder().parse(filter).map_err(refused)
}

fn span_filter(filter: &str) -> Result<Targets, InitError> {
    let refused = |reason| InitError::SpanFilter { filter: filter.to_owned(), reason };
    let wanted: Targets = filter.parse().map_err(refused)?;
    Ok(wanted.with_targets(SILENT.map(|target| (target, LevelFilter::OFF))))
}

fn resource(options: &Options) -> Resource {
    Resource::builder().with_service_name(options.service_name.clone()).build()
}

fn provider(options: &Options) -> Result<SdkTracerProvider, InitError> {
    let builder = SdkTracerProvider::builder().with_resource(resource(options));
    // Without an endpoint, ids are still made and a caller's `sampled` is passed on, but nothing else is collected.
    let (builder, own_traces) = match &options.otlp_endpoint {
        Some(endpoint) => (exporting(builder, endpoint)?, Sampler::TraceIdRatioBased(options.sample_ratio)),
        None => (builder, Sampler::AlwaysOff),
    };
    Ok(builder.with_sampler(ParentBasedSampler::new(own_traces)).build())
}

fn exporting(builder: TracerProviderBuilder, endpoint: &str) -> Result<TracerProviderBuilder, InitError> {
    tokio::runtime::Handle::try_current().map_err(|_| InitError::NoRuntime)?;
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|error| InitError::exporter(endpoint, &error))?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUED_SPANS_MAX)
        .with_max_export_batch_size(EXPORTED_SPANS_MAX)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(builder.with_span_processor(processor))
}

impl Telemetry {
    /// Exports what is waiting, within 5 seconds, and stops. Later spans go nowhere.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        self.shutdown_within(SHUTDOWN_TIME_MAX).await
    }

    /// The same within `time_max`.
    pub async fn shutdown_within(self, time_max: Duration) -> Result<(), ShutdownError> {
        let Self { provider, meters } = self;
        let flush = move || {
            let (begun, last_values) = (Instant::now(), meters.map(metrics::shut_down));
            let flushed = provider.shutdown_with_timeout(time_max);
            if let Some(told) = last_values {
                // All but the changes of the last minute were told before.
                let _ = told.recv_timeout(time_max.saturating_sub(begun.elapsed()));
            }
            flushed
        };
        // The exporter needs this runtime's threads: waiting for it on one of them could last for ever.
        let flushed: Result<(), OTelSdkError> = match tokio::task::spawn_blocking(flush).await {
            Ok(flushed) => flushed,
            Err(error) => return Err(ShutdownError { reason: error.to_string() }),
        };
        flushed.map_err(|error| ShutdownError { reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_refused_with_what_to_change() {
        let error = log_filter("annals=loud").unwrap_err().to_string();
        assert!(error.starts_with("log filter \"annals=loud\" is not of the form"), "{error}");
        assert!(matches!(span_filter("annals=loud"), Err(InitError::SpanFilter { .. })));
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_told() {
        let error =
            InitError::exporter("http://ann:hunter2@b:1", &"http://ann:hunter2@b:1 is bad").to_string();
        assert!(error.contains("http://***@b:1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_endpoint_outside_a_runtime_is_refused() {
        let options = Options { otlp_endpoint: Some("http://127.0.0.1:1".into()), ..Options::new("test") };
        assert!(matches!(provider(&options), Err(InitError::NoRuntime)));
    }
}

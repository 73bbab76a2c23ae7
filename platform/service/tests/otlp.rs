//! A service's metrics as a collector gets them: over OTLP, from a real receiver on loopback. One test in this process, because
//! telemetry is set up once a process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use annals_derive::{Event, Table};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Recorded, StreamName};
use annals_projection::{Fold, ReadModel};
use annals_service::{Config, Service, WaitFor};
use annals_telemetry::Options;
use annals_tests::{Program, Server as Served};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    common::v1::any_value,
    metrics::v1::{NumberDataPoint, metric::Data, number_data_point::Value},
};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// The last value of each metric, by its name and its labels.
type Values = BTreeMap<String, f64>;

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Values>>);

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let resources = request.into_inner().resource_metrics.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let points = match metric.data.unwrap() {
                Data::Gauge(gauge) => gauge.data_points,
                Data::Sum(sum) => {
                    assert!(sum.is_monotonic, "{} is a count", metric.name);
                    sum.data_points
                }
                other => panic!("{other:?}"),
            };
            let values = points.into_iter().map(|point| told(&metric.name, &point));
            self.0.lock().unwrap().extend(values);
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn told(name: &str, point: &NumberDataPoint) -> (String, f64) {
    let labels = point.attributes.iter().map(|label| match label.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => format!("{}={text}", label.key),
        other => panic!("{other:?}"),
    });
    let mut labels: Vec<_> = labels.collect();
    labels.sort();
    let Some(Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
    (format!("{name}{{{}}}", labels.join(",")), value)
}

impl Collector {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(MetricsServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        format!("http://{address}")
    }
}

#[derive(Event)]
#[event(crate = annals_event, type = "note.taken", version = 1)]
struct Taken {
    topic: String,
}

#[derive(Clone, PartialEq, Table)]
#[table(crate = annals_projection, name = "topic")]
struct Topic {
    #[table(key)]
    topic: String,
    notes: i64,
}

fn topics() -> ReadModel {
    let fold = Fold::<Topic>::new().upsert(
        |taken: &Recorded<Taken>| taken.topic.clone(),
        |taken| Topic { topic: taken.topic.clone(), notes: 0 },
        |row, _| row.notes += 1,
    );
    ReadModel::named("topics").fold_version(1).table(fold).build().unwrap()
}

fn taken() -> Append {
    let event = NewEvent::json(EventType::new("note.taken").unwrap(), r#"{"topic":"rust"}"#);
    Append::to(StreamName::new("note-1").unwrap(), ExpectedVersion::Any, vec![event])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_what_metrics_shows_under_the_same_names() {
    let (collector, data) = (Collector::default(), tempfile::tempdir().unwrap());
    let endpoint = collector.start().await;
    let options = Options { otlp_endpoint: Some(endpoint), ..Options::new("notes") };
    let telemetry = annals_telemetry::init(options).unwrap();
    let config = Config::from_toml(&format!("listen = '127.0.0.1:0'\ndata = {:?}", data.path())).unwrap();
    let running = Service::start(config, async |service| Ok(service.read_model(topics()))).await.unwrap();
    let app = running.app();
    app.store().append(taken()).await.unwrap();
    let last = app.store().append(taken()).await.unwrap().head;
    app.reader::<Topic>(WaitFor::token(last.into())).await.unwrap();
    telemetry.shutdown().await.unwrap();
    running.stop().await.unwrap();

    let values = collector.0.lock().unwrap().clone();
    for (name, value) in [
        ("annals_log_appends_total{}", 2.0),
        ("annals_log_groups_total{}", 2.0),
        ("annals_consumer_behind_events{kind=read_model,name=topics}", 0.0),
        ("annals_consumer_age_seconds{kind=read_model,name=topics}", 0.0),
        ("annals_consumer_retries_total{kind=read_model,name=topics}", 0.0),
        ("annals_consumer_state{kind=read_model,name=topics,state=running}", 1.0),
        ("annals_read_model_folded_events_total{name=topics}", 2.0),
    ] {
        assert_eq!(values.get(name), Some(&value), "{name} in {values:#?}");
    }
    assert!((1.0..=2.0).contains(&values["annals_read_model_folds_total{name=topics}"]), "{values:#?}");
}

/// What the service answers to an order that is placed there.
fn place(url: &str) -> String {
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let order = r#"{"customer":"ann","cents":5}"#;
    let head = "POST /orders/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json";
    write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{order}", order.len()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_sends_its_last_values() {
    let (collector, data) = (Collector::default(), tempfile::tempdir().unwrap());
    let arguments = ["--data", data.path().to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut command = Program::build("annals-orders").unwrap().command(&arguments);
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("ANNALS_") || name.starts_with("OTEL_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.start().await);
    let mut server = Served::start(command).unwrap();
    let answer = place(&server.line("listening on ").unwrap());
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.stop().unwrap();
    let values = collector.0.lock().unwrap().clone();
    assert_eq!(values.get("annals_log_appends_total{}"), Some(&1.0), "{values:#?}");
    assert_eq!(values.get("annals_http_requests_total{status=201}"), Some(&1.0), "{values:#?}");
}

//! A service's metrics as a collector gets them: over OTLP, from a real receiver on loopback. One test, because telemetry is set up
//! once a process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use annals_derive::{Event, Table};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Recorded, StreamName};
use annals_projection::{Fold, ReadModel};
use annals_service::{Config, Service, WaitFor};
use annals_telemetry::Options;
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
